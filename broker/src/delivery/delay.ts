import { TopicName, decodeRecord, getProperty, type Clock, type Logger, type Timer } from '@cometmq/remoting'
import { SCHEDULE_TOPIC } from '../store/delay-levels.ts'
import { readWholeFile, replaceWholeFile, type Disk } from '../store/disk.ts'
import type { NewMessage, Store } from '../store/types.ts'
import type { DelayLevels } from './delay-levels.ts'
import { delayOffsetsJson, parseDelayOffsets, type DelayOffsets } from './delay-offsets.ts'
import { copyOf } from './record-copy.ts'

const RETRY_MS = 100
const ERROR_RETRY_MS = 10_000
/** Timers are set no further ahead, so that a wall clock put forward is noticed. */
const LONGEST_SLEEP_MS = 1000
const ROWS_PER_READ = 64
/** Messages of one level delivered between two looks at the event loop. */
const MESSAGES_PER_TURN = 64

export interface DelayOptions {
  store: Store
  disk: Disk
  clock: Clock
  logger: Logger
  levels: DelayLevels
  /** config/delayOffset.json. */
  file: string
  /** Told of each record the service appended, so that unwritten bytes are counted. */
  appended: (endOffset: number) => void
  /** Why nothing may be appended at the moment (overload), or null. */
  overloaded: () => string | null
}

interface Level {
  readonly level: number
  /** Next row to look at. */
  offset: number
  /** Rows up to here (exclusive) are delivered and the copies are durable; this is what the file gets. */
  durable: number
  /** Delivered rows whose copies are not durable yet: row offset and end position of the copy, oldest first. */
  readonly pendingRows: number[]
  readonly pendingEnds: number[]
  timer: Timer | null
  running: boolean
  /** News arrived while it was running. */
  again: boolean
}

/**
 * Delivers delayed messages (spec store, 7.2; Java: ScheduleMessageService): one reader per level walks its queue in order and
 * stores each due message under its real topic. Woken by arrivals and by one timer per level for the head's due time.
 *
 * A copy that a failed write took back is made again; after a crash, copies made since the last durable one are made again.
 */
export class DelayService {
  readonly #options: DelayOptions
  readonly #levels: Level[] = []
  #offsets: DelayOffsets = { offsetTable: new Map(), counter: 0, timestamp: 0 }
  #savedText = ''
  #closed = false

  private constructor(options: DelayOptions) {
    this.#options = options
  }

  /** Reads delayOffset.json, clamps each offset into its queue, and starts to deliver. */
  static async start(options: DelayOptions): Promise<DelayService> {
    const service = new DelayService(options)
    await service.#load()
    options.store.onProgress((_written, synced) => service.#synced(synced))
    options.store.onRollback(position => service.#rolledBack(position))
    options.store.onArrival((topic, queueId) => {
      if (topic === SCHEDULE_TOPIC) service.#arrived(queueId + 1)
    })
    for (const level of service.#levels) service.#arrived(level.level)
    return service
  }

  /** Per level: offset up to which it is delivered, and end of its queue. Levels without messages are left out. */
  progress(): { level: number; consumed: number; max: number }[] {
    return this.#levels
      .map(({ level, offset }) => ({ level, consumed: offset, max: this.#options.store.maxOffset(SCHEDULE_TOPIC, level - 1) }))
      .filter(({ max }) => max > 0)
  }

  /** The file's text: request 45 answers it. */
  json(): string {
    return delayOffsetsJson(this.#current())
  }

  /** Writes delayOffset.json when it changed. */
  async save(): Promise<void> {
    const text = this.#tableText()
    if (text === this.#savedText) return
    this.#offsets.counter++
    this.#offsets.timestamp = this.#options.clock.now()
    await replaceWholeFile(this.#options.disk, this.#options.file, Buffer.from(this.json()))
    this.#savedText = text
  }

  /** Delivers nothing any more. Save afterwards, when the store has flushed. */
  stop(): void {
    this.#closed = true
    for (const level of this.#levels) {
      level.timer?.cancel()
      level.timer = null
    }
  }

  async #load(): Promise<void> {
    const { disk, file, levels, store, logger } = this.#options
    const bytes = (await readWholeFile(disk, file)) ?? (await readWholeFile(disk, file + '.bak'))
    if (bytes !== null) {
      const parsed = parseDelayOffsets(bytes.toString('utf8'))
      if (parsed === null)
        logger.error('delayOffset.json cannot be read; delayed messages that are due are delivered again', { file })
      else this.#offsets = parsed
    }
    for (let level = 1; level <= levels.max; level++) {
      const queueId = level - 1
      const saved = this.#offsets.offsetTable.get(level) ?? 0
      const offset = Math.min(Math.max(saved, store.minOffset(SCHEDULE_TOPIC, queueId)), store.maxOffset(SCHEDULE_TOPIC, queueId))
      this.#levels.push({
        level,
        offset,
        durable: offset,
        pendingRows: [],
        pendingEnds: [],
        timer: null,
        running: false,
        again: false,
      })
    }
    this.#savedText = this.#tableText()
  }

  #arrived(levelNumber: number): void {
    this.#options.store.watch(SCHEDULE_TOPIC, levelNumber - 1)
    this.#wake(levelNumber)
  }

  #wake(levelNumber: number): void {
    const level = this.#levels[levelNumber - 1]
    if (level === undefined || this.#closed) return
    if (level.running) {
      level.again = true
      return
    }
    // The head of the queue is known and its timer is set: what arrives behind it is due later.
    if (level.timer !== null) return
    level.running = true
    level.again = false
    void this.#run(level)
  }

  async #run(level: Level): Promise<void> {
    let sleepMs: number | null
    try {
      sleepMs = await this.#deliverDue(level)
    } catch (error) {
      this.#options.logger.error('delayed messages could not be delivered', {
        level: level.level,
        offset: level.offset,
        error: String(error),
      })
      sleepMs = ERROR_RETRY_MS
    }
    level.running = false
    if (this.#closed) return
    if (sleepMs !== null) this.#sleep(level, sleepMs)
    else if (level.again) this.#wake(level.level)
  }

  #sleep(level: Level, ms: number): void {
    level.timer = this.#options.clock.setTimeout(
      () => {
        level.timer = null
        this.#wake(level.level)
      },
      Math.min(ms, LONGEST_SLEEP_MS),
    )
  }

  /** Milliseconds to sleep, or null at the end of the queue. */
  async #deliverDue(level: Level): Promise<number | null> {
    const { store, clock, levels } = this.#options
    const queueId = level.level - 1
    for (let turn = 0; turn < MESSAGES_PER_TURN;) {
      if (this.#closed) return null
      this.#clampToQueue(level)
      if (level.offset >= store.maxOffset(SCHEDULE_TOPIC, queueId)) return null
      const rows = await store.rows(SCHEDULE_TOPIC, queueId, level.offset, ROWS_PER_READ)
      if (rows.length === 0) return RETRY_MS
      for (const row of rows) {
        const now = clock.now()
        const due = Number(row.tagsCode)
        // A due time further away than the level allows means that the clock was put back: deliver now.
        if (due > now && due <= now + levels.delayMs(level.level)) return due - now
        if (this.#options.overloaded() !== null) return RETRY_MS
        if (!(await this.#deliver(level, row.physicalOffset))) return RETRY_MS
        turn++
      }
    }
    return 1
  }

  #clampToQueue(level: Level): void {
    const { store } = this.#options
    const min = store.minOffset(SCHEDULE_TOPIC, level.level - 1)
    if (level.offset < min) level.offset = min
    if (level.pendingRows.length === 0) level.durable = Math.max(level.durable, min)
  }

  /** False: not stored, try again. */
  async #deliver(level: Level, physicalOffset: number): Promise<boolean> {
    const { store, logger } = this.#options
    const row = level.offset
    const record = await store.read(physicalOffset)
    if (level.offset !== row) return false
    const message = record === null ? null : realMessage(record)
    if (message === null) {
      logger.warn('a delayed message is gone or has no destination and is skipped', {
        level: level.level,
        offset: row,
        physicalOffset,
      })
      this.#delivered(level, row, 0)
      return true
    }
    const result = store.append(message)
    if (result.status === 'PUT_OK') {
      this.#options.appended(result.endOffset)
      this.#delivered(level, row, result.endOffset)
      return true
    }
    if (result.status !== 'MESSAGE_ILLEGAL' && result.status !== 'PROPERTIES_SIZE_EXCEEDED') return false
    logger.error('a delayed message cannot be stored and is skipped', { level: level.level, offset: row, reason: result.reason })
    this.#delivered(level, row, 0)
    return true
  }

  /** @param end 0 when nothing was stored for the row. */
  #delivered(level: Level, row: number, end: number): void {
    level.offset = row + 1
    if (end === 0) {
      if (level.pendingRows.length === 0) level.durable = row + 1
      return
    }
    level.pendingRows.push(row)
    level.pendingEnds.push(end)
  }

  #synced(synced: number): void {
    for (const level of this.#levels) {
      const { pendingRows, pendingEnds } = level
      let done = 0
      while (done < pendingEnds.length && pendingEnds[done]! <= synced) done++
      if (done === 0) continue
      level.durable = pendingRows[done - 1]! + 1
      pendingRows.splice(0, done)
      pendingEnds.splice(0, done)
      if (pendingRows.length === 0) level.durable = level.offset
    }
  }

  #rolledBack(position: number): void {
    for (const level of this.#levels) {
      const { pendingRows, pendingEnds } = level
      while (pendingEnds.length > 0 && pendingEnds[pendingEnds.length - 1]! > position) {
        pendingEnds.pop()
        level.offset = pendingRows.pop()!
      }
      this.#wake(level.level)
    }
  }

  #current(): DelayOffsets {
    const offsetTable = new Map(this.#offsets.offsetTable)
    for (const { level, durable } of this.#levels) if (durable > 0) offsetTable.set(level, durable)
    return { ...this.#offsets, offsetTable }
  }

  #tableText(): string {
    return JSON.stringify([...this.#current().offsetTable])
  }
}

/** The message under its real topic and queue; null when the record does not name them. */
function realMessage(record: Buffer): NewMessage | null {
  const stored = decodeRecord(record)
  const topic = getProperty(stored.properties, 'REAL_TOPIC')
  const queueId = Number(getProperty(stored.properties, 'REAL_QID'))
  if (topic === undefined || topic === SCHEDULE_TOPIC || topic === TopicName.TRANS_HALF || !Number.isInteger(queueId)) return null
  const message = copyOf(stored, stored.properties)
  message.topic = topic
  message.queueId = queueId
  return message
}
