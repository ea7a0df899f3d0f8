import { type Cluster, ClusterError, type ReceivedMessage, toolsGroup } from '@cometmq/cluster'
import { type MessageQueue } from '@cometmq/remoting'
import { setTimeout as wait } from 'node:timers/promises'
import { callOptions, type CommonOptions, withCluster } from '../context.ts'
import { CliError } from '../errors.ts'
import { ExitCode } from '../exit-codes.ts'
import { type Io } from '../io.ts'
import { printedFieldNames, Printer } from '../output/printer.ts'
import { bodyText, messages, timeOption } from './messages.ts'

export interface TailOptions extends CommonOptions {
  since?: string
  tag?: string
  grep?: string
  limit?: number
}

/** How long a broker holds a pull that finds nothing. */
const holdMs = 15_000
const afterFailureMs = 1_000
/** New queues, of a new broker or a topic that grew, are noticed this often. */
const lookForQueuesMs = 10_000

/** `comet msg tail`: prints messages of all queues as they arrive. Ctrl-C ends it with a summary, a second one at once. */
export async function tail(io: Io, topic: string, options: TailOptions): Promise<number> {
  if (printedFieldNames(io, messages, options)) return ExitCode.OK
  const from = options.since === 'earliest' || options.since === 'start' ? 'start' : timeOption(options.since, '--since')
  const matches = filterOf(options)
  const printer = new Printer(io, messages, options)
  const stop = new AbortController()
  let signals = 0
  const unlisten = io.onStopSignal(() => (++signals === 1 ? stop.abort() : io.exitNow(ExitCode.INTERRUPTED)))
  let printed = 0
  const take = (message: ReceivedMessage): void => {
    if (stop.signal.aborted || !matches(message)) return
    printer.row(message)
    if (++printed === options.limit) stop.abort()
  }
  try {
    await withCluster(io, options, cluster => new Tail(io, cluster, options, stop.signal, take).run(topic, from))
  } finally {
    unlisten()
  }
  io.err(printed === 1 ? '1 message\n' : `${printed} messages\n`)
  return ExitCode.OK
}

function filterOf(options: TailOptions): (message: ReceivedMessage) => boolean {
  if (options.grep === undefined) return () => true
  let pattern: RegExp
  try {
    pattern = new RegExp(options.grep, 'u')
  } catch (cause) {
    throw new CliError('E_USAGE', `--grep ${options.grep} is not understood`, (cause as Error).message, { cause })
  }
  return message => pattern.test(bodyText(message))
}

class Tail {
  readonly #io: Io
  readonly #cluster: Cluster
  readonly #options: TailOptions
  readonly #stop: AbortSignal
  readonly #take: (message: ReceivedMessage) => void
  readonly #followed = new Map<string, Promise<void>>()

  constructor(io: Io, cluster: Cluster, options: TailOptions, stop: AbortSignal, take: (message: ReceivedMessage) => void) {
    this.#io = io
    this.#cluster = cluster
    this.#options = options
    this.#stop = stop
    this.#take = take
  }

  async run(topic: string, from: number | 'start' | undefined): Promise<void> {
    const call = callOptions(this.#options, this.#stop)
    let start: number | 'start' | undefined = from
    try {
      for (;;) {
        for (const queue of await this.#cluster.topics.queues(topic, call)) this.#follow(queue, start)
        start = 'start' // what appears later is new as a whole
        await wait(lookForQueuesMs, undefined, { signal: this.#stop })
        await this.#cluster.routes.refresh(topic, call).catch(() => {})
      }
    } catch (error) {
      if (!this.#stop.aborted) throw error
    }
    await Promise.all(this.#followed.values())
  }

  #follow(queue: MessageQueue, from: number | 'start' | undefined): void {
    const key = `${queue.brokerName}/${queue.queueId}`
    if (this.#followed.has(key)) return
    this.#followed.set(key, this.#read(queue, from))
  }

  async #read(queue: MessageQueue, from: number | 'start' | undefined): Promise<void> {
    const puller = this.#cluster.puller({ group: toolsGroup })
    const pull = { ...callOptions(this.#options, this.#stop), holdMs, timeoutMs: holdMs + 10_000, tags: this.#options.tag ?? '*' }
    let offset: number | undefined
    while (!this.#stop.aborted) {
      try {
        offset ??= await this.#startOffset(queue, from)
        const result = await puller.pull(queue, offset, pull)
        for (const message of result.messages) this.#take(message)
        offset = result.nextOffset
      } catch (error) {
        if (this.#stop.aborted) return
        if (!(error instanceof ClusterError)) throw error
        this.#io.err(`${error.code}: ${error.message}: ${error.why}; going on\n`)
        await wait(afterFailureMs, undefined, { signal: this.#stop }).catch(() => {})
      }
    }
  }

  #startOffset(queue: MessageQueue, from: number | 'start' | undefined): Promise<number> {
    const call = callOptions(this.#options, this.#stop)
    if (from === 'start') return this.#cluster.offsets.min(queue, call)
    return from === undefined ? this.#cluster.offsets.max(queue, call) : this.#cluster.offsets.byTime(queue, from, call)
  }
}
