import type { BridgeError, Consumer, Producer, TopicDef } from '@cometmq/node'
import { text, topic } from '@cometmq/node'

/** Bodies are `<number>:<padding>`: messages are counted by number. */
export const numbered = <const N extends string>(name: N) => topic(name, { codec: text })
type Numbered = ReturnType<typeof numbered>

export const nightly = process.env['COMETMQ_NIGHTLY'] !== undefined
export const seed = Number(process.env['COMET_SEED'] ?? Date.now() % 1_000_000)
/** COMET_ROUNDS wins. */
export const rounds = (usual: number, full: number): number => Number(process.env['COMET_ROUNDS'] ?? (nightly ? full : usual))

const tickMs = 5

/** Sends numbers at a steady rate, never more than `maxUnanswered` at a time; what the clock missed is made up for. */
export class Publisher {
  /** Numbers that were answered with a receipt, and those that were refused. */
  readonly acknowledged = new Set<number>()
  readonly refused = new Map<number, BridgeError>()
  sent = 0
  readonly #producer: Producer<TopicDef<string, string, string>>
  readonly #options: { rate: number; from: number; maxUnanswered: number; padding: string }
  #unanswered = 0
  #timer: NodeJS.Timeout | undefined
  #startedAt = 0
  #idle: () => void = () => undefined

  constructor(
    producer: Producer<Numbered>,
    options: { rate: number; from?: number; maxUnanswered?: number; bodyBytes?: number },
  ) {
    const { rate, from = 0, maxUnanswered = 5_000, bodyBytes = 24 } = options
    this.#producer = producer
    this.#options = { rate, from, maxUnanswered, padding: 'p'.repeat(bodyBytes) }
  }

  start(): this {
    this.#startedAt = performance.now()
    this.#timer = setInterval(() => this.#tick(), tickMs)
    return this
  }

  /** Resolves when everything sent has been answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    if (this.#unanswered > 0) await new Promise<void>(resolve => (this.#idle = resolve))
  }

  /** Messages a second since the start. */
  get rate(): number {
    return (this.sent * 1000) / (performance.now() - this.#startedAt)
  }

  #tick(): void {
    const { rate, maxUnanswered } = this.#options
    const due = ((performance.now() - this.#startedAt) * rate) / 1000
    while (this.sent < due && this.#unanswered < maxUnanswered) this.#send(this.#options.from + this.sent++)
  }

  #send(n: number): void {
    this.#unanswered++
    this.#producer
      .send(`${n}:${this.#options.padding}`.slice(0, this.#options.padding.length + 8))
      .then(
        () => void this.acknowledged.add(n),
        (error: BridgeError) => void this.refused.set(n, error),
      )
      .finally(() => {
        if (--this.#unanswered === 0) this.#idle()
      })
  }
}

/** What an application has seen: every arrival by number. */
export class Arrivals {
  readonly counts = new Map<number, number>()
  /** Arrivals with `redelivered`. */
  readonly marked = new Map<number, number>()
  total = 0
  #wanted: ReadonlySet<number> | undefined
  #complete: () => void = () => undefined
  #missing = 0

  add(n: number, redelivered: boolean): void {
    this.total++
    const before = this.counts.get(n) ?? 0
    this.counts.set(n, before + 1)
    if (redelivered) this.marked.set(n, (this.marked.get(n) ?? 0) + 1)
    if (before === 0 && this.#wanted?.has(n) && --this.#missing === 0) this.#complete()
  }

  /** Resolves true when all of them have arrived, false when that took longer than `withinMs`. */
  all(numbers: ReadonlySet<number>, withinMs: number): Promise<boolean> {
    this.#wanted = numbers
    this.#missing = 0
    for (const n of numbers) if (!this.counts.has(n)) this.#missing++
    if (this.#missing === 0) return Promise.resolve(true)
    return new Promise(resolve => {
      const late = setTimeout(resolve, withinMs, false)
      this.#complete = () => {
        clearTimeout(late)
        resolve(true)
      }
    })
  }

  missing(numbers: Iterable<number>): number[] {
    return [...numbers].filter(n => !this.counts.has(n))
  }

  get duplicates(): number[] {
    return [...this.counts].filter(([, count]) => count > 1).map(([n]) => n)
  }

  /** Of a message that came k times, k − 1 arrivals must be marked. */
  get unmarkedDuplicates(): number[] {
    return this.duplicates.filter(n => this.counts.get(n)! - 1 > (this.marked.get(n) ?? 0))
  }
}

/** Takes and acknowledges everything, as fast as it comes. Resolves when the consumer ends. */
export async function collect(consumer: Consumer<Numbered>, arrivals: Arrivals): Promise<void> {
  for await (const message of consumer) {
    arrivals.add(parseInt(message.value, 10), message.redelivered)
    message.ack()
  }
}

/** First numbers of a list, for the text of a failure. */
export const some = (numbers: readonly number[]): string =>
  `${numbers.length}${numbers.length > 0 ? ` (${numbers.slice(0, 20).join(', ')}${numbers.length > 20 ? ' …' : ''})` : ''}`

/** Each reason once, with the numbers it was given for. */
export function refusals({ refused }: Publisher): string[] {
  const reasons = new Map<string, number[]>()
  for (const [n, { code, message }] of refused) {
    const reason = `${code} ${message}`
    reasons.set(reason, [...(reasons.get(reason) ?? []), n])
  }
  return [...reasons].map(([reason, numbers]) => `${reason}: ${some(numbers)}`)
}
