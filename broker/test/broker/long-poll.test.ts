import { silentLogger, type Peer } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { LongPoll, type LongPollOptions, type ParkedPull } from '../../src/delivery/long-poll.ts'

interface TestPull extends ParkedPull {
  name: string
}

function setUp(options: Partial<LongPollOptions<TestPull>> = {}) {
  const clock = new FakeClock()
  const runs: string[] = []
  const watched: string[] = []
  const stays = new Set<string>()
  const poll = new LongPoll<TestPull>({
    clock,
    logger: silentLogger,
    watch: (topic, queueId) => watched.push(`${topic}-${queueId}`),
    rerun: (pull, timeUp) => {
      runs.push(pull.name + (timeUp ? ' late' : ''))
      return !timeUp && stays.has(pull.name)
    },
    ...options,
  })
  const closers: (() => void)[] = []
  let peers = 0
  const newPeer = (): Peer =>
    ({ id: ++peers, closed: false, onClose: (listener: () => void) => closers.push(listener) }) as unknown as Peer
  const peer = newPeer()
  const pull = (name: string, topic = 'T', queueId = 0, holdMs = 1000, from = peer): TestPull => ({
    name,
    topic,
    queueId,
    peer: from,
    deadline: clock.monotonic() + holdMs,
  })
  return { poll, clock, runs, watched, stays, pull, newPeer, closers }
}

describe('long polling', () => {
  it('runs the pulls of the queue with news, and no others', () => {
    const { poll, runs, pull, watched } = setUp()
    poll.park(pull('a'))
    poll.park(pull('b'))
    poll.park(pull('c', 'T', 1))
    poll.park(pull('d', 'U'))
    expect(watched).toEqual(['T-0', 'T-0', 'T-1', 'U-0'])
    poll.arrived('T', 0)
    expect(runs).toEqual(['a', 'b'])
    expect(poll.parked).toBe(2)
    poll.arrived('T', 0)
    poll.arrived('unknown', 0)
    expect(runs).toEqual(['a', 'b'])
    expect(watched).toHaveLength(5)
  })

  it('keeps what still finds nothing, watching the queue again', () => {
    const { poll, runs, pull, stays, watched, clock } = setUp()
    stays.add('a')
    poll.park(pull('a'))
    poll.arrived('T', 0)
    expect(poll.parked).toBe(1)
    expect(watched).toEqual(['T-0', 'T-0'])
    clock.advance(1000)
    expect(runs).toEqual(['a', 'a late'])
    expect(poll.parked).toBe(0)
  })

  it('answers each pull when its own time is up, and then keeps no timer', () => {
    const { poll, runs, pull, clock } = setUp()
    poll.park(pull('slow', 'T', 0, 5000))
    poll.park(pull('fast', 'T', 0, 100))
    clock.advance(99)
    expect(runs).toEqual([])
    clock.advance(51)
    expect(runs).toEqual(['fast late'])
    clock.advance(5000)
    expect(runs).toEqual(['fast late', 'slow late'])
    expect(clock.pending).toBe(0)
  })

  it('refuses beyond its limits', () => {
    const { poll, pull } = setUp({ maxParkedPulls: 3, maxParkedPullsPerQueue: 2 })
    expect([poll.park(pull('a')), poll.park(pull('b')), poll.park(pull('c'))]).toEqual([true, true, false])
    expect([poll.park(pull('d', 'T', 1)), poll.park(pull('e', 'T', 2))]).toEqual([true, false])
    expect(poll.parked).toBe(3)
  })

  it('forgets the pulls of a closed link', () => {
    const { poll, runs, pull, closers, newPeer } = setUp()
    poll.park(pull('a'))
    poll.park(pull('b', 'T', 1))
    poll.park(pull('other', 'T', 0, 1000, newPeer()))
    expect(closers).toHaveLength(2)
    closers[0]!()
    expect(poll.parked).toBe(1)
    poll.arrived('T', 0)
    poll.arrived('T', 1)
    expect(runs).toEqual(['other'])
  })

  it('runs a pull again when news came while it was reading from disk', async () => {
    const reads: ((stays: boolean) => void)[] = []
    const { poll, pull } = setUp({ rerun: () => new Promise<boolean>(resolve => reads.push(resolve)) })
    poll.park(pull('a'))
    poll.arrived('T', 0)
    poll.arrived('T', 0)
    expect(reads).toHaveLength(1)
    reads[0]!(true)
    await Promise.resolve()
    await Promise.resolve()
    expect(reads).toHaveLength(2)
    reads[1]!(false)
    await Promise.resolve()
    await Promise.resolve()
    expect(poll.parked).toBe(0)
  })

  it('answers everything when it closes, and takes nothing any more', () => {
    const { poll, runs, pull } = setUp()
    poll.park(pull('a'))
    poll.close()
    expect(runs).toEqual(['a late'])
    expect(poll.park(pull('b'))).toBe(false)
  })
})
