import { keysOfText, tokenAuthentication } from '@cometmq/bridge'
import { type Principal } from '@cometmq/session'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ReadyFile } from '../src/commands/server.ts'
import { run } from '../src/main.ts'
import { FakeIo } from './fake-io.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'comet-cli-token-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function comet(...args: string[]) {
  const io = new FakeIo()
  io.cwd = folder
  return { code: await run(args, io), out: io.stdout, err: io.stderr }
}

async function principal(token: string, key: string, more: { issuer?: string; audience?: string } = {}): Promise<Principal> {
  const keys = await keysOfText(key, 'key')
  return tokenAuthentication({ keys, now: () => Date.now(), ...more })(token.trim(), { address: '127.0.0.1' })
}

describe('comet token', () => {
  it('makes a secret that only its owner can read, and none twice', async () => {
    const made = await comet('token', '--new-key', 'bridge.key')
    expect(made).toMatchObject({ code: 0, out: '' })
    const path = join(folder, 'bridge.key')
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
    const key = await readFile(path, 'utf8')
    expect(Buffer.from(key, 'base64url')).toHaveLength(32)
    expect(made.err).not.toContain(key.trim())
    const again = await comet('token', '--new-key', 'bridge.key')
    expect(again.code).toBe(1)
    expect(again.err).toMatch(/^E_FILE: .+\n {2}why: .+ is there already.+\n {2}try: .+\n$/)
    expect(await readFile(path, 'utf8')).toBe(key)
  })

  it('makes a token with the rights that were named', async () => {
    const args = ['--new-key', 'k', '--subject', 'alice', '--pub', 'orders-*', '--pub', 'news', '--sub', 'orders-*:billing']
    const rest = ['--sub', 'news', '--where', 'tenant=acme', '--where', 'tenant=b=c', '--ttl', '2h', '--server', '--inspect']
    const { code, out } = await comet('token', ...args, ...rest, '--rate', '50', '--conns', '3', '--delay-max', '1m')
    expect(code).toBe(0)
    expect(out.split('\n')).toHaveLength(2)
    const found = await principal(out, await readFile(join(folder, 'k'), 'utf8'))
    expect(found).toMatchObject({
      subject: 'alice',
      where: { tenant: ['acme', 'b=c'] },
      scopes: {
        publish: ['orders-*', 'news'],
        subscribe: [
          { topic: 'orders-*', group: 'billing' },
          { topic: 'news', group: '*' },
        ],
        ...{ inspect: true, framesPerSecond: 50, maxConnections: 3, maxDelayMs: 60_000, transactions: false },
      },
    })
    expect(Math.abs(found.expiresAt - Date.now() - 7_200_000)).toBeLessThan(60_000)
  })

  it('signs with a private key, for an issuer and an audience', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    await writeFile(join(folder, 'private.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await writeFile(join(folder, 'public.pem'), pem)
    const args = ['--key', 'private.pem', '--subject', 'bob', '--server', '--issuer', 'me', '--audience', 'bridge']
    const { out } = await comet('token', ...args)
    expect((await principal(out, pem, { issuer: 'me', audience: 'bridge' })).subject).toBe('bob')
    await expect(principal(out, pem, { issuer: 'you' })).rejects.toThrow('iss')
    const wrong = await comet('token', '--key', 'public.pem', '--subject', 'bob')
    expect(wrong.err).toContain('signing needs the private one')
  })

  it('says what is wrong, and never shows a key', async () => {
    await writeFile(join(folder, 'short'), 'sEcRet')
    await writeFile(join(folder, 'good'), 'ab'.repeat(32))
    const bad: [string[], string][] = [
      [[], 'it needs a key'],
      [['--key', 'good'], 'it needs a subject'],
      [['--key', 'missing', '--subject', 'a'], 'E_FILE'],
      [['--key', 'short', '--subject', 'a'], 'HS256 needs 32'],
      [['--key', 'good', '--subject', ''], 'names no subject'],
      [['--key', 'good', '--subject', 'a', '--sub', 'orders:'], 'a pattern must be a text'],
      [['--key', 'good', '--subject', 'a', '--where', 'tenant'], 'is no condition'],
      [['--key', 'good', '--subject', 'a', '--ttl', '0'], 'ended before'],
      [['--key', 'good', '--subject', 'a', '--ttl', 'soon'], 'must be a duration'],
      [['--key', 'good', '--subject', 'a', '--conns', '0'], 'at least 1'],
      [['--new-key', 'no/such/folder/key'], 'E_FILE'],
    ]
    for (const [args, words] of bad) {
      const { code, err, out } = await comet('token', ...args)
      expect(err).toContain(words)
      expect(err).toMatch(/^E_\w+: .+\n {2}why: .+\n {2}try: .+\n$/)
      expect(err).not.toContain('sEcRet')
      expect([code === 0, out]).toEqual([false, ''])
    }
  })
})

describe('a bridge with tokens', () => {
  it('takes those of its keys, from files and from addresses, over HTTP too', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await writeFile(join(folder, 'ec.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    const set = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'ES256' }] })
    const login = createServer((_request, response) => response.setHeader('content-type', 'application/json').end(set))
    await new Promise<void>(resolve => login.listen(0, '127.0.0.1', resolve))
    const jwks = `http://127.0.0.1:${(login.address() as AddressInfo).port}/jwks`
    const rights = ['--subject', 'alice', '--pub', 'orders', '--server']
    const secret = (await comet('token', '--new-key', 'k', ...rights)).out.trim()
    const signed = (await comet('token', '--key', 'ec.pem', ...rights)).out.trim()

    const io = new FakeIo()
    io.cwd = folder
    const ports = [
      '--nameserver-port',
      '0',
      '--broker-port',
      '0',
      '--bridge-port',
      '0',
      '--data',
      'data',
      '--ready-file',
      'ready',
    ]
    const ended = run(['serve', ...ports, '--auth-key', 'k', '--auth-jwks', jwks], io)
    await Promise.race([io.printed('ready in'), ended.then(code => Promise.reject(new Error(`${code}: ${io.stderr}`)))])
    const { bridge } = JSON.parse(await readFile(join(folder, 'ready'), 'utf8')) as ReadyFile
    const send = async (token: string): Promise<number> => {
      const body = JSON.stringify({ topic: 'orders', messages: [{ body: 'x' }] })
      const headers = { authorization: `Bearer ${token}` }
      return (await fetch(`http://${bridge!.address}/v1/send`, { method: 'POST', headers, body })).status
    }
    expect([await send(secret), await send(signed), await send('x.y.z')]).toEqual([200, 200, 401])
    io.signal('SIGTERM')
    expect(await ended).toBe(0)
    login.close()
  })
})
