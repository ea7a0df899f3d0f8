import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const golden = (path: string): Buffer => gunzipSync(readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url))))

export const goldenJson = <T>(path: string): T => JSON.parse(golden(path).toString()) as T

export const goldenLines = <T>(path: string): T[] =>
  golden(path)
    .toString()
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as T)

/** Unpacks a golden store into a new temporary folder and returns its path. The timer wheel, 38.7 MB of zeros, is left out. */
export function unpackStore(name: string): string {
  const tar = golden(`store/${name}.tar.gz`)
  const folder = mkdtempSync(join(tmpdir(), 'cometmq-golden-'))
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const path = text(tar, at, 100)
    const size = Number.parseInt(text(tar, at + 124, 12), 8)
    const isFile = tar[at + 156] === 0x30 || tar[at + 156] === 0
    if (isFile && path !== 'store/timerwheel') {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), tar.subarray(at + 512, at + 512 + size))
    }
    at += 512 + Math.ceil(size / 512) * 512
  }
  return folder
}

const text = (tar: Buffer, at: number, length: number): string => {
  const end = tar.indexOf(0, at)
  return tar.toString('utf8', at, end === -1 || end > at + length ? at + length : end).trim()
}
