import type { Consumer, ConsumerOptions, RunOptions, Signalled } from '../api.ts'
import type { Channel } from '../channel.ts'
import { asyncDispose } from '../dispose.ts'
import { type Duration, durationMs } from '../duration.ts'
import type { TopicDef } from '../topic.ts'
import type { Delivered } from './message.ts'
import { type Handler, run } from './run.ts'
import { Subscription } from './subscription.ts'
import { drainMs } from '../figures.ts'

/** Attaches a subscription to the channel. `topics`: the definitions that the names in the options are looked up in. */
export function createConsumer<T extends TopicDef>(
  channel: Channel,
  topics: readonly TopicDef[],
  options: ConsumerOptions<readonly unknown[]> & Signalled,
): Consumer<T> {
  return new TopicConsumer(new Subscription(channel, topics, options), options.signal) as unknown as Consumer<T>
}

/** The ways of taking messages; all of them pull. */
class TopicConsumer {
  readonly #subscription: Subscription
  #running = 0

  constructor(subscription: Subscription, signal: AbortSignal | undefined) {
    this.#subscription = subscription
    const stop = (): void => void subscription.drain(0)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  }

  [Symbol.asyncIterator](): Messages {
    return new Messages(this.#subscription)
  }

  async run(handler: Handler, options?: RunOptions): Promise<void> {
    this.#running++
    try {
      await run(this.#subscription, handler, options)
    } finally {
      this.#running--
    }
  }

  async *batches({ max, wait = 0 }: { max: number; wait?: Duration }): AsyncGenerator<MessageBatch, void> {
    const subscription = this.#subscription
    const waitMs = durationMs(wait, 'wait')
    for (let first = await subscription.next(); first; first = await subscription.next()) {
      const batch = new MessageBatch([first])
      await this.#fill(batch.messages, max, waitMs)
      yield batch
      if (subscription.auto) batch.ack()
    }
  }

  readable(): ReadableStream<Delivered> {
    const subscription = this.#subscription
    let last: Delivered | undefined
    return new ReadableStream<Delivered>(
      {
        async pull(controller) {
          if (subscription.auto) last?.ack()
          last = await subscription.next()
          if (last) controller.enqueue(last)
          else controller.close()
        },
      },
      { highWaterMark: 0 },
    )
  }

  events({ signal }: Signalled = {}): ReturnType<Subscription['events']> {
    return this.#subscription.events(signal)
  }

  seek(to: Parameters<Subscription['seek']>[0]): Promise<void> {
    return this.#subscription.seek(to)
  }

  pause(): void {
    this.#subscription.pause(true)
  }

  resume(): void {
    this.#subscription.pause(false)
  }

  lag(options?: Signalled): Promise<{ messages: number; age: number }> {
    return this.#subscription.lag(options)
  }

  cursor(): Subscription['cursor'] {
    return this.#subscription.cursor
  }

  drain({ timeout = drainMs, signal }: { timeout?: Duration } & Signalled = {}): ReturnType<Subscription['drain']> {
    return this.#subscription.drain(durationMs(timeout, 'timeout'), signal)
  }

  /** Handlers that run are waited for; what a loop has in hand is given back. */
  async [asyncDispose](): Promise<void> {
    await this.#subscription.drain(this.#running > 0 ? drainMs : 0)
  }

  /** What is there, or comes within the time. */
  async #fill(messages: Delivered[], max: number, waitMs: number): Promise<void> {
    const subscription = this.#subscription
    const over = new AbortController()
    const timer = waitMs > 0 ? subscription.channel.clock.setTimeout(() => over.abort(), waitMs) : undefined
    while (messages.length < max) {
      const message = timer ? await nextOrNone(subscription, over.signal) : subscription.take()
      if (!message) break
      if (timer || (await subscription.prepare(message))) messages.push(message)
    }
    timer?.cancel()
  }
}

const nextOrNone = async (subscription: Subscription, signal: AbortSignal): Promise<Delivered | undefined> => {
  try {
    return await subscription.next(signal)
  } catch {
    return undefined
  }
}

/** One loop. By hand: a generator costs several promises for each message. */
class Messages implements AsyncIterableIterator<Delivered> {
  readonly #subscription: Subscription
  #last: Delivered | undefined
  #left = false

  constructor(subscription: Subscription) {
    this.#subscription = subscription
  }

  next(): Promise<IteratorResult<Delivered>> {
    if (this.#subscription.auto) this.#last?.ack()
    this.#last = undefined
    if (this.#left) return this.return()
    const next = this.#subscription.next()
    return next instanceof Promise ? next.then(message => this.#result(message)) : Promise.resolve(this.#result(next))
  }

  return(): Promise<IteratorResult<Delivered>> {
    this.#left = true
    this.#last = undefined
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #result(message: Delivered | undefined): IteratorResult<Delivered> {
    if (!message) return { value: undefined, done: true }
    this.#last = message
    return { value: message, done: false }
  }
}

class MessageBatch {
  readonly messages: Delivered[]

  constructor(messages: Delivered[]) {
    this.messages = messages
  }

  ack(): void {
    for (const message of this.messages) message.ack()
  }

  nack(options?: { after?: Duration }): void {
    for (const message of this.messages) message.nack(options)
  }
}
