import type { MessageQueue, ReadResult, StoredMessage } from '@cometmq/cluster'
import type { Entry } from '@cometmq/protocol'
import { entryOf } from '../entries.ts'
import { isLasting, type Shared, textOf } from '../shared.ts'
import { EntryBatch } from './entry-batch.ts'
import { OlderBatches } from './older-batches.ts'

/** A subscriber's place in a queue, waiting for what comes. */
export interface Waiter {
  offset: number
  /** The read it waits for, the feed's own business. */
  waitsFor: object | undefined
  /** False: nobody is there to take anything. */
  readonly isAlive: boolean
  /** There may be something at `offset` now. */
  arrived(): void
  /** Reading does not work (`why`), or works again (undefined). */
  trouble(why: string | undefined): void
  failed(error: unknown): void
}

/** A request that is under way, or will be repeated, and who waits for it. */
interface Reading {
  readonly offset: number
  waiters: Waiter[]
  failures: number
  begun: boolean
}

const newReading = (offset: number): Reading => ({ offset, waiters: [], failures: 0, begun: false })

/** What all feeds keep together. */
export interface RingBudget {
  bytes: number
}

const batchMessages = 64
const batchBytes = 32 * 1024
/** Reads of older places at a time. */
const maxCatchUps = 8
const maxRingBatches = 1024
/** A wanted offset so far beyond what was read is not waited for by reading on. */
const farMessages = 4096

/**
 * Reads one queue for all that subscribe to it with the same tags. The newest batches (the ring) are read as they come, as long as somebody
 * waits for more; subscribers behind it share reads of older ones where they happen to be close together.
 */
export class Feed {
  readonly queue: MessageQueue
  readonly number: number
  readonly #shared: Shared
  readonly #expression: string
  readonly #budget: RingBudget
  readonly #abort = new AbortController()
  /** Contiguous, up to `#end`. */
  readonly #ring: EntryBatch[] = []
  #ringBytes = 0
  /** Where the ring goes on; undefined before the first subscriber. */
  #end: number | undefined
  #tail: Reading | undefined
  readonly #older: OlderBatches
  /** In the order they were wanted; the first few are under way. */
  readonly #catchUps = new Set<Reading>()
  /** As the last answers told. */
  minOffset = 0
  maxOffset = 0
  /** There was an answer. */
  hasRead = false
  users = 0

  constructor(shared: Shared, budget: RingBudget, queue: MessageQueue, expression: string) {
    this.#shared = shared
    this.#budget = budget
    this.queue = queue
    this.#expression = expression
    this.#older = new OlderBatches(shared.clock, shared.limits.catchUpBytes)
    this.number = shared.numbers.of(queue.brokerName, queue.queueId)
  }

  /** Bytes of messages kept. */
  get bytes(): number {
    return this.#ringBytes + this.#older.bytes
  }

  /** The batch that covers an offset, when it is here. */
  get(offset: number): EntryBatch | undefined {
    const ring = this.#ring
    const last = ring[ring.length - 1]
    if (last !== undefined && offset >= ring[0]!.from) {
      if (offset >= last.next) return undefined
      if (offset >= last.from) return last
      let low = 0
      let high = ring.length - 1
      while (low < high) {
        const middle = (low + high) >> 1
        if (ring[middle]!.next <= offset) low = middle + 1
        else high = middle
      }
      return ring[low]
    }
    return this.#older.find(offset)
  }

  /** There is nothing at the waiter's offset: it is told when there may be. */
  want(waiter: Waiter): void {
    const { offset } = waiter
    this.#end ??= offset
    if (offset > this.#end && (this.#tail === undefined || offset - this.#end > farMessages)) this.#jump(offset)
    if (offset >= this.#end) {
      if (this.#tail === undefined) this.#begin((this.#tail = newReading(this.#end)))
      this.#wait(this.#tail, waiter)
      return
    }
    const { readMessages } = this.#shared.limits
    for (const reading of this.#catchUps) {
      if (offset >= reading.offset && offset < reading.offset + readMessages) return this.#wait(reading, waiter)
    }
    const reading = newReading(offset)
    this.#catchUps.add(reading)
    this.#wait(reading, waiter)
    this.#beginCatchUps()
  }

  close(): void {
    this.#abort.abort()
    this.#older.close()
    this.#budget.bytes -= this.#ringBytes
  }

  #wait(reading: Reading, waiter: Waiter): void {
    if (waiter.waitsFor === reading) return
    waiter.waitsFor = reading
    reading.waiters.push(waiter)
  }

  /** Nobody reads at the end of the ring any more: it starts anew. */
  #jump(offset: number): void {
    this.#drop(this.#ring.length)
    this.#end = offset
    if (this.#tail === undefined) return
    // Those who wait for the old place wait on, as for any older one.
    this.#catchUps.add(this.#tail)
    this.#tail = undefined
  }

  #begin(reading: Reading): void {
    reading.begun = true
    void this.#read(reading)
  }

  #beginCatchUps(): void {
    let count = 0
    for (const reading of this.#catchUps) {
      if (++count > maxCatchUps) return
      if (!reading.begun) this.#begin(reading)
    }
  }

  async #read(reading: Reading): Promise<void> {
    const { reader, limits, clock } = this.#shared
    const { queue } = this
    const signal = this.#abort.signal
    const began = clock.monotonic()
    let result: ReadResult
    try {
      result = await reader.read({
        queue,
        offset: reading.offset,
        maxMessages: limits.readMessages,
        maxBytes: limits.readBytes,
        holdMs: reading === this.#tail ? limits.holdMs : 0,
        expression: this.#expression,
        signal,
      })
    } catch (error) {
      if (!signal.aborted) this.#failed(reading, error)
      return
    }
    if (signal.aborted) return
    if (reading.failures > 0) for (const waiter of reading.waiters) waiter.trouble(undefined)
    reading.failures = 0
    this.hasRead = true
    this.minOffset = Math.max(this.minOffset, result.minOffset)
    this.maxOffset = Math.max(this.maxOffset, result.maxOffset)
    if (result.status === 'offset-moved') this.#moved(reading, result)
    else if (result.nextOffset > reading.offset) this.#take(reading, result, clock.now())
    else if (reading === this.#tail || result.maxOffset > reading.offset) return this.#again(reading, clock.monotonic() - began)
    // The ring is ahead of the queue: the broker has lost its end.
    else this.#jump(reading.offset)
    this.#done(reading)
  }

  /** Nothing came in time: the same list waits on. An answer that came too soon is a broker that does not hold requests now. */
  #again(reading: Reading, tookMs: number): void {
    const { clock, limits } = this.#shared
    clock.setTimeout(() => this.#readOn(reading), tookMs < limits.minBackoffMs ? limits.minBackoffMs : 0)
  }

  #readOn(reading: Reading): void {
    if (this.#abort.signal.aborted) return
    reading.waiters = reading.waiters.filter(waiter => keeps(reading, waiter))
    if (reading.waiters.length === 0) this.#done(reading)
    else void this.#read(reading)
  }

  #done(reading: Reading): void {
    if (this.#tail === reading) this.#tail = undefined
    if (this.#catchUps.delete(reading)) this.#beginCatchUps()
    for (const waiter of reading.waiters) {
      if (waiter.waitsFor !== reading) continue
      waiter.waitsFor = undefined
      waiter.arrived()
    }
  }

  #failed(reading: Reading, error: unknown): void {
    const { clock, limits, logger } = this.#shared
    if (isLasting(error)) {
      const { waiters } = reading
      reading.waiters = []
      this.#done(reading)
      for (const waiter of waiters) {
        if (waiter.waitsFor !== reading) continue
        waiter.waitsFor = undefined
        waiter.failed(error)
      }
      return
    }
    const why = textOf(error)
    const pause = Math.min(limits.maxBackoffMs, limits.minBackoffMs * 2 ** Math.min(reading.failures++, 20))
    const { topic, brokerName, queueId } = this.queue
    logger.debug('reading failed; it is tried again', { topic, broker: brokerName, queueId, pause, why })
    for (const waiter of reading.waiters) waiter.trouble(why)
    clock.setTimeout(() => this.#readOn(reading), pause)
  }

  #moved(reading: Reading, { minOffset, maxOffset }: ReadResult): void {
    if (reading.offset > maxOffset) {
      // A queue shorter than it was: the broker has lost its end, or is another one.
      this.maxOffset = maxOffset
      this.minOffset = minOffset
      for (const waiter of reading.waiters) {
        if (waiter.waitsFor === reading && waiter.offset > maxOffset) waiter.offset = maxOffset
      }
    }
    if (reading === this.#tail) {
      this.#drop(this.#ring.length)
      this.#end = Math.min(Math.max(reading.offset, minOffset), maxOffset)
    }
  }

  /** Cuts an answer into batches that go out as one frame each. */
  #take(reading: Reading, result: ReadResult, now: number): void {
    const { messages, nextOffset } = result
    const isTail = reading === this.#tail
    let from = reading.offset
    for (let at = 0; at < messages.length;) {
      const entries: Entry[] = []
      const properties: string[] = []
      let bytes = 0
      for (; at < messages.length && entries.length < batchMessages && bytes < batchBytes; at++) {
        const message: StoredMessage = messages[at]!
        const entry = entryOf(message, 0, this.number, now)
        if (entry === undefined) continue
        entries.push(entry)
        properties.push(message.properties)
        bytes += message.body.length
      }
      const next = at < messages.length ? messages[at]!.queueOffset : nextOffset
      this.#put(new EntryBatch(this.#shared.counters, from, next, entries, properties), isTail)
      from = next
    }
    if (from < nextOffset) this.#put(new EntryBatch(this.#shared.counters, from, nextOffset, [], []), isTail)
  }

  #put(batch: EntryBatch, isTail: boolean): void {
    const { ringBytes, allRingsBytes } = this.#shared.limits
    if (!isTail) return this.#older.add(batch)
    this.#end = batch.next
    const last = this.#ring[this.#ring.length - 1]
    if (last !== undefined && last.entries.length === 0 && batch.entries.length === 0) {
      last.next = batch.next
      return
    }
    this.#ring.push(batch)
    this.#ringBytes += batch.bytes
    this.#budget.bytes += batch.bytes
    let count = 0
    let bytes = this.#ringBytes
    let all = this.#budget.bytes
    while (
      count < this.#ring.length - 1 &&
      (bytes > ringBytes || all > allRingsBytes || this.#ring.length - count > maxRingBatches)
    ) {
      const dropped = this.#ring[count++]!.bytes
      bytes -= dropped
      all -= dropped
    }
    this.#drop(count)
  }

  #drop(count: number): void {
    for (const batch of this.#ring.splice(0, count)) {
      this.#ringBytes -= batch.bytes
      this.#budget.bytes -= batch.bytes
    }
  }
}

/** It still waits for this read, and somebody is there. */
function keeps(reading: Reading, waiter: Waiter): boolean {
  if (waiter.waitsFor !== reading) return false
  if (!waiter.isAlive) waiter.waitsFor = undefined
  return waiter.isAlive
}
