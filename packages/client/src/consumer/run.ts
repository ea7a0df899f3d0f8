import type { RunOptions } from '../api.ts'
import { report } from '../connection/guard.ts'
import type { Delivered } from './message.ts'
import type { Lanes, Subscription } from './subscription.ts'

/** One message at a time of each message group (or queue), in order; those without a group are free. */
class KeyLanes implements Lanes {
  readonly #by: 'group' | 'queue'
  readonly #busy = new Set<string>()

  constructor(by: 'group' | 'queue') {
    this.#by = by
  }

  isFree(message: Delivered): boolean {
    return this.#busy.size === 0 || !this.#busy.has(this.#keyOf(message))
  }

  enter(message: Delivered): void {
    const key = this.#keyOf(message)
    if (key) this.#busy.add(key)
  }

  leave(message: Delivered): void {
    this.#busy.delete(this.#keyOf(message))
  }

  #keyOf({ topic, queue, group }: Delivered): string {
    if (this.#by === 'queue') return `${queue}/${topic}`
    return group === undefined ? '' : `${topic}/${group}`
  }
}

export type Handler = (message: Delivered) => unknown

export async function run(subscription: Subscription, handler: Handler, options: RunOptions = {}): Promise<void> {
  const { concurrency = 1, by = subscription.ordered ? 'group' : 'message', signal } = options
  const lanes = by === 'message' ? undefined : new KeyLanes(by)
  const worker = async (): Promise<void> => {
    for (;;) {
      const message = await subscription.next(signal, lanes)
      if (!message) return
      await handle(subscription, handler, message)
      if (lanes) {
        lanes.leave(message)
        subscription.wake()
      }
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: concurrency }, worker))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

async function handle(subscription: Subscription, handler: Handler, message: Delivered): Promise<void> {
  try {
    const { topic, id } = message
    await subscription.channel.span('process', { topic, id }, () => handler(message))
    if (subscription.auto) message.ack()
  } catch (error) {
    message.nack({ reason: error instanceof Error ? error.message : String(error) })
    // A handler that stopped because its lease is lost did right.
    if (!message.lost) report(error)
  }
}
