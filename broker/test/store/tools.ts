import { openStore, type Disk, type NewMessage, type OpenOptions, type PutResult, type Store } from '@cometmq/broker/store'
import { type Clock, silentLogger } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'

export const STORE_HOST = Buffer.from([127, 0, 0, 1, 0, 0, 0x2a, 0x9f])
export const SMALL = {
  mappedFileSizeCommitLog: 65_536,
  mappedFileSizeConsumeQueue: 2000,
  maxHashSlotNum: 500,
  maxIndexNum: 2000,
} as const

/** A store with small files, so that every test crosses their ends. */
export function openSmall(disk: Disk, options: Partial<OpenOptions> = {}, clock: Clock = new FakeClock()): Promise<Store> {
  return openStore({
    disk,
    clock,
    logger: silentLogger,
    folder: '/store',
    storeHost: STORE_HOST,
    fileReservedTimeHours: 1_000_000,
    ...SMALL,
    ...options,
  })
}

export function message(n: number, over: Partial<NewMessage> = {}): NewMessage {
  const uniqKey = over.uniqKey ?? 'U' + String(n).padStart(31, '0')
  const tags = over.tags ?? 'T' + (n % 3)
  const keys = over.keys ?? 'order' + n
  return {
    topic: 'TopicTest',
    queueId: 0,
    flag: n,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000 + n,
    bornHost: STORE_HOST,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from(`body ${n} `.repeat(1 + (n % 7))),
    properties: `UNIQ_KEY\x01${uniqKey}\x02TAGS\x01${tags}\x02KEYS\x01${keys}\x02`,
    ...over,
    tags,
    uniqKey,
    keys,
  }
}

/** Follows what the store acknowledges. */
export class Acks {
  written: number
  synced: number
  failedFrom = Infinity
  readonly #store: Store
  #waiters: (() => void)[] = []

  constructor(store: Store) {
    this.#store = store
    this.written = store.stats().written
    this.synced = store.stats().synced
    store.onProgress((written, synced) => {
      this.written = written
      this.synced = synced
      this.#wake()
    })
    store.onRollback(position => {
      this.failedFrom = Math.min(this.failedFrom, position)
      this.#wake()
    })
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake()
  }

  /** Resolves when the log is synced up to `position`; rejects when that part was rolled back. */
  async durable(position: number): Promise<void> {
    while (this.synced < position) {
      if (this.failedFrom < position) throw new Error('rolled back')
      await new Promise<void>(resolve => this.#waiters.push(resolve))
    }
  }

  async writtenTo(position: number): Promise<void> {
    while (this.written < position) {
      if (this.failedFrom < position) throw new Error('rolled back')
      await new Promise<void>(resolve => this.#waiters.push(resolve))
    }
  }

  /** Appends and waits until it is durable. */
  async put(next: NewMessage): Promise<PutResult> {
    const result = this.#store.append(next)
    if (result.status !== 'PUT_OK') throw new Error(`${result.status}: ${result.reason}`)
    await this.durable(result.endOffset)
    return result
  }
}
