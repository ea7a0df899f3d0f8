import type { Clock, Logger, MessageQueue } from '@cometmq/remoting'
import type { QueueLocks } from './types.ts'

/** A lock ends this long after its last renewal (JVM property rocketmq.broker.rebalance.lockMaxLiveTime). */
const LOCK_LIFE_MS = 60_000
/** Locks kept; beyond it new ones are not granted. */
const LOCKS_MAX = 200_000

interface Lock {
  clientId: string
  /** Clock.monotonic of the last renewal. */
  renewedAt: number
}

/** Java: org.apache.rocketmq.broker.client.rebalance.RebalanceLockManager. Memory only: clients lock again every 20 s. */
export class LockTable implements QueueLocks {
  readonly #groups = new Map<string, Map<string, Lock>>()
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #max: number
  #count = 0

  constructor(options: { clock: Clock; logger: Logger; locksMax?: number }) {
    this.#clock = options.clock
    this.#logger = options.logger
    this.#max = options.locksMax ?? LOCKS_MAX
  }

  lock(group: string, queues: readonly MessageQueue[], clientId: string): MessageQueue[] {
    const now = this.#clock.monotonic()
    return queues.filter(queue => this.#tryLock(group, keyOf(queue), clientId, now))
  }

  unlock(group: string, queues: readonly MessageQueue[], clientId: string): void {
    const locks = this.#groups.get(group)
    if (locks === undefined) return
    for (const queue of queues) {
      const key = keyOf(queue)
      if (locks.get(key)?.clientId === clientId && locks.delete(key)) this.#count--
    }
    if (locks.size === 0) this.#groups.delete(group)
  }

  isAnyLocked(group: string): boolean {
    const locks = this.#groups.get(group)
    if (locks === undefined) return false
    const now = this.#clock.monotonic()
    for (const lock of locks.values()) if (isAlive(lock, now)) return true
    return false
  }

  #tryLock(group: string, key: string, clientId: string, now: number): boolean {
    const lock = this.#groups.get(group)?.get(key)
    if (lock === undefined) return this.#add(group, key, { clientId, renewedAt: now }, now)
    if (lock.clientId !== clientId && isAlive(lock, now)) return false
    lock.clientId = clientId
    lock.renewedAt = now
    return true
  }

  #add(group: string, key: string, lock: Lock, now: number): boolean {
    if (this.#count >= this.#max) this.#removeExpired(now)
    if (this.#count >= this.#max) {
      this.#logger.warn(
        `a queue lock of group ${group} was not granted: ${this.#max} queues are locked on this broker, the most it keeps`,
      )
      return false
    }
    let locks = this.#groups.get(group)
    if (locks === undefined) this.#groups.set(group, (locks = new Map<string, Lock>()))
    locks.set(key, lock)
    this.#count++
    return true
  }

  #removeExpired(now: number): void {
    for (const [group, locks] of this.#groups) {
      for (const [key, lock] of locks) if (!isAlive(lock, now) && locks.delete(key)) this.#count--
      if (locks.size === 0) this.#groups.delete(group)
    }
  }
}

const isAlive = (lock: Lock, now: number): boolean => now - lock.renewedAt <= LOCK_LIFE_MS

/** A line break is in no name. */
const keyOf = (queue: MessageQueue): string => `${queue.topic}\n${queue.brokerName}\n${queue.queueId}`
