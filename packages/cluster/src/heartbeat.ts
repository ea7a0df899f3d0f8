import { type Clock, type Logger, RequestCode, type Timer, unregisterClientRequest } from '@cometmq/remoting'
import { type Calls } from './calls.ts'
import { MASTER_ID } from './queues.ts'
import { type Routes } from './routes.ts'

const periodMs = 30_000
const timeoutMs = 3_000

export interface HeartbeatParts {
  clientId: string
  calls: Calls
  routes: Routes
  clock: Clock
  logger: Logger
}

/** Tells the masters of all known routes which producer groups live here, every 30 s and at once when one is added. */
export class Heartbeat {
  readonly #parts: HeartbeatParts
  /** Group → how many producers have it. */
  readonly #groups = new Map<string, number>()
  #timer: Timer | undefined
  #last: Promise<void> = Promise.resolve()

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
  }

  add(group: string): void {
    this.#groups.set(group, (this.#groups.get(group) ?? 0) + 1)
    this.#beat()
  }

  remove(group: string): void {
    const count = this.#groups.get(group) ?? 0
    if (count > 1) this.#groups.set(group, count - 1)
    else if (this.#groups.delete(group)) this.#chain(() => this.#unregister(group))
  }

  /** Called when a route brought brokers that may not know us yet. */
  routesChanged(): void {
    if (this.#groups.size > 0) this.#beat()
  }

  /** Says good-bye for all groups; resolves when that is answered or given up. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    const groups = [...this.#groups.keys()]
    this.#groups.clear()
    for (const group of groups) this.#chain(() => this.#unregister(group))
    await this.#last
  }

  #beat(): void {
    this.#timer?.cancel()
    this.#timer = this.#parts.clock.setTimeout(() => this.#beat(), periodMs)
    this.#chain(() => this.#send())
  }

  /** One after the other, so that a good-bye is never overtaken by a heartbeat. */
  #chain(task: () => Promise<void>): void {
    this.#last = this.#last.then(task)
  }

  async #send(): Promise<void> {
    if (this.#groups.size === 0) return
    const body = Buffer.from(
      JSON.stringify({
        clientID: this.#parts.clientId,
        consumerDataSet: [],
        heartbeatFingerprint: 0,
        producerDataSet: [...this.#groups.keys()].map(groupName => ({ groupName })),
        withoutSub: false,
      }),
    )
    await this.#toMasters('heartbeat', () => ({ code: RequestCode.HEART_BEAT, ext: {}, body }))
  }

  async #unregister(producerGroup: string): Promise<void> {
    const ext = unregisterClientRequest.encode({ clientID: this.#parts.clientId, producerGroup })
    await this.#toMasters('good-bye', () => ({ code: RequestCode.UNREGISTER_CLIENT, ext }))
  }

  async #toMasters(what: string, request: () => Parameters<Calls['demand']>[2]): Promise<void> {
    const { calls, logger } = this.#parts
    await Promise.all(
      this.#masters().map(async address => {
        try {
          await calls.demand(what, address, request(), timeoutMs)
        } catch (error) {
          logger.debug(`${what} not taken`, { address, why: (error as Error).message })
        }
      }),
    )
  }

  #masters(): string[] {
    const addresses = this.#parts.routes
      .known()
      .flatMap(route => route.data.brokerDatas.flatMap(broker => broker.brokerAddrs[MASTER_ID] ?? []))
    return [...new Set(addresses)]
  }
}
