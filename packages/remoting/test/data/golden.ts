import { readdirSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { decodeCommand, type Command } from '../../src/index.ts'

/** Readers for the recorded data under test/golden (its README describes the files). */
const root = new URL('../../../../test/golden/', import.meta.url)

export interface Recorded {
  file: string
  line: number
  command: Command
  /** Code of the request that a response belongs to; null for a request. */
  answers: number | null
}

interface Line {
  conn: number
  dir: string
  code: number
  opaque: number
  flag: number
  serialize: number
  header?: string
  headerHex?: string
  bodyHex: string
}

export function recordedFrames(): Recorded[] {
  const frames: Recorded[] = []
  for (const file of readdirSync(new URL('wire/', root)).filter(name => name.endsWith('.jsonl.gz'))) {
    const pending = new Map<string, number>()
    const lines = gunzipSync(readFileSync(new URL('wire/' + file, root)))
      .toString('utf8')
      .trimEnd()
      .split('\n')
    lines.forEach((text, index) => {
      const line = JSON.parse(text) as Line
      const isResponse = (line.flag & 1) !== 0
      const requestDir = isResponse === (line.dir === '<') ? '>' : '<'
      const key = `${line.conn} ${line.opaque} ${requestDir}`
      if (!isResponse) pending.set(key, line.code)
      frames.push({ file, line: index + 1, command: commandOf(line), answers: isResponse ? (pending.get(key) ?? -1) : null })
    })
  }
  return frames
}

function commandOf(line: Line): Command {
  const header = line.header === undefined ? Buffer.from(line.headerHex!, 'hex') : Buffer.from(line.header, 'utf8')
  const word = Buffer.alloc(4)
  word.writeUInt32BE((line.serialize << 24) | header.length)
  const frame = Buffer.concat([word, header, Buffer.from(line.bodyHex, 'hex')])
  return decodeCommand(frame, 0, frame.length)
}

export interface ExpectedMessage {
  topic: string
  queueId: number
  queueOffset: number
  commitLogOffset: number
  storeSize: number
  bodyCRC: number
  flag: number
  sysFlag: number
  bornTimestamp: number
  bornHost: string
  storeTimestamp: number
  storeHost: string
  reconsumeTimes: number
  preparedTransactionOffset: number
  offsetMsgId: string
  properties: Record<string, string>
  bodyHex: string
}

export const expectedMessages = (store: string): ExpectedMessage[] =>
  (
    JSON.parse(gunzipSync(readFileSync(new URL(`store/store-${store}.expected.json.gz`, root))).toString('utf8')) as {
      messages: ExpectedMessage[]
    }
  ).messages

/** Files of a store whose path begins with `prefix`, by path, out of the tar archive. */
export function storeFiles(store: string, prefix: string): Map<string, Buffer> {
  const tar = gunzipSync(readFileSync(new URL(`store/store-${store}.tar.gz`, root)))
  const files = new Map<string, Buffer>()
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '')
    const size = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8)
    const isFile = tar[at + 156] === 0x30
    if (isFile && name.startsWith(prefix)) files.set(name, tar.subarray(at + 512, at + 512 + size))
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}
