import { FakeClock } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { Admission, normalOrigin } from '../src/admission.ts'
import { type HttpRequest } from '../src/engine/types.ts'

/** As a careless administrator writes them. */
const listed = [
  'https://shop.example',
  'http://localhost:5173',
  'https://shop.example:8443',
  'https://API.Shop.Example/',
  'https://default.example:443',
  'http://192.168.1.10:8080',
  'http://[::1]:3000',
  'https://bücher.example',
  'app://chat',
]

const admission = (origins: readonly string[], missingOrigin = true): Admission =>
  new Admission({
    origins,
    missingOrigin,
    maxSockets: 10,
    newSocketsPerSecond: 100,
    newSocketBurst: 100,
    clock: new FakeClock(),
  })

/** What the server decides: true, or the code it refuses with. */
function admits(door: Admission, origin: string | undefined): true | number {
  const headers = { 'sec-websocket-protocol': 'cometmq.v1', ...(origin === undefined ? {} : { origin }) }
  const request: Partial<HttpRequest> = { path: '/ws', headers, remoteAddress: '127.0.0.1' }
  const decision = door.admit(request as HttpRequest, 0, false)
  return 'problem' in decision ? (JSON.parse(decision.problem.body) as { code: number }).code : true
}

const allowed = [
  'https://shop.example',
  'http://localhost:5173',
  'https://shop.example:8443',
  'https://api.shop.example',
  'https://default.example',
  'http://192.168.1.10:8080',
  'http://[::1]:3000',
  'https://xn--bcher-kva.example',
  'app://chat',
]

const denied = [
  // Scheme
  'http://shop.example',
  'wss://shop.example',
  'ws://localhost:5173',
  'https://localhost:5173',
  'ftp://shop.example',
  'app://chat2',
  // Port
  'https://shop.example:444',
  'http://localhost',
  'http://localhost:51730',
  'http://localhost:517',
  'http://[::1]:3001',
  'http://192.168.1.10',
  // Host
  'https://shop.example.evil.example',
  'https://evil-shop.example',
  'https://evilshop.example',
  'https://www.shop.example',
  'https://example',
  'https://shop.exampl',
  'https://shop.example.',
  'http://127.0.0.1:5173',
  'http://[::1]:5173',
  'https://xn--bcher-kvb.example',
  // What no browser sends
  'null',
  '',
  '*',
  'https://*',
  'https://shop.example/',
  'https://shop.example/path',
  'https://shop.example?x',
  'https://shop.example#x',
  'https://user@shop.example',
  'https://evil.example@shop.example',
  'https://shop.example@evil.example',
  'HTTPS://SHOP.EXAMPLE',
  ' https://shop.example',
  'https://shop.example ',
  'https://shop.example, https://evil.example',
  'https://evil.example https://shop.example',
  'https://shop.example\u0000',
  '//shop.example',
  'shop.example',
  '__proto__',
]

describe('origins', () => {
  it.each(allowed)('%s may connect', origin => {
    expect(admits(admission(listed), origin)).toBe(true)
  })

  it.each(denied)('%j may not', origin => {
    expect(admits(admission(listed), origin)).toBe(40391)
  })

  it('without a list no page may, and with * every page', () => {
    for (const origin of [...allowed, 'null', 'https://evil.example']) {
      expect(admits(admission([]), origin)).toBe(40391)
      expect(admits(admission(['*']), origin)).toBe(true)
    }
  })

  it('a client without Origin depends on its own setting, not on the list', () => {
    expect(admits(admission(listed), undefined)).toBe(true)
    expect(admits(admission([]), undefined)).toBe(true)
    expect(admits(admission(listed, false), undefined)).toBe(40391)
    expect(admits(admission(['*'], false), undefined)).toBe(40391)
  })

  it.each(['https://a.example/path', 'https://a.example?x', 'https://u@a.example', 'a.example', 'https://*.a.example/x', ''])(
    'a list with %j is refused',
    text => {
      expect(() => normalOrigin(text)).toThrow(TypeError)
    },
  )
})
