import { offsetMessageIdsOf, ResponseCode, type Peer, type Reply } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AckGate, type AckGateOptions } from '../../src/delivery/ack-gate.ts'
import type { PutResult } from '../../src/store/types.ts'

const HOST = Buffer.from([10, 0, 0, 1, 0, 0, 0x2a, 0x9f])

function setUp(options: Partial<AckGateOptions> = {}) {
  const clock = new FakeClock()
  let progress = (_written: number, _synced: number): void => {}
  let rollback = (_position: number, _reason: string): void => {}
  const gate = new AckGate({
    store: {
      onProgress: listener => (progress = listener),
      onRollback: listener => (rollback = listener),
    },
    clock,
    messageIdOf: offsetMessageIdsOf(HOST),
    config: { regionId: 'DefaultRegion', traceOn: true },
    ...options,
  })
  const answers: [number, Reply][] = []
  const peer = { closed: false, respond: (opaque: number, reply: Reply) => answers.push([opaque, reply]) } as unknown as Peer
  const add = (opaque: number, start: number, end: number, mustBeSynced = false, physicalOffsets: number[] = []): void =>
    gate.add(peer, opaque, put(start, end, physicalOffsets), { queueId: 3, transactionId: 'A1', mustBeSynced })
  return {
    gate,
    clock,
    peer,
    answers,
    add,
    codes: () => answers.map(([opaque, reply]) => [opaque, reply.code]),
    progress: (written: number, synced: number) => progress(written, synced),
    rollback: (position: number, reason: string) => rollback(position, reason),
  }
}

const put = (physicalOffset: number, endOffset: number, physicalOffsets: number[]): PutResult => ({
  status: 'PUT_OK',
  reason: '',
  physicalOffset,
  queueOffset: 7,
  endOffset,
  storeTimestamp: 0,
  physicalOffsets,
})

describe('acknowledgement gate', () => {
  it('answers when the log is written, or synced where that was asked for', () => {
    const { add, progress, codes, gate } = setUp()
    add(1, 0, 100)
    add(2, 100, 200, true)
    add(3, 200, 300)
    progress(99, 0)
    expect(codes()).toEqual([])
    progress(300, 150)
    expect(codes()).toEqual([[1, 0]])
    progress(300, 300)
    expect(codes()).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
    ])
    expect(gate.waiting).toBe(0)
  })

  it('fills the whole header, and joins the ids of a batch', () => {
    const { add, progress, answers } = setUp()
    add(1, 4096, 4200)
    add(2, 4200, 4400, false, [4200, 4300])
    progress(4400, 4400)
    expect(answers[0]![1]).toEqual({
      code: ResponseCode.SUCCESS,
      remark: null,
      ext: {
        msgId: '0A00000100002A9F0000000000001000',
        queueId: '3',
        queueOffset: '7',
        transactionId: 'A1',
        MSG_REGION: 'DefaultRegion',
        TRACE_ON: 'true',
      },
    })
    expect(answers[1]![1].ext?.['msgId']).toBe('0A00000100002A9F0000000000001068,0A00000100002A9F00000000000010CC')
  })

  it('answers FLUSH_DISK_TIMEOUT with the header after five seconds, and nothing twice', () => {
    const { add, progress, codes, answers, clock } = setUp()
    add(1, 0, 100, true)
    clock.advance(3000)
    add(2, 100, 200, true)
    clock.advance(2000)
    expect(codes()).toEqual([[1, ResponseCode.FLUSH_DISK_TIMEOUT]])
    expect(answers[0]![1].ext).toMatchObject({ queueOffset: '7', msgId: expect.any(String) as string })
    progress(200, 200)
    expect(codes()).toEqual([
      [1, ResponseCode.FLUSH_DISK_TIMEOUT],
      [2, ResponseCode.SUCCESS],
    ])
    clock.advance(10_000)
    expect(codes()).toHaveLength(2)
  })

  it('answers what was rolled back with the reason, in order, and goes on behind it', () => {
    const { add, progress, rollback, codes, answers } = setUp()
    add(1, 0, 100)
    add(2, 100, 200)
    add(3, 200, 300)
    rollback(100, 'No space left on device')
    expect(codes()).toEqual([
      [2, ResponseCode.SERVICE_NOT_AVAILABLE],
      [3, ResponseCode.SERVICE_NOT_AVAILABLE],
    ])
    expect(answers[0]![1].remark).toBe('No space left on device')
    add(4, 100, 250)
    progress(250, 250)
    expect(codes().slice(2)).toEqual([
      [1, ResponseCode.SUCCESS],
      [4, ResponseCode.SUCCESS],
    ])
  })

  it('refuses more than its limits, and says which', () => {
    const few = setUp({ maxWaitingReplies: 2 })
    few.add(1, 0, 10)
    expect(few.gate.overloaded()).toBeNull()
    few.add(2, 10, 20)
    expect(few.gate.overloaded()).toContain('the limit is 2')
    few.progress(20, 20)
    expect(few.gate.overloaded()).toBeNull()

    const small = setUp({ maxUnwrittenBytes: 1000, startPosition: 5000 })
    small.gate.appended(5999)
    expect(small.gate.overloaded()).toBeNull()
    small.gate.appended(6000)
    expect(small.gate.overloaded()).toContain('1000 bytes')
    small.rollback(5000, 'full')
    expect(small.gate.overloaded()).toBeNull()
  })

  it('does not answer closed links, and tells when it is empty', async () => {
    const { add, progress, peer, answers, gate } = setUp()
    add(1, 0, 10)
    const drained = gate.drained()
    ;(peer as { closed: boolean }).closed = true
    progress(10, 10)
    await drained
    expect(answers).toEqual([])
  })

  it('answers each send exactly once, in order, whatever the progress (any sizes, growing past its first capacity)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.boolean(), fc.boolean()), { minLength: 1, maxLength: 4000 }),
        steps => {
          const { add, progress, answers, gate } = setUp()
          let end = 0
          steps.forEach(([size, mustBeSynced, advance], i) => {
            add(i, end, (end += size), mustBeSynced)
            if (advance && i % 97 === 0) progress(end, end - size)
          })
          progress(end, end)
          expect(answers.map(([opaque]) => opaque)).toEqual(steps.map((_, i) => i))
          expect(gate.waiting).toBe(0)
        },
      ),
      { numRuns: 30 },
    )
  })
})
