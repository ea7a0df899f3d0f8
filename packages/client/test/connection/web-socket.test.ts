import { decode, type DeliverFrame, encodeFrame, fragment, type Frame, Kind, Reassembler } from '@cometmq/protocol'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { TransportSocket } from '../../src/environment.ts'
import { openWebSocket, type WebSocketClass } from '../../src/web-socket.ts'

let server: Server
let sockets: WebSocketServer
beforeAll(async () => {
  server = createServer()
  sockets = new WebSocketServer({ server })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  for (const socket of sockets.clients) socket.terminate()
  await new Promise(resolve => server.close(resolve))
})

interface Ends {
  readonly client: TransportSocket
  /** The bridge's end. */
  readonly peer: WebSocket
  readonly protocol: string
  readonly frame: () => Promise<{ frame: unknown; bytes: number }>
  readonly closed: Promise<[code: number, reason: string]>
}

async function openPair(): Promise<Ends> {
  const frames: { frame: unknown; bytes: number }[] = []
  let wake = (): void => {}
  let close: (how: [number, string]) => void
  const closed = new Promise<[number, string]>(resolve => (close = resolve))
  const accepted = new Promise<WebSocket>(resolve => sockets.once('connection', resolve))
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  let client!: TransportSocket
  await new Promise<void>(resolve => {
    client = openWebSocket(WebSocket as unknown as WebSocketClass)(url, {
      onOpen: resolve,
      onFrame: (frame, bytes) => {
        frames.push({ frame, bytes })
        wake()
      },
      onClose: (code, reason) => close([code, reason]),
    })
  })
  const peer = await accepted
  const frame = async (): Promise<{ frame: unknown; bytes: number }> => {
    while (frames.length === 0) await new Promise<void>(resolve => (wake = resolve))
    return frames.shift()!
  }
  return { client, peer, protocol: peer.protocol, frame, closed }
}

const message = (peer: WebSocket): Promise<Uint8Array> =>
  new Promise(resolve => peer.once('message', (data: Buffer) => resolve(data)))

describe('WebSocket transport', () => {
  it('asks for the subprotocol, and carries frames both ways', async () => {
    const { client, peer, protocol, frame } = await openPair()
    expect(protocol).toBe('cometmq.v1')
    const arrived = message(peer)
    const sent = client.send([Kind.PING, 7])
    expect(decode(await arrived)).toEqual([Kind.PING, 7])
    expect(sent).toBe(encodeFrame([Kind.PING, 7]).length)
    peer.send(encodeFrame([Kind.PONG, 7]))
    expect(await frame()).toEqual({ frame: [Kind.PONG, 7], bytes: 3 })
    client.close(4000, '')
  })

  it('cuts large frames as WELCOME says, and puts them together', async () => {
    const { client, peer, frame } = await openPair()
    const body = Uint8Array.from({ length: 300_000 }, (_, i) => i & 255)
    const large: Frame = [Kind.SEND, 1, 2, 0, {}, body]
    const whole = new Promise<Uint8Array>(resolve => {
      const reassembler = new Reassembler(1_000_000, 1)
      peer.on('message', (data: Buffer) => {
        expect(data.length).toBeLessThanOrEqual(100_000)
        const all = reassembler.add(decode(data) as never)
        if (all) resolve(all)
      })
    })
    client.setMaxFrame!(100_000)
    client.send(large)
    expect(Buffer.from(await whole).equals(Buffer.from(encodeFrame(large)))).toBe(true)
    const delivery: DeliverFrame = [Kind.DELIVER, 1, 1, [[0, 0, 0, 'id', 0, 1, 0, {}, body]]]
    for (const piece of fragment(encodeFrame(delivery), 65_536, 9)) peer.send(piece)
    const { frame: received } = await frame()
    const entries = (received as typeof delivery)[3]
    expect(Buffer.from(entries[0]![8]).equals(Buffer.from(body))).toBe(true)
    client.close(4000, '')
  })

  it('ignores kinds of a later version', async () => {
    const { client, peer, frame } = await openPair()
    peer.send(encodeFrame([200, 'new'] as never))
    peer.send(encodeFrame([Kind.PING, 1]))
    expect((await frame()).frame).toEqual([Kind.PING, 1])
    client.close(4000, '')
  })

  it.each([
    ['text', 'hello'],
    ['no MessagePack', Uint8Array.of(0xc1)],
    ['no frame', encodeFrame(['x'] as never)],
    ['a frame with wrong items', encodeFrame([Kind.PING, 'x'] as never)],
    ['a fragment out of order', encodeFrame([Kind.FRAG, 1, 3, false, new Uint8Array(1)])],
  ])('ends with %s', async (_name, data) => {
    const { peer, closed } = await openPair()
    const left = new Promise<number>(resolve => peer.once('close', resolve))
    peer.send(data)
    expect(await closed).toEqual([4502, expect.stringMatching(/^40090 ./)])
    expect(await left).toBe(4502)
  })

  it('tells why the other end closed, and 1006 when it vanished', async () => {
    const told = await openPair()
    told.peer.close(4006, '42992 too many')
    expect(await told.closed).toEqual([4006, '42992 too many'])
    const vanished = await openPair()
    vanished.peer.terminate()
    expect((await vanished.closed)[0]).toBe(1006)
  })

  it('sends nothing on a socket that is closing', async () => {
    const { client, closed } = await openPair()
    client.close(4000, 'bye')
    expect(client.send([Kind.PING, 1])).toBe(0)
    expect((await closed)[0]).toBe(4000)
  })

  it.each([
    ['a url that is none', WebSocket as unknown as WebSocketClass, 'not a url', /^60004 /],
    ['a runtime without WebSocket', undefined, 'ws://127.0.0.1', /^60005 /],
  ])('ends for good with %s', async (_name, socketClass, url, reason) => {
    const [code, text] = await new Promise<[number, string]>(resolve => {
      openWebSocket(socketClass)(url, { onOpen() {}, onFrame() {}, onClose: (code, reason) => resolve([code, reason]) })
    })
    expect(code).toBe(4502)
    expect(text).toMatch(reason)
  })
})
