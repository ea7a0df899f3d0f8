import { Kind } from '@cometmq/protocol'
import { FakeClock } from '@cometmq/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSubscriptions } from '../../src/subscriptions/create.ts'
import { broadcastSpec, FakeClient } from './client.ts'
import { FakeCluster } from './fake-cluster.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const queues = 2

type Step = {
  readonly do: 'put' | 'limit' | 'wait' | 'lose' | 'ack' | 'stick' | 'free' | 'fail' | 'expire'
  readonly who: number
  readonly amount: number
}
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('put', 'put', 'limit', 'wait', 'lose', 'ack', 'stick', 'free', 'fail', 'expire'),
  who: fc.nat({ max: 2 }),
  amount: fc.nat({ max: 60 }),
})

/** One subscriber: which offsets of each queue it has accounted for, delivered or told as left out. */
class Model extends FakeClient {
  limit = 30
  seen = 0
  acked = 0
  #read = 0
  /** By queue: offset → seq it came under (0: told by GAP). */
  offsets = Array.from({ length: queues }, () => new Map<number, number>())

  look(): void {
    for (; this.#read < this.frames.length; this.#read++) {
      const frame = this.frames[this.#read]!
      if (frame[0] === Kind.GAP) {
        for (let offset = frame[3]; offset < frame[4]; offset++) {
          const known = this.offsets[frame[2]]!
          if (!known.has(offset)) known.set(offset, 0)
        }
      }
      if (frame[0] !== Kind.DELIVER) continue
      frame[3].forEach((entry, index) => {
        expect(frame[2] + index).toBe(this.seen + 1)
        this.seen++
        expect(this.seen).toBeLessThanOrEqual(this.limit)
        const known = this.offsets[entry[1]]!
        // Each comes once, and in order of its queue.
        expect(known.get(entry[2]) ?? 0).toBe(0)
        expect(Math.max(-1, ...[...known].filter(([, seq]) => seq > 0).map(([offset]) => offset))).toBeLessThan(entry[2])
        known.set(entry[2], this.seen)
      })
    }
  }

  /** The socket is gone, and with it what was sent after some seq. */
  resume(lost: number): void {
    this.look()
    const last = Math.max(this.acked, this.seen - lost)
    this.subscription!.detach()
    for (const known of this.offsets) for (const [offset, seq] of known) if (seq > last) known.delete(offset)
    const unseen = this.seen - last
    this.seen = last
    expect(this.subscription!.attach(last)).toBe(unseen)
  }
}

describe('broadcast: against a model', () => {
  it('every offset is delivered once, in order, or told as a gap', async () => {
    const policies = ['pause', 'drop-oldest', 'latest-per-key'] as const
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
        const clock = new FakeClock()
        const cluster = new FakeCluster(clock)
        cluster.createTopic('T', queues)
        const limits = { ringBytes: 3_000, catchUpBytes: 2_000, readMessages: 16, keepMessages: 20, keepBytes: 1_500 }
        const subscriptions = createSubscriptions({ cluster, clock, logger: silent, limits })
        const clients: Model[] = []
        for (const slow of policies) {
          const client = new Model()
          client.subscription = (
            await subscriptions.open(client, 1, broadcastSpec({ slow, limit: [client.limit, 1e9] }))
          ).subscription
          clients.push(client)
        }
        const counts = Array.from({ length: queues }, () => 0)
        const minima = Array.from({ length: queues }, () => 0)
        const settle = async (): Promise<void> => {
          for (let turn = 0; turn < 4; turn++) await clock.advanceAsync(0)
          for (const client of clients) client.look()
        }
        await settle()
        for (const { do: action, who, amount } of steps) {
          const client = clients[who]!
          if (action === 'put') {
            for (let index = 0; index < amount; index++) {
              const queueId = index % queues
              cluster.put({ topic: 'T', queueId, properties: { KEYS: `k${index % 5}` } })
              counts[queueId]!++
            }
          } else if (action === 'limit') client.subscription!.limit((client.limit += amount), 1e9)
          else if (action === 'wait') await clock.advanceAsync(amount * 300)
          else if (action === 'lose') client.resume(amount)
          else if (action === 'ack')
            client.subscription!.ack([1, (client.acked = Math.max(client.acked, client.seen - amount))], false)
          else if (action === 'stick') client.stuck = true
          else if (action === 'free') client.unstick()
          else if (action === 'fail') cluster.failures.read.push('E_TIMEOUT')
          else {
            const queueId = amount % queues
            minima[queueId] = Math.max(minima[queueId]!, counts[queueId]! - amount)
            cluster.expire('T', queueId, minima[queueId])
          }
          await settle()
        }
        cluster.failures.read.length = 0
        for (const client of clients) {
          client.unstick()
          client.subscription!.limit((client.limit = 1e9), 1e12)
        }
        for (let queueId = 0; queueId < queues; queueId++) {
          cluster.put({ topic: 'T', queueId, properties: { KEYS: 'last' } })
          counts[queueId]!++
        }
        for (let round = 0; round < 30; round++) {
          await clock.advanceAsync(1_000)
          await settle()
        }
        clients.forEach((client, index) => {
          for (let queueId = 0; queueId < queues; queueId++) {
            const known = [...client.offsets[queueId]!.keys()].sort((a, b) => a - b)
            // The newest is never left out, and a subscriber that pauses misses only what the broker has deleted.
            expect(client.offsets[queueId]!.get(counts[queueId]! - 1)).toBeGreaterThan(0)
            if (policies[index] === 'pause') expect(client.of(Kind.GAP).every(frame => frame[5] === 'expired')).toBe(true)
            expect(known, `${policies[index]!} queue ${queueId}`).toEqual(
              Array.from({ length: counts[queueId]! }, (_, offset) => offset),
            )
          }
        })
        await subscriptions.close()
      }),
      { numRuns: 60 },
    )
  })
})
