import { type Logger, silentLogger } from '@cometmq/remoting'
import { FakeClock, MemoryDisk } from '@cometmq/testkit'
import { expect } from 'vitest'
import type { ConsumeQueue } from '../../src/store/consume-queue/queue.ts'
import { ConsumeQueues, type ConsumeQueuesOptions } from '../../src/store/consume-queue/queues.ts'
import type { Disk } from '../../src/store/disk.ts'

export const folder = '/store/consumequeue'

/** 100 rows a file, as in the recorded stores. */
export const openQueues = (disk: Disk, more: Partial<ConsumeQueuesOptions> = {}): Promise<ConsumeQueues> =>
  ConsumeQueues.load({ disk, folder, fileBytes: 2000, clock: new FakeClock(), logger: silentLogger, clean: true, ...more })

/** Appends rows as `fillQueue` of a log with one queue: record `i` at `i * 1000`, 100 bytes. */
export const fillQueue = (queue: ConsumeQueue, from: number, count: number): void => {
  for (let i = from; i < from + count; i++) queue.append(i, i * 1000, 100, i % 3 === 0 ? -1 : 0, i - 50)
}

/** Positions from `min` to `max`, read in steps of at most `step` rows. */
export async function readPositions(queue: ConsumeQueue, step = 1000): Promise<number[]> {
  const found: number[] = []
  for (let offset = queue.min; offset < queue.max;) {
    const rows = await queue.readRows(offset, step)
    if (rows.count === 0 || rows.offset !== offset)
      throw new Error(`asked for rows from ${offset}, got ${rows.count} from ${rows.offset}`)
    for (let i = 0; i < rows.count; i++) found.push(rows.position(i))
    offset += rows.count
  }
  return found
}

/** Keeps warnings for tests that expect some. */
export function listeningLogger(): Logger & { warnings: string[] } {
  const warnings: string[] = []
  return { ...silentLogger, warnings, warn: message => void warnings.push(message) }
}

interface Entry {
  queue: number
  queueOffset: number
  position: number
  size: number
}

export type Step =
  | { kind: 'append'; queue: number; count: number }
  | { kind: 'flush'; thorough: boolean; sync: boolean }
  | { kind: 'restart' }
  | { kind: 'kill'; lose: number }
  | { kind: 'powerCut'; lose: number }
  | { kind: 'truncate'; lose: number }
  | { kind: 'expire'; part: number }
  | { kind: 'rebuild' }

/** A log of records and the queues built from it, driven as the store drives them; `check` compares the two. */
export class Model {
  disk: MemoryDisk
  queues!: ConsumeQueues
  #log: Entry[] = []
  readonly #counts = [0, 0, 0, 0]
  #minPosition = 0
  #end = 0
  #durable = 0
  /** Queues whose rows before the first readable one may be fillers, or gone. */
  readonly #cutOff = new Set<number>()

  constructor(seed: number) {
    this.disk = new MemoryDisk({ seed })
  }

  async start(): Promise<void> {
    this.queues = await openQueues(this.disk)
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        return this.#append(step.queue, step.count)
      case 'flush':
        await this.#flush(step.thorough, step.sync)
        return
      case 'restart':
        await this.#flush(true, true)
        await this.queues.close()
        return this.#load(true)
      case 'kill':
        this.disk = this.disk.kill()
        return this.#recover(step.lose)
      case 'powerCut':
        this.disk = this.disk.crash()
        return this.#recover(step.lose)
      case 'truncate':
        this.#lose(step.lose, this.#minPosition)
        this.#durable = Math.min(this.#durable, this.#end)
        return this.queues.truncate(this.#end)
      case 'expire':
        this.#minPosition += Math.floor((this.#end - this.#minPosition) * step.part)
        return this.queues.deleteBefore(this.#minPosition)
      case 'rebuild':
        this.disk = new MemoryDisk({ seed: this.#end })
        await this.#load(false)
        this.#dispatch(this.#minPosition)
        this.#durable = 0
        this.#counts.forEach((_, queue) => this.#cutOff.add(queue))
        return
    }
  }

  #append(queue: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const entry = { queue, queueOffset: this.#counts[queue]!, position: this.#end, size: 91 + ((this.#end * 7) % 300) }
      this.#counts[queue] = entry.queueOffset + 1
      this.#end += entry.size
      this.#log.push(entry)
      this.#put(entry)
    }
  }

  #put({ queue, queueOffset, position, size }: Entry): void {
    this.queues.getOrCreate('T', queue).append(queueOffset, position, size, 0, position % 1000)
  }

  async #flush(thorough: boolean, sync: boolean): Promise<void> {
    const position = await this.queues.flush({ thorough, sync, dispatched: this.#end })
    expect(position).toBeLessThanOrEqual(this.#end)
    if (thorough) expect(position).toBe(this.#end)
    if (sync) this.#durable = position
  }

  async #load(clean: boolean): Promise<void> {
    this.queues = await openQueues(this.disk, { clean })
    await this.queues.correctMin(this.#minPosition)
  }

  /** As the store after an unclean exit: the log may have lost its end, what is not known to be durable is dispatched again. */
  async #recover(lose: number): Promise<void> {
    this.#lose(lose, Math.max(this.#durable, this.#minPosition))
    this.queues = await openQueues(this.disk, { clean: false })
    this.#dispatch(Math.max(this.#durable, this.#minPosition))
    if (this.queues.maxPhysical > this.#end) await this.queues.truncate(this.#end)
    await this.queues.correctMin(this.#minPosition)
    await this.#flush(true, true)
    this.#counts.forEach((_, queue) => {
      if (this.#live(queue).length === 0) this.#cutOff.add(queue)
    })
  }

  #dispatch(from: number): void {
    for (const entry of this.#log) if (entry.position >= from) this.#put(entry)
  }

  /** The log loses some of its last records, none before `from`. */
  #lose(count: number, from: number): void {
    for (let left = count; left > 0; left--) {
      const last = this.#log[this.#log.length - 1]
      if (last === undefined || last.position < from) return
      this.#log.pop()
      this.#end = last.position
      this.#counts[last.queue] = last.queueOffset
    }
  }

  #live(queue: number): Entry[] {
    return this.#log.filter(entry => entry.queue === queue && entry.position >= this.#minPosition)
  }

  async check(): Promise<void> {
    let dirtyRowsMax = 0
    for (const [number, count] of this.#counts.entries()) {
      const live = this.#live(number)
      const queue = this.queues.get('T', number)
      dirtyRowsMax += queue?.max ?? 0
      if (live.length === 0 && this.#cutOff.has(number)) {
        expect(queue === undefined ? 0 : queue.max - queue.min).toBe(0)
        continue
      }
      if (queue === undefined) {
        expect(count).toBe(0)
        continue
      }
      expect({ min: queue.min, max: queue.max, next: queue.next }).toEqual({ min: count - live.length, max: count, next: count })
      expect(await readPositions(queue, 7 + (count % 400))).toEqual(live.map(entry => entry.position))
      if (live.length > 0) {
        const last = live[live.length - 1]!
        expect(queue.maxPhysical).toBe(last.position + last.size)
      }
    }
    expect(this.queues.dirtyBytes).toBeGreaterThanOrEqual(0)
    expect(this.queues.dirtyBytes).toBeLessThanOrEqual(dirtyRowsMax * 20)
    await this.#checkFiles()
  }

  async #checkFiles(): Promise<void> {
    for (const queue of this.queues.all()) {
      const files = await this.disk.list(`${folder}/T/${queue.queueId}`)
      expect(files.filter(file => file.size !== 2000)).toEqual([])
      const starts = files.map(file => Number(file.name))
      expect(starts).toEqual(starts.map((_, index) => starts[0]! + index * 2000))
    }
  }
}
