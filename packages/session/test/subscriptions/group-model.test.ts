import { type Entry, Kind } from '@cometmq/protocol'
import { FakeClock } from '@cometmq/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSubscriptions } from '../../src/subscriptions/create.ts'
import { FakeClient, groupSpec } from './client.ts'
import { FakeCluster } from './fake-cluster.ts'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

type Step =
  | { readonly do: 'put'; readonly count: number; readonly size: number }
  | { readonly do: 'ack' | 'nack' | 'extend'; readonly from: number; readonly count: number }
  | { readonly do: 'limit' | 'wait' | 'lose' | 'fail'; readonly amount: number }
  | { readonly do: 'stick' | 'free' }

const amount = fc.nat({ max: 40 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('put' as const), count: fc.integer({ min: 1, max: 30 }), size: fc.constantFrom(1, 100, 5_000) }),
  fc.record({
    do: fc.constantFrom('ack' as const, 'ack' as const, 'nack' as const, 'extend' as const),
    from: amount,
    count: amount,
  }),
  fc.record({ do: fc.constantFrom('limit' as const, 'wait' as const, 'lose' as const, 'fail' as const), amount }),
  fc.record({ do: fc.constantFrom('stick' as const, 'free' as const) }),
)

/** What a client must see: checked with every delivery. */
class Model {
  readonly clock = new FakeClock()
  readonly cluster = new FakeCluster(this.clock)
  readonly client = new FakeClient()
  readonly subscriptions = createSubscriptions({
    cluster: this.cluster,
    clock: this.clock,
    logger: silent,
    limits: { maxAttempts: 1e9 },
  })
  limit = 20
  bytes = 60_000
  /** Highest seq seen without a gap; entries or lost ones. */
  seen = 0
  /** seq → what was delivered under it, by id and attempt. */
  readonly bySeq = new Map<number, string>()
  readonly seqOf = new Map<string, number>()
  readonly open = new Set<number>()
  readonly lost = new Set<number>()
  /** Highest seq that the client has settled: it has all up to there. */
  settled = 0
  #read = 0

  async settle(): Promise<void> {
    for (let turn = 0; turn < 4; turn++) {
      await this.clock.advanceAsync(0)
      this.look()
    }
  }

  look(): void {
    const { frames } = this.client
    for (; this.#read < frames.length; this.#read++) {
      const frame = frames[this.#read]!
      if (frame[0] === Kind.DELIVER) frame[3].forEach((entry, index) => this.#delivered(frame[2] + index, entry))
      else if (frame[0] === Kind.LEASE) {
        for (let index = 0; index < frame[2].length; index += 2) {
          for (let seq = frame[2][index]!; seq <= frame[2][index + 1]!; seq++) this.#lost(seq)
        }
      }
    }
  }

  #delivered(seq: number, entry: Entry): void {
    expect(seq).toBe(this.seen + 1)
    expect(seq).toBeLessThanOrEqual(this.limit)
    this.seen = seq
    const what = `${entry[3]} ${entry[5]}`
    // The same attempt comes twice only under the same seq.
    if (this.seqOf.has(what)) expect(this.seqOf.get(what)).toBe(seq)
    if (this.bySeq.has(seq)) expect(this.bySeq.get(seq)).toBe(what)
    this.seqOf.set(what, seq)
    this.bySeq.set(seq, what)
    this.open.add(seq)
    this.#pass()
  }

  /** What was lost counts as seen. */
  #pass(): void {
    while (this.lost.has(this.seen + 1)) this.seen++
  }

  #lost(seq: number): void {
    this.open.delete(seq)
    this.lost.add(seq)
    this.#pass()
  }

  /** The socket is gone, and with it what was sent after some seq. */
  async resume(lost: number): Promise<void> {
    const { subscription } = this.client
    subscription!.detach()
    this.look()
    const last = Math.max(this.settled, this.seen - lost)
    this.seen = last
    for (const seq of [...this.open]) if (seq > last) this.open.delete(seq)
    subscription!.attach(last)
    await this.settle()
  }

  settledBy(seq: number): void {
    this.open.delete(seq)
    this.settled = Math.max(this.settled, seq)
  }

  pick(from: number, count: number): number[] {
    const open = [...this.open].sort((a, b) => a - b)
    return open.slice(from % (open.length + 1), (from % (open.length + 1)) + count)
  }
}

describe('group: against a model', () => {
  it('nothing is lost, nothing comes twice under another seq without another attempt', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async steps => {
        const model = new Model()
        const { client, cluster, clock, subscriptions } = model
        cluster.createTopic('T', 3)
        const spec = groupSpec({ leaseMs: 5_000, limit: [model.limit, model.bytes] })
        client.subscription = (await subscriptions.open(client, 1, spec)).subscription
        const subscription = client.subscription
        const ids = new Set<string>()
        await model.settle()
        const put = (count: number, size: number): void => {
          for (let index = 0; index < count; index++) {
            ids.add(cluster.put({ topic: 'T', queueId: index % 3, body: new Uint8Array(size) }).msgId)
          }
        }
        const ackedOf = (seqs: readonly number[]): number[] => seqs.flatMap(seq => [seq, seq])
        for (const now of steps) {
          switch (now.do) {
            case 'put':
              put(now.count, now.size)
              break
            case 'ack':
            case 'nack':
            case 'extend': {
              const seqs = model.pick(now.from, now.count)
              if (now.do === 'ack') subscription.ack(ackedOf(seqs), false)
              else if (now.do === 'nack') subscription.nack(ackedOf(seqs), 0, undefined)
              else subscription.extend(ackedOf(seqs), 3_000)
              if (now.do !== 'extend') for (const seq of seqs) model.settledBy(seq)
              break
            }
            case 'limit':
              model.limit += now.amount
              model.bytes += now.amount * 3_000
              subscription.limit(model.limit, model.bytes)
              break
            case 'wait':
              await clock.advanceAsync(now.amount * 100)
              break
            case 'lose':
              await model.resume(now.amount % 8)
              break
            case 'fail':
              cluster.failures[(['pop', 'ack', 'change'] as const)[now.amount % 3]!].push('E_TIMEOUT')
              break
            case 'stick':
              client.stuck = true
              break
            case 'free':
              client.unstick()
          }
          await model.settle()
          const held = cluster.group('G').leases.size
          expect(subscription.outstanding).toBeLessThanOrEqual(held + ids.size)
        }
        // A client that works again gets everything.
        client.unstick()
        cluster.failures.pop.length = cluster.failures.ack.length = cluster.failures.change.length = 0
        subscription.limit((model.limit = 1e9), 1e12)
        for (let round = 0; round < 40 && cluster.group('G').done.size < ids.size; round++) {
          await clock.advanceAsync(1_000)
          cluster.wake()
          await model.settle()
          subscription.ack(ackedOf([...model.open].sort((a, b) => a - b)), false)
          for (const seq of model.open) model.settledBy(seq)
          await model.settle()
        }
        expect([...cluster.group('G').done].sort()).toEqual([...ids].sort())
        const closing = subscriptions.close()
        await clock.advanceAsync(2_000)
        await closing
      }),
      { numRuns: 60 },
    )
  })
})
