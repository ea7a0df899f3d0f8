import { connect, type Connection, type ConnState } from '@cometmq/node'
import { Arrivals, collect, numbered, Publisher } from './load.ts'
import type { Site } from './processes.ts'

export interface MemberOptions {
  readonly site: Site
  readonly topic: string
  readonly urls: readonly string[]
  readonly publishers: number
  readonly groupConsumers: number
  /** Messages a second of each publisher. */
  readonly rate: number
  readonly leaseMs?: number
}

/** Applications under load: publishers, members of one group, and one that gets everything; each with a connection of its own. */
export class Members {
  readonly publishers: Publisher[] = []
  readonly group = new Arrivals()
  readonly broadcast = new Arrivals()
  readonly connections: Connection<[ReturnType<typeof numbered>]>[] = []
  /** Of each connection, since the start. */
  readonly states: ConnState[][] = []
  /** What consumers ended with. */
  readonly failures: unknown[] = []
  readonly #loops: Promise<void>[] = []
  readonly #publishing: number[] = []

  static async start(options: MemberOptions): Promise<Members> {
    const { topic, leaseMs = 3_000 } = options
    const members = new Members()
    const prefetch = { messages: 256 }
    for (let n = 0; n < options.groupConsumers; n++) {
      const connection = members.#connect(options)
      members.#consume(connection.consumer({ topics: [topic], group: `${topic}-group`, lease: leaseMs, prefetch }), members.group)
    }
    const broadcast = members.#connect(options)
    members.#consume(broadcast.consumer({ topics: [topic], mode: 'broadcast', since: 'earliest', prefetch }), members.broadcast)
    for (let n = 0; n < options.publishers; n++) {
      const connection = members.#connect(options)
      members.#publishing.push(members.connections.length - 1)
      await connection.ready()
      const from = n * 10_000_000
      members.publishers.push(new Publisher(connection.producer(topic), { rate: options.rate, from }).start())
    }
    return members
  }

  get acknowledged(): Set<number> {
    return new Set(this.publishers.flatMap(({ acknowledged }) => [...acknowledged]))
  }

  /** Process ids of the nodes that the publishers are connected to; undefined: to none. */
  get nodes(): (number | undefined)[] {
    return this.#publishing.map(at => {
      const { state } = this.connections[at]!
      return state.type === 'open' ? Number(/\d+$/.exec(state.node)?.[0]) : undefined
    })
  }

  /** Resolves when each publisher has had so many more receipts, and both kinds of consumers so many more messages. */
  async progress(messages: number, withinMs: number): Promise<void> {
    const counts = (): number[] => [
      ...this.publishers.map(({ acknowledged }) => acknowledged.size),
      this.group.total,
      this.broadcast.total,
    ]
    const before = counts()
    const deadline = Date.now() + withinMs
    while (counts().some((count, at) => count < before[at]! + messages)) {
      if (Date.now() > deadline) throw new Error(`no progress in ${withinMs} ms: ${before.join()} → ${counts().join()}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  /** Stops publishing; true when everything that was acknowledged has arrived on both sides within the time. */
  async settle(withinMs: number): Promise<[group: boolean, broadcast: boolean]> {
    await Promise.all(this.publishers.map(publisher => publisher.stop()))
    const numbers = this.acknowledged
    return Promise.all([this.group.all(numbers, withinMs), this.broadcast.all(numbers, withinMs)])
  }

  async close(): Promise<void> {
    await Promise.all(this.publishers.map(publisher => publisher.stop()))
    await Promise.all(this.connections.map(connection => connection.close()))
    await Promise.all(this.#loops)
  }

  #connect({ site, topic, urls }: MemberOptions): Connection<[ReturnType<typeof numbered>]> {
    const connection = connect({
      url: urls,
      topics: [numbered(topic)],
      auth: () => site.token(),
      backoff: { min: 5, max: 100 },
    }) as unknown as Connection<[ReturnType<typeof numbered>]>
    const states: ConnState[] = []
    this.states.push(states)
    this.connections.push(connection)
    this.#loops.push(
      (async () => {
        for await (const state of connection.states()) states.push(state)
      })(),
    )
    return connection
  }

  #consume(consumer: Parameters<typeof collect>[0], arrivals: Arrivals): void {
    this.#loops.push(collect(consumer, arrivals).catch((error: unknown) => void this.failures.push(error)))
  }
}
