import { adviceFor } from '@cometmq/cluster'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ownAdvice } from '../src/errors.ts'
import { run } from '../src/main.ts'
import { packageVersion } from '../src/version.ts'
import { FakeIo } from './fake-io.ts'

async function comet(...args: string[]) {
  const io = new FakeIo()
  // A port nobody listens on: what gets this far fails at once.
  io.env = { NAMESRV_ADDR: '127.0.0.1:1' }
  return { code: await run(args, io), out: io.stdout, err: io.stderr }
}

describe('usage', () => {
  it('explains a typing error in three lines and suggests the right word', async () => {
    const { code, err, out } = await comet('topic', 'cretae', 'orders')
    expect(code).toBe(2)
    expect(out).toBe('')
    expect(err.split('\n')).toHaveLength(4)
    expect(err).toContain("E_USAGE: unknown command 'cretae'")
    expect(err).toContain('Did you mean create?')
  })

  it.each([
    [['topic', 'create'], 'missing required argument'],
    [['topic', 'ls', '--outptu', 'json'], 'unknown option'],
    [['topic', 'ls', '-o', 'xml'], 'Allowed choices are'],
    [['topic', 'create', 'a', '--queues', 'many'], 'whole number'],
    [['serve', '--broker-port', '70000'], 'port'],
    [['msg', 'find', 'orders'], 'required option'],
    [['msg', 'send', 'orders', 'x', '--property', 'novalue'], 'key=value'],
    [['msg', 'tail', 'orders', '--since', 'soon'], '--since'],
    [['msg', 'tail', 'orders', '--grep', '('], '--grep'],
    [['topic', 'create', 'no blanks'], 'no valid topic name'],
    [['topic', 'ls', '-n', 'a:b:c'], 'no name server address'],
    [['shutdown', 'everything'], 'cannot stop everything'],
    [['explain', 'E_NONSENSE'], 'no error code'],
  ])('%j ends with exit code 2', async (args, words) => {
    const { code, err } = await comet(...args)
    expect(err).toContain(words)
    expect(err).toMatch(/^E_\w+: .+\n {2}why: .+\n {2}try: .+\n$/)
    expect(code).toBe(2)
  })

  it('shows examples first in help, which goes to standard output', async () => {
    const { code, out, err } = await comet('topic', 'create', '--help')
    expect(code).toBe(0)
    expect(err).toBe('')
    expect(out.startsWith('Examples:\n  comet topic create orders\n')).toBe(true)
  })

  it('shows help and fails without a command', async () => {
    const { code, out } = await comet()
    expect(code).toBe(2)
    expect(out).toContain('comet')
  })

  it('ends with exit code 5 when no name server answers', async () => {
    const { code, err } = await comet('topic', 'ls')
    expect(code).toBe(5)
    expect(err).toContain('E_NO_NAME_SERVER')
    expect((await comet('topic', 'ls', '--debug')).err).toContain('debug:')
  })

  it('refuses to listen for others unless that is asked for by name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'comet-usage-'))
    const { code, err } = await comet('nameserver', '--host', '0.0.0.0', '--port', '0', '--data', folder)
    await rm(folder, { recursive: true })
    expect(code).toBe(1)
    expect(err).toContain('E_INSECURE_LISTEN')
  })

  it('explains every code it can print', async () => {
    const { out } = await comet('explain')
    for (const name of [...Object.keys(adviceFor), ...Object.keys(ownAdvice)]) expect(out).toContain(name)
    expect((await comet('explain', 'e_no_route')).out).toContain('exit code: 3')
  })

  it('knows its version', async () => {
    expect((await comet('version')).out).toContain(packageVersion())
  })

  it('names fields without asking anyone', async () => {
    const { code, out } = await comet('topic', 'info', 'x', '--json')
    expect(code).toBe(0)
    expect(out.split('\n')).toContain('messages')
  })
})
