import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isRunning, processFilePath, processStart, readProcessFile, writeProcessFile } from '../src/process-file.ts'
import { packageVersion } from '../src/version.ts'

/** The built command in processes of its own: launcher, signals, process files. */
const root = resolve(dirname(fileURLToPath(import.meta.url)), '../../..')
const comet = join(root, 'packages/cli/bin/comet.js')
const exec = promisify(execFile)
let folder: string

beforeAll(() => exec(process.execPath, [join(root, 'scripts/build.mjs'), '--if-stale']), 120_000)
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'comet-process-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function run(...args: string[]) {
  const child = spawn(process.execPath, [comet, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...output }
}

const server = ['serve', '--nameserver-port', '0', '--broker-port', '0']

async function started() {
  const child = spawn(process.execPath, [comet, ...server], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  let output = ''
  await new Promise<void>((ready, fail) => {
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      if (/ready in \d+ ms/.test(output)) ready()
    })
    void ended.then(([code]) => fail(new Error(`ended with ${code}: ${output}`)))
  })
  return { child, ended }
}

describe.skipIf(process.platform === 'win32')('the built command', () => {
  it('prints its version', async () => {
    expect((await run('--version')).stdout).toBe(`${packageVersion()}\n`)
    expect((await run('version')).stdout).toMatch(/^comet \d/)
  })

  it('keeps a second process out of the data folder, and ends on SIGTERM with exit code 0', async () => {
    const { child, ended } = await started()
    const second = await run(...server)
    expect(second).toMatchObject({ code: 1, stdout: '' })
    expect(second.stderr).toContain(`E_DATA_IN_USE: the data folder ${join(folder, 'comet-data')} is in use`)
    expect(second.stderr).toContain(String(child.pid))
    child.kill('SIGTERM')
    expect(await ended).toEqual([0, null])
    expect(existsSync(processFilePath(join(folder, 'comet-data'), 'serve'))).toBe(false)
  })

  it('is stopped by comet shutdown, which waits for its end', async () => {
    const { ended } = await started()
    const stopped = await run('shutdown', 'broker')
    expect(stopped.code).toBe(0)
    expect(await ended).toEqual([0, null])
    expect(await run('shutdown', 'broker')).toMatchObject({ code: 3 })
  })

  it('starts again after it was killed', async () => {
    const first = await started()
    first.child.kill('SIGKILL')
    await first.ended
    const second = await started()
    second.child.kill('SIGINT')
    expect(await second.ended).toEqual([0, null])
  })
})

describe('the process file', () => {
  it('is taken for running only while exactly its process runs', async () => {
    writeProcessFile(folder, 'broker', '1')
    const file = readProcessFile(processFilePath(folder, 'broker'))!
    expect(isRunning(file)).toBe(true)
    expect(isRunning({ ...file, started: 'earlier' })).toBe(false)
    const other = spawn(process.execPath, ['-e', ''])
    await once(other, 'close')
    expect(processStart(other.pid!)).toBeUndefined()
  })

  it('never leads to a signal when it names another process', async () => {
    const bystander = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const path = processFilePath(folder, 'broker')
    await writeFile(path, JSON.stringify({ pid: bystander.pid, started: 'another time', role: 'broker', version: '1' }))
    expect(await run('shutdown', 'broker', '--data', folder)).toMatchObject({ code: 3 })
    expect(processStart(bystander.pid!)).toBeDefined()
    bystander.kill('SIGKILL')
    await once(bystander, 'close')
  })

  it('is ignored when it is unreadable', async () => {
    const path = processFilePath(folder, 'broker')
    for (const text of ['', '{', '{"pid":0,"started":"x"}', '{"pid":"1","started":"x"}', '{"pid":1,"started":"x"}']) {
      await writeFile(path, text)
      expect(readProcessFile(path)).toBeNull()
    }
    expect(await readFile(path, 'utf8')).not.toBe('')
  })
})
