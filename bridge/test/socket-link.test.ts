import { CloseCode, decode, encode, encodeFrame, type Frame, Kind } from '@cometmq/protocol'
import { silentLogger, systemClock } from '@cometmq/remoting'
import type { ClientEnd, ClientLink } from '@cometmq/session'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { type WebSocket } from 'ws'
import { type EngineName } from '../src/engine/types.ts'
import { type LinkSettings, newCounters, SocketLink } from '../src/socket-link.ts'
import { client, closeOf, startEngine, type TestEngine, testLimits } from './engine-support.ts'

class End implements ClientEnd {
  readonly frames: unknown[] = []
  drains = 0
  isClosed = false
  changed: () => void = () => {}
  onFrame: (value: unknown) => void = () => {}
  frame(value: unknown): void {
    this.frames.push(value)
    this.onFrame(value)
    this.changed()
  }
  drained(): void {
    this.drains++
    this.changed()
  }
  closed(): void {
    this.isClosed = true
    this.changed()
  }
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) await new Promise<void>(resolve => (this.changed = resolve))
  }
}

const engines: readonly EngineName[] = ['ws', 'uws']

describe.each(engines)('link over %s', name => {
  const started: TestEngine[] = []
  afterEach(async () => {
    await Promise.all(started.splice(0).map(engine => engine.running.close()))
  })

  async function linked(more: Partial<LinkSettings> = {}) {
    const settings: LinkSettings = {
      maxFrameBytes: 262_144,
      maxAssembledBytes: 5_000_000,
      maxBufferedBytes: testLimits.maxBufferedBytes,
      maxQueuedBytes: 16_000_000,
      maxHeldBytes: 20_000,
      clock: systemClock,
      logger: silentLogger,
      counters: newCounters(),
      ...more,
    }
    const end = new End()
    let opened!: (link: ClientLink) => void
    const link = new Promise<ClientLink>(resolve => (opened = resolve))
    const engine = await startEngine(name, {
      upgrade: () => ({
        protocol: 'cometmq.v1',
        open: socket => new SocketLink(socket, settings, made => (opened(made), end)),
      }),
    })
    started.push(engine)
    const socket = await client(engine.url)
    return { socket, end, link: await link, settings }
  }
  /** Frames as the client gets them, pieces put together. */
  function received(socket: WebSocket) {
    const frames: (readonly unknown[])[] = []
    const pieces = new Map<number, Uint8Array[]>()
    let changed = (): void => {}
    socket.on('message', (data: Buffer) => {
      let frame = decode(data) as readonly unknown[]
      if (frame[0] === Kind.FRAG) {
        const [, id, index, last, bytes] = frame as [number, number, number, boolean, Uint8Array]
        const list = pieces.get(id) ?? []
        expect(index).toBe(list.push(Uint8Array.from(bytes)) - 1)
        pieces.set(id, list)
        if (!last) return
        frame = decode(Buffer.concat(list)) as readonly unknown[]
      }
      frames.push(frame)
      changed()
    })
    const until = async (count: number): Promise<typeof frames> => {
      while (frames.length < count) await new Promise<void>(resolve => (changed = resolve))
      return frames
    }
    return { frames, until }
  }
  const rep = (rid: number, size: number): Frame => [Kind.REP, rid, false, {}, new Uint8Array(size).fill(rid)]

  it('carries frames both ways; those of one turn share a write', async () => {
    const { socket, end, link, settings } = await linked()
    const got = received(socket)
    socket.send(encodeFrame([Kind.PING, 1, 2]))
    await end.until(() => end.frames.length === 1)
    expect(end.frames).toEqual([[Kind.PING, 1, 2]])
    for (let rid = 1; rid <= 100; rid++) link.send([Kind.OK, rid, 'done'])
    expect(link.bufferedBytes).toBeGreaterThan(500)
    expect(await got.until(100)).toEqual(Array.from({ length: 100 }, (_, at) => [Kind.OK, at + 1, 'done']))
    expect(settings.counters).toMatchObject({ framesIn: 1, framesOut: 100, writes: 1 })
    expect(link.bufferedBytes).toBe(0)
  })

  it('keeps bytes of inbound frames valid', async () => {
    const { socket, end } = await linked()
    for (let rid = 1; rid <= 30; rid++) socket.send(encodeFrame([Kind.SEND, rid, 1, 0, {}, new Uint8Array(300).fill(rid)]))
    await end.until(() => end.frames.length === 30)
    for (const [at, frame] of end.frames.entries()) {
      expect((frame as [number, number, number, number, unknown, Uint8Array])[5]).toEqual(new Uint8Array(300).fill(at + 1))
    }
  })

  it('passes on entries that are encoded already', async () => {
    const { socket, link } = await linked()
    const got = received(socket)
    const entries = [[0, 3, 17, 'id', 5, 1, 0, { 1: 'tag' }, Uint8Array.of(1, 2)]] as const
    const frame: unknown = [Kind.DELIVER, 4, 1, { encoded: encode(entries) }]
    link.send(frame as Frame)
    expect((await got.until(1))[0]).toEqual([Kind.DELIVER, 4, 1, entries])
  })

  it('cuts frames larger than the client takes, and lets control frames through in between', async () => {
    const { socket, link, end } = await linked()
    socket.send(encodeFrame([Kind.HELLO, 1, { proto: 1, sdk: 'x', runtime: 'x', maxFrame: 4_096 }]))
    await end.until(() => end.frames.length === 1)
    const sizes: number[] = []
    socket.on('message', (data: Buffer) => sizes.push(data.length))
    const got = received(socket)
    socket.pause()
    for (let rid = 1; rid <= 8; rid++) link.send(rep(rid, 1_000_000))
    await new Promise(resolve => setImmediate(resolve))
    link.send([Kind.PONG, 1])
    await new Promise(resolve => setImmediate(resolve))
    expect(link.writable).toBe(false)
    socket.resume()
    const frames = await got.until(9)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4_096)
    expect(frames.filter(frame => frame[0] === Kind.REP).map(frame => frame[1])).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    for (const frame of frames) {
      if (frame[0] !== Kind.REP) continue
      const body = frame[4] as Uint8Array
      expect(Buffer.from(body).equals(Buffer.alloc(1_000_000, frame[1] as number))).toBe(true)
    }
    expect(frames.findIndex(frame => frame[0] === Kind.PONG)).toBeLessThan(8)
    await end.until(() => end.drains > 0)
    expect(link.writable).toBe(true)
  })

  it('puts inbound pieces together, of several frames at a time', async () => {
    const { socket, end } = await linked()
    const wholes = [rep(1, 400_000), rep(2, 300_000)].map(encodeFrame)
    for (let from = 0, index = 0; from < 400_100; from += 100_000, index++) {
      for (const [id, whole] of wholes.entries()) {
        if (from >= whole.length) continue
        const isLast = from + 100_000 >= whole.length
        socket.send(encodeFrame([Kind.FRAG, id + 1, index, isLast, whole.subarray(from, from + 100_000)]))
      }
    }
    await end.until(() => end.frames.length === 2)
    expect(end.frames.map(frame => (frame as number[])[1]).sort()).toEqual([1, 2])
  })

  it('tells when it is writable again only after it was not', async () => {
    const { socket, link, end } = await linked()
    expect(link.writable).toBe(true)
    socket.pause()
    let sent = 0
    while (link.writable) {
      link.send(rep(1, 100_000))
      if (++sent % 5 === 0) await new Promise(resolve => setImmediate(resolve))
      expect(sent).toBeLessThan(2_000)
    }
    expect(end.drains).toBe(0)
    const got = received(socket)
    socket.resume()
    await end.until(() => end.drains === 1)
    expect(link.writable).toBe(true)
    await got.until(sent)
  })

  it('closes with 4406 when a client reads nothing and the queue is full', async () => {
    const { socket, link, end } = await linked({ maxQueuedBytes: 3_000_000 })
    socket.pause()
    for (let round = 0; !end.isClosed; round++) {
      expect(round).toBeLessThan(500)
      link.send(rep(1, 1_000_000))
      await new Promise(resolve => setImmediate(resolve))
    }
    link.send(rep(1, 1))
    expect(link.bufferedBytes).toBe(0)
  })

  it('sends what was said before it closes, and cuts the reason within a character', async () => {
    const { socket, link, end } = await linked()
    const got = received(socket)
    link.send([Kind.ERR, 0, 40190, 'no token', {}])
    link.close(CloseCode.UNAUTHORISED, `${'x'.repeat(122)}ä`)
    link.send([Kind.OK, 1])
    expect(await closeOf(socket)).toEqual({ code: 4500, reason: 'x'.repeat(122) })
    expect(got.frames).toEqual([[Kind.ERR, 0, 40190, 'no token', {}]])
    await end.until(() => end.isClosed)
  })

  const bad: readonly (readonly [string, number, () => Uint8Array | string])[] = [
    ['text', 4502, () => 'hello'],
    ['malformed bytes', 4502, () => Uint8Array.of(0xc1)],
    ['nothing', 4502, () => new Uint8Array(0)],
    ['two values', 4502, () => Uint8Array.of(1, 1)],
    ['a fragment that is none', 4502, () => encode([Kind.FRAG, 1])],
    ['a fragment out of order', 4502, () => encode([Kind.FRAG, 1, 1, false, new Uint8Array(1)])],
    ['a fragment in a fragment', 4502, () => encode([Kind.FRAG, 1, 0, true, encode([Kind.FRAG, 1, 0, true, new Uint8Array(1)])])],
    ['a frame over the limit', 4505, () => new Uint8Array(262_145)],
  ]
  it.each(bad)('ends on %s with %i', async (_what, code, bytes) => {
    const { socket, end } = await linked()
    const closed = closeOf(socket)
    socket.send(bytes())
    socket.send(encodeFrame([Kind.PING, 1]))
    expect((await closed).code).toBe(code)
    await end.until(() => end.isClosed)
    expect(end.frames).toEqual([])
  })

  it('ends on pieces that are too much together, or too many at a time', async () => {
    const much = await linked({ maxAssembledBytes: 1_000 })
    const closed = closeOf(much.socket)
    much.socket.send(encode([Kind.FRAG, 1, 0, false, new Uint8Array(600)]))
    much.socket.send(encode([Kind.FRAG, 2, 0, false, new Uint8Array(600)]))
    expect((await closed).code).toBe(4502)
    const many = await linked()
    const ended = closeOf(many.socket)
    for (let id = 1; id < 20; id++) many.socket.send(encode([Kind.FRAG, id, 0, false, new Uint8Array(1)]))
    expect((await ended).code).toBe(4502)
  })

  it('ends with 1011 when its session fails, and goes on for others', async () => {
    const { socket, end } = await linked()
    end.onFrame = () => {
      throw new Error('defect')
    }
    const closed = closeOf(socket)
    socket.send(encodeFrame([Kind.PING, 1]))
    expect((await closed).code).toBe(1011)
  })

  it('holds what comes during a pause, in order, and ends with 4507 when it is too much', async () => {
    const { socket, end, link } = await linked()
    end.onFrame = value => {
      if ((value as readonly unknown[])[1] === 2) link.pause!(20)
    }
    for (let n = 1; n <= 10; n++) socket.send(encodeFrame([Kind.PING, n]))
    await end.until(() => end.frames.length === 10)
    expect(end.frames.map(frame => (frame as number[])[1])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    const closed = closeOf(socket)
    link.pause!(10_000)
    socket.send(encodeFrame([Kind.SEND, 1, 1, 0, {}, new Uint8Array(20_000)]))
    expect((await closed).code).toBe(4507)
  })

  it('goes on pause by pause, and counts tiny messages by what they cost', async () => {
    const { socket, end, link } = await linked()
    end.onFrame = () => link.pause!(1)
    for (let n = 1; n <= 60; n++) socket.send(encodeFrame([Kind.PING, n]))
    await end.until(() => end.frames.length === 60)
    expect(end.frames.map(frame => (frame as number[])[1])).toEqual(Array.from({ length: 60 }, (_, n) => n + 1))
    const closed = closeOf(socket)
    link.pause!(10_000)
    for (let n = 0; n < 100; n++) socket.send(encodeFrame([Kind.PING, n]))
    expect((await closed).code).toBe(4507)
  })

  it('tells the end when the client vanishes', async () => {
    const { socket, end, link } = await linked()
    socket.terminate()
    await once(socket, 'close')
    await end.until(() => end.isClosed)
    link.send([Kind.OK, 1])
    link.close(4000, '')
  })
})
