import { Flag, Kind } from '@cometmq/protocol'
import { describe, expect, it } from 'vitest'
import type { ProducerOptions } from '../../src/api.ts'
import { type BridgeError } from '../../src/errors.ts'
import { createProducer } from '../../src/producer/index.ts'
import { text, topic } from '../../src/topic.ts'
import { Line, settle } from '../consumer/setup.ts'

const notes = topic('notes', { codec: text, tags: ['a', 'b'] })

async function open(options: ProducerOptions = {}, line = new Line()) {
  const producer = createProducer(line.core, notes, options)
  await settle()
  await line.open()
  return { line, producer }
}

/** Of a promise that must reject. */
const errorOf = (work: Promise<unknown>): Promise<BridgeError> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: unknown) => error as BridgeError,
  )

describe('sending', () => {
  it('sends what waits in one frame, with consecutive request ids, and gives each its receipt', async () => {
    const { line, producer } = await open()
    const sends = ['one', 'two', 'three'].map(value => producer.send(value))
    await settle()
    const [frame, ...others] = line.sent(Kind.SENDB)
    expect(others).toEqual([])
    const [, rid, pid, flags, entries] = frame!
    expect(pid).toBe(line.bridge.socket.hello.producers![0]![1])
    expect(flags).toBe(Flag.text)
    expect(entries.map(([, body]) => new TextDecoder().decode(body))).toEqual(['one', 'two', 'three'])
    await line.give([
      Kind.RECEIPT,
      [
        [rid + 2, 0, 'AB', 3, 30],
        [rid, 0, null, 1, 10, { duplicate: true }],
      ],
    ])
    await line.receipts(rid + 1)
    const hex = (n: number): string => n.toString(16).toUpperCase().padStart(12, '0')
    expect(await Promise.all(sends)).toMatchObject([
      { id: `0123456789ABCDEF0123${hex(rid)}`, queue: 1, offset: 10, duplicate: true },
      { id: `0123456789ABCDEF0123${hex(rid + 1)}`, queue: 0, duplicate: false },
      { id: 'AB', queue: 3, offset: 30 },
    ])
  })

  it('sends the first of a turn at once and gathers what follows until the timer', async () => {
    const { line, producer } = await open()
    void producer.send('one')
    await Promise.resolve()
    await Promise.resolve()
    void producer.send('two')
    void producer.send('three')
    await settle()
    expect(line.sent(Kind.SEND)).toHaveLength(1)
    expect(line.sent(Kind.SENDB)).toHaveLength(0)
    await line.clock.advanceAsync(0)
    expect(line.sent(Kind.SENDB)[0]![4]).toHaveLength(2)
  })

  it('waits for linger when asked to', async () => {
    const { line, producer } = await open({ linger: '5ms' })
    void producer.send('one')
    await settle()
    void producer.send('two')
    await line.clock.advanceAsync(4)
    expect(line.sent(Kind.SENDB)).toHaveLength(0)
    await line.clock.advanceAsync(1)
    expect(line.sent(Kind.SENDB)[0]![4]).toHaveLength(2)
  })

  it('stays within the window and goes on when it is raised', async () => {
    const { line, producer } = await open()
    const pid = line.bridge.socket.hello.producers![0]![1]
    const sends = Array.from({ length: 300 }, (_, n) => producer.send(`m${n}`))
    await settle()
    expect(line.sent(Kind.SENDB).map(frame => frame[4].length)).toEqual([256])
    expect(producer.window.messages).toBe(0)
    const rid = line.sent(Kind.SENDB)[0]![1]
    const rids = Array.from({ length: 300 }, (_, n) => rid + n)
    await line.receipts(...rids.slice(0, 20))
    await line.give([Kind.PLIMIT, pid, 276, 4_194_304])
    await line.receipts(...rids.slice(20, 256))
    await line.give([Kind.PLIMIT, pid, 512, 4_194_304])
    expect(line.sent(Kind.SENDB).map(frame => frame[4].length)).toEqual([256, 20, 24])
    await line.receipts(...rids.slice(256))
    expect(await Promise.all(sends)).toHaveLength(300)
    expect(producer.window.messages).toBe(212)
  })

  it('has no more than the window unanswered, whatever the allowance: the bridge keeps no more receipts', async () => {
    const { line, producer } = await open()
    for (let n = 0; n < 300; n++) void producer.send(`m${n}`)
    await settle()
    const [, rid] = line.sent(Kind.SENDB)[0]!
    line.bridge.socket.cut()
    await line.clock.advanceAsync(20_000)
    line.bridge.socket.accept()
    await settle()
    const [popen] = line.bridge.socket.hello.producers!
    // All of them have been stored; the receipts were lost.
    const result = { limit: [512, 8_388_608], accepted: [256, 1_000] }
    line.bridge.socket.welcome({ resumed: 2, results: [[Kind.OK, popen![0], result]] })
    await settle()
    expect(line.sent(Kind.SENDB).map(frame => [frame[1], frame[4].length])).toEqual([[rid, 256]])
    expect(producer.window.messages).toBe(0)
    await line.receipts(...Array.from({ length: 44 }, (_, n) => rid + n))
    expect(line.sent(Kind.SENDB).map(frame => frame[4].length)).toEqual([256, 44])
  })

  it('cuts frames at 128 KiB of bodies', async () => {
    const line = new Line()
    const producer = createProducer(line.core, topic('raw'))
    await settle()
    await line.open()
    for (let n = 0; n < 5; n++) void producer.send(new Uint8Array(50_000))
    await settle()
    expect(line.sent(Kind.SENDB).map(frame => frame[4].length)).toEqual([2, 2])
    expect(line.sent(Kind.SEND)).toHaveLength(1)
  })

  it('keeps to maxInFlight', async () => {
    const { line, producer } = await open({ maxInFlight: 2 })
    for (const value of ['1', '2', '3']) void producer.send(value)
    await settle()
    const rid = line.sent(Kind.SENDB)[0]![1]
    expect(line.sent(Kind.SEND)).toHaveLength(0)
    await line.receipts(rid, rid + 1)
    expect(line.sent(Kind.SEND)).toHaveLength(1)
  })

  it('tells what the bridge says about a failure', async () => {
    const { line, producer } = await open()
    const failed = errorOf(producer.send('one'))
    await settle()
    const extra = { text: 'too fast', outcome: 'not-executed', retryAfter: 200 } as const
    await line.give([Kind.RECEIPT, [[line.sent(Kind.SEND)[0]![1], 42900, null, 0, 0, extra]]])
    expect(await failed).toMatchObject({
      code: 'COMET_BROKER_THROTTLED',
      outcome: 'not-executed',
      retryAfter: 200,
      retryable: true,
    })
  })
})

describe('queue and offline', () => {
  it('queues without a connection, and refuses more than its bounds, losing nothing', async () => {
    const line = new Line()
    const producer = createProducer(line.core, notes, { maxQueued: 2 })
    const kept = [producer.send('one'), producer.send('two')]
    const refused = await errorOf(producer.send('three'))
    expect(refused).toMatchObject({ code: 'COMET_WINDOW_FULL', outcome: 'not-executed' })
    await line.open()
    const [, rid, , , entries] = line.sent(Kind.SENDB)[0]!
    expect(entries).toHaveLength(2)
    await line.receipts(rid, rid + 1)
    expect(await Promise.all(kept)).toHaveLength(2)
  })

  it('bounds the queue in bytes', async () => {
    const line = new Line()
    const producer = createProducer(line.core, notes, { maxBytesQueued: 10 })
    void producer.send('12345678')
    expect((await errorOf(producer.send('123'))).code).toBe('COMET_WINDOW_FULL')
    void producer.send('12')
  })

  it('fail and drop refuse at once; drop does not repeat what was on its way', async () => {
    const { line, producer } = await open()
    const dropped = errorOf(producer.send('x', { ifOffline: 'drop' }))
    void producer.send('y')
    await settle()
    line.bridge.socket.cut()
    await settle()
    expect(await errorOf(producer.send('z', { ifOffline: 'fail' }))).toMatchObject({
      code: 'COMET_OFFLINE',
      outcome: 'not-executed',
    })
    expect((await errorOf(producer.send('z', { ifOffline: 'drop' }))).code).toBe('COMET_OFFLINE')
    expect(producer.oneway('z')).toBe(false)
    await line.clock.advanceAsync(20_000)
    await line.open({ resumed: 2 })
    expect(await dropped).toMatchObject({ code: 'COMET_CONNECTION_LOST', outcome: 'unknown' })
    expect(line.sent(Kind.SEND).map(frame => new TextDecoder().decode(frame[5]))).toEqual(['y'])
  })

  it('oneway: no receipt, false when the window is full', async () => {
    const { line, producer } = await open()
    for (let n = 0; n < 256; n++) expect(producer.oneway('x')).toBe(true)
    expect(producer.oneway('x')).toBe(false)
    await settle()
    expect(line.sent(Kind.SENDB)[0]![3]).toBe(Flag.text | Flag.oneway)
    expect(line.core.pending.size).toBe(0)
    expect(() => producer.oneway('x', { tag: 'c' as 'a' })).not.toThrow()
    await line.give([Kind.PLIMIT, line.bridge.socket.hello.producers![0]![1], 300, 4_194_304])
    expect(() => producer.oneway('x', { tag: 'c' as 'a' })).toThrow('tags a, b')
  })

  it('forgets a message that expires in the queue, and tells the bridge what is left of the time', async () => {
    const line = new Line()
    const producer = createProducer(line.core, notes)
    const late = errorOf(producer.send('x', { expires: '1s' }))
    void producer.send('y', { expires: '10s' })
    await line.clock.advanceAsync(1_000)
    expect(await late).toMatchObject({ code: 'COMET_TIMEOUT', outcome: 'not-executed' })
    await line.open()
    expect(line.sent(Kind.SEND)[0]![4][12]).toBe(9_000)
  })
})

describe('signals', () => {
  it('not executed while it waits, unknown with a CANCEL when it is out', async () => {
    const line = new Line()
    const producer = createProducer(line.core, notes)
    const early = new AbortController()
    const late = new AbortController()
    const waits = errorOf(producer.send('x', { signal: early.signal }))
    const goes = errorOf(producer.send('y', { signal: late.signal }))
    early.abort()
    expect(await waits).toMatchObject({ code: 'COMET_CANCELLED', outcome: 'not-executed' })
    await line.open()
    const [, rid, , , , body] = line.sent(Kind.SEND)[0]!
    expect(new TextDecoder().decode(body)).toBe('y')
    late.abort()
    expect(await goes).toMatchObject({ code: 'COMET_CANCELLED', outcome: 'unknown' })
    expect(line.sent(Kind.CANCEL)).toEqual([[Kind.CANCEL, rid]])
    expect(await errorOf(producer.send('z', { signal: early.signal }))).toMatchObject({ outcome: 'not-executed' })
    await line.receipts(rid)
  })
})

describe('batches', () => {
  it('one result each, failures among them', async () => {
    const { line, producer } = await open()
    const done = producer.sendBatch([{ value: 'one' }, { value: 'two', tag: 'zzz' as 'a' }, { value: 'three' }])
    await settle()
    const [, rid, , , entries] = line.sent(Kind.SENDB)[0]!
    expect(entries).toHaveLength(2)
    await line.give([Kind.RECEIPT, [[rid + 1, 50400, null, 0, 0]]])
    await line.receipts(rid)
    const [first, second, third] = await done
    expect(first).toMatchObject({ queue: 0 })
    expect(second).toMatchObject({ code: 'COMET_ILLEGAL_TAG', outcome: 'not-executed' })
    expect(third).toMatchObject({ code: 'COMET_BROKER_TIMEOUT', outcome: 'unknown' })
  })

  it('atomic: one frame of its own, nothing when one of them is refused', async () => {
    const { line, producer } = await open()
    void producer.send('before')
    const done = producer.sendBatch([{ value: 'one' }, { value: 'two' }], { atomic: true })
    void producer.send('after')
    const broken = producer.sendBatch([{ value: 'one' }, { value: 'two', keys: ['a b'] }], { atomic: true })
    await settle()
    expect(line.sent(Kind.SENDB).map(frame => [frame[3] & Flag.atomic, frame[4].length])).toEqual([[Flag.atomic, 2]])
    expect(line.sent(Kind.SEND)).toHaveLength(2)
    const rid = line.sent(Kind.SENDB)[0]![1]
    await line.receipts(rid, rid + 1)
    expect(await done).toHaveLength(2)
    const [first, second] = await broken
    expect(first).toMatchObject({ outcome: 'not-executed' })
    expect(second).toMatchObject({ code: 'COMET_ILLEGAL_KEY' })
  })

  it('atomic: waits for room for all of it; larger than the window fails', async () => {
    const { line, producer } = await open()
    const pid = line.bridge.socket.hello.producers![0]![1]
    for (let n = 0; n < 255; n++) void producer.send('x')
    void producer.sendBatch([{ value: 'one' }, { value: 'two' }], { atomic: true })
    await settle()
    expect(line.sent(Kind.SENDB).map(frame => frame[4].length)).toEqual([255])
    await line.receipts(line.sent(Kind.SENDB)[0]![1])
    await line.give([Kind.PLIMIT, pid, 257, 4_194_304])
    expect(line.sent(Kind.SENDB).map(frame => frame[4].length)).toEqual([255, 2])
    const large = producer.sendBatch(
      Array.from({ length: 300 }, () => ({ value: 'x' })),
      { atomic: true },
    )
    await line.clock.advanceAsync(0)
    expect(await large).toHaveLength(300)
    expect((await large)[7]).toMatchObject({ code: 'COMET_INVALID_ARGUMENT', outcome: 'not-executed' })
  })
})

describe('resume', () => {
  const bodies = (line: Line): string[] =>
    [
      ...line.sent(Kind.SEND).map(frame => frame[5]),
      ...line.sent(Kind.SENDB).flatMap(frame => frame[4].map(entry => entry[1])),
    ].map(body => new TextDecoder().decode(body))

  it('hot: repeats what has no answer under its ids, without a mark; gaps split the frame', async () => {
    const { line, producer } = await open()
    const sends = ['a', 'b', 'c', 'd', 'e'].map(value => producer.send(value))
    await settle()
    const rid = line.sent(Kind.SENDB)[0]![1]
    await line.receipts(rid, rid + 2)
    await line.reopen(2)
    expect(line.sent(Kind.SEND).map(frame => [frame[1], frame[3]])).toEqual([[rid + 1, Flag.text]])
    expect(line.sent(Kind.SENDB).map(frame => [frame[1], frame[3], frame[4].length])).toEqual([[rid + 3, Flag.text, 2]])
    await line.receipts(rid + 1, rid + 3, rid + 4)
    expect(await Promise.all(sends)).toHaveLength(5)
  })

  it('cold and none: marked as possible duplicates, counted anew', async () => {
    for (const how of [0, 1] as const) {
      const { line, producer } = await open()
      for (const value of ['a', 'b']) void producer.send(value)
      await settle()
      await line.reopen(how)
      expect(line.sent(Kind.SENDB)[0]![3]).toBe(Flag.text | Flag.resent)
      void producer.send('c')
      await settle()
      expect(line.sent(Kind.SEND)[0]![3]).toBe(Flag.text)
      expect(producer.window.messages).toBe(253)
    }
  })

  it('waits when the window of the new session is smaller than what has to be repeated', async () => {
    const { line, producer } = await open()
    void producer.send('first')
    await settle()
    await line.clock.advanceAsync(0)
    void producer.send('second')
    void producer.send('third')
    await settle()
    line.bridge.socket.cut()
    await line.clock.advanceAsync(20_000)
    line.bridge.socket.accept()
    await settle()
    const [rid, pid] = line.bridge.socket.hello.producers![0]!
    line.bridge.socket.welcome({ resumed: 1, results: [[Kind.OK, rid, { limit: [2, 1_000] }]] })
    await settle()
    expect(bodies(line)).toEqual(['first', 'second'])
    await line.receipts(...line.sent(Kind.SEND).map(frame => frame[1]))
    await line.give([Kind.PLIMIT, pid, 4, 1_000])
    expect(bodies(line)).toEqual(['first', 'second', 'third'])
    expect(line.sent(Kind.SEND).every(frame => (frame[3] & Flag.resent) !== 0)).toBe(true)
  })

  it('none, not idempotent: unknown instead of twice', async () => {
    const { line, producer } = await open({ idempotent: false })
    const lost = errorOf(producer.send('a'))
    await settle()
    await line.reopen(0)
    expect(await lost).toMatchObject({ code: 'COMET_CONNECTION_LOST', outcome: 'unknown' })
    expect(bodies(line)).toEqual([])
    await line.reopen(0)
  })

  it('oneway messages that were lost with the socket do not use up the window', async () => {
    const { line, producer } = await open()
    for (let n = 0; n < 10; n++) producer.oneway(`o${n}`)
    void producer.send('kept')
    await settle()
    const [popen] = line.bridge.socket.hello.producers!
    // Of eleven the bridge saw the first four.
    line.bridge.socket.cut()
    await line.clock.advanceAsync(20_000)
    line.bridge.socket.accept()
    await settle()
    const rid = line.bridge.socket.hello.producers![0]![0]
    line.bridge.socket.welcome({ resumed: 2, results: [[Kind.OK, rid, { limit: [256, 4_194_304], accepted: [4, 8] }]] })
    await settle()
    expect(bodies(line)).toEqual(['kept'])
    expect(producer.window).toEqual({ messages: 251, bytes: 4_194_304 - 8 - 4 })
    expect(popen![2]).toBe('notes')
  })
})

describe('life', () => {
  it('ready, refusal, close', async () => {
    const line = new Line()
    const producer = createProducer(line.core, notes)
    const waiting = errorOf(producer.send('x'))
    const ready = errorOf(producer.ready())
    line.bridge.socket.accept()
    await settle()
    const rid = line.bridge.socket.hello.producers![0]![0]
    line.bridge.socket.welcome({ results: [[Kind.ERR, rid, 40402, 'no topic notes', {}]] })
    expect(await ready).toMatchObject({ code: 'COMET_TOPIC_NOT_FOUND' })
    expect(await waiting).toMatchObject({ code: 'COMET_TOPIC_NOT_FOUND', outcome: 'not-executed' })
    expect((await errorOf(producer.send('y'))).code).toBe('COMET_TOPIC_NOT_FOUND')
  })

  it('flush waits for outcomes, dispose detaches', async () => {
    const { line, producer } = await open()
    const sent = producer.send('x')
    let flushed = false
    const flush = producer.flush().then(() => (flushed = true))
    await settle()
    expect(flushed).toBe(false)
    await line.receipts(line.sent(Kind.SEND)[0]![1])
    await flush
    await sent
    const open1 = errorOf(producer.send('y'))
    await settle()
    const disposed = producer[Symbol.asyncDispose]()
    expect((await errorOf(producer.send('z'))).code).toBe('COMET_CLOSED')
    await line.clock.advanceAsync(5_000)
    await disposed
    expect(await open1).toMatchObject({ code: 'COMET_CLOSED', outcome: 'unknown' })
  })

  it('writable pushes back when the queue is long, and fails with a send', async () => {
    const { line, producer } = await open()
    const writer = producer.writable().getWriter()
    let written = 0
    for (let n = 0; n < 400; n++) void writer.write({ value: 'x' }).then(() => written++)
    for (let turn = 0; turn < 20; turn++) await line.clock.advanceAsync(1)
    expect(written).toBe(256 + 63)
    const rid = line.sent(Kind.SEND).concat(line.sent(Kind.SENDB) as never[])[0]![1]
    await line.receipts(...Array.from({ length: 200 }, (_, n) => rid + n))
    await line.give([Kind.PLIMIT, line.bridge.socket.hello.producers![0]![1], 456, 4_194_304])
    for (let turn = 0; turn < 20; turn++) await line.clock.advanceAsync(1)
    expect(written).toBe(400)
    await line.give([Kind.RECEIPT, [[rid + 200, 50392, null, 0, 0]]])
    expect((await errorOf(writer.closed)).code).toBe('COMET_STORE_REFUSED')
  })
})
