import type { CursorItem } from '@cometmq/protocol'
import type { Duration } from './duration.ts'
import type { BridgeError } from './errors.ts'
import type { InOf, Kind, KindOf, OutOf, StandardSchema, TagOf, TopicDef } from './topic.ts'

/** Aborting rejects with COMET_CANCELLED. */
export interface Signalled {
  readonly signal?: AbortSignal
}

// ---- connection

export interface ConnectOptions<R extends readonly TopicDef[]> {
  /** First by last success, the rest shuffled. */
  url: string | readonly string[]
  topics: R
  /** The token. `rejected`: the bridge did not take the last one. */
  auth?: (context: { reason: 'connect' | 'refresh' | 'rejected'; signal: AbortSignal }) => string | Promise<string>
  plugins?: readonly Plugin[]
  /** Between attempts: full jitter up to a ceiling that doubles from `min` (250 ms) to `max` (20 s). */
  backoff?: { min?: Duration; max?: Duration; giveUpAfter?: Duration }
  /** How long the connection stays open without producers and consumers. 2 s */
  idle?: Duration
  /** A WebSocket class, where the runtime has none. */
  WebSocket?: unknown
}

export type ConnState =
  | { readonly type: 'idle' }
  | { readonly type: 'connecting'; readonly attempt: number; readonly retryAt?: number }
  | { readonly type: 'open'; readonly resumed: 'hot' | 'cold' | false; readonly node: string; readonly rtt: number }
  | { readonly type: 'moving'; readonly reason: string }
  | { readonly type: 'draining' }
  | { readonly type: 'closed'; readonly error?: BridgeError }

type ByName<R extends readonly TopicDef[], N extends string> = Extract<R[number], { readonly name: N }>

/** Opens nothing by itself: the first producer, consumer or `ready()` does. */
export interface Connection<R extends readonly TopicDef[]> extends AsyncDisposable {
  readonly state: ConnState
  states(options?: Signalled): AsyncIterableIterator<ConnState>
  ready(options?: Signalled): Promise<this>
  producer<N extends R[number]['name']>(name: N, options?: ProducerOptions): Producer<ByName<R, N>>
  consumer<const S extends readonly Sub<R>[]>(options: ConsumerOptions<S> & Signalled): Consumer<Picked<R, S>>
  request<N extends R[number]['name'], Reply = OutOf<ByName<R, N>>>(
    name: N,
    value: InOf<ByName<R, N>>,
    options: { timeout: Duration; reply?: StandardSchema<unknown, Reply> } & Signalled,
  ): Promise<Reply>
  stats(): ConnStats
  drain(options?: { timeout?: Duration } & Signalled): Promise<DrainReport>
  close(): Promise<void>
}

export interface DrainReport {
  /** Sends answered, deliveries acknowledged, deliveries given back, and those whose fate is not known. */
  readonly flushed: number
  readonly acked: number
  readonly released: number
  readonly lost: number
}

interface Counter {
  readonly frames: number
  readonly messages: number
  readonly bytes: number
}
export interface ConnStats {
  readonly in: Counter
  readonly out: Counter
  readonly rtt: number
  /** Messages that wait in memory for the application to take them. */
  readonly buffered: number
  /** Bytes that the network has not taken yet. */
  readonly unsent: number
  readonly reconnects: number
}

// ---- producing

/**
 * What happens without a connection. `queue`: waits, within the bounds of the queue. `fail`: COMET_OFFLINE at once. `drop`: the same, and
 * what was on its way when the connection broke is not repeated either: it fails with outcome unknown. For data that is worthless later.
 */
export type IfOffline = 'queue' | 'fail' | 'drop'

export interface ProducerOptions {
  /** Sends with unknown outcome are repeated when the session was lost, and marked as possible duplicates. true */
  idempotent?: boolean
  /** Messages sent and not answered; the bridge's own limit (256) holds besides. */
  maxInFlight?: number
  maxBytesInFlight?: number
  /** How long messages gather for a frame. 0: those of one turn of the event loop. */
  linger?: Duration
  /** `queue` */
  ifOffline?: IfOffline
  /** Messages that wait in memory; more are refused with COMET_WINDOW_FULL. 10 000, 16 MiB */
  maxQueued?: number
  maxBytesQueued?: number
  /** zlib for bodies of 1 kB and more, where it makes them smaller. Absent: text and JSON from 4 kB on. */
  compress?: boolean
}

interface CommonSend<Tag extends string> extends Signalled {
  tag?: Tag
  /** Business keys; RocketMQ's index finds messages by them. No spaces. */
  keys?: readonly string[]
  props?: Readonly<Record<string, string>>
  /** Your own id for recognising repetitions. */
  id?: string
  /** A message older than this is of no use: not sent, not delivered. */
  expires?: Duration
  ifOffline?: IfOffline
}
type ByKind<K extends Kind> = K extends 'fifo'
  ? { group: string }
  : K extends 'delay'
    ? { after: Duration; at?: never } | { at: Date; after?: never }
    : K extends 'priority'
      ? { priority: number }
      : // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- nothing besides
        {}
export type SendOptions<T> = CommonSend<TagOf<T>> & ByKind<KindOf<T>>
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- asks whether everything is optional
type Opt<O> = {} extends O ? [options?: O] : [options: O]

export interface Receipt<K extends Kind = Kind> {
  readonly id: string
  readonly queue: number
  readonly offset: number
  readonly duplicate: boolean
  readonly recall: K extends 'delay' ? (options?: Signalled) => Promise<void> : undefined
}

export interface Producer<T extends TopicDef> extends AsyncDisposable {
  send(value: InOf<T>, ...options: Opt<SendOptions<T>>): Promise<Receipt<KindOf<T>>>
  /** `atomic`: all or nothing, in one queue. Does not reject: an item that failed has its error as its result. */
  sendBatch(
    items: Iterable<{ value: InOf<T> } & SendOptions<T>>,
    options?: { atomic?: boolean } & Signalled,
  ): Promise<readonly (Receipt<KindOf<T>> | BridgeError)[]>
  /** No receipt. False: not taken, because the window is full or there is no connection. Throws for arguments that are wrong. */
  oneway(value: InOf<T>, ...options: Opt<SendOptions<T>>): boolean
  transaction: KindOf<T> extends 'transaction'
    ? <X>(
        value: InOf<T>,
        work: (tx: { readonly id: string; readonly signal: AbortSignal }) => Promise<X>,
        options?: CommonSend<TagOf<T>>,
      ) => Promise<X>
    : never
  /** A write waits when 64 messages wait in the queue; a send that fails errors the stream; closing waits for the outcomes. */
  writable(): WritableStream<{ value: InOf<T> } & SendOptions<T>>
  /** What may be sent at this moment. */
  readonly window: { readonly messages: number; readonly bytes: number }
  ready(options?: Signalled): Promise<void>
  /** Everything sent so far has an outcome. */
  flush(options?: Signalled): Promise<void>
}

// ---- consuming

export type Sub<R extends readonly TopicDef[]> =
  R[number]['name'] | { [I in keyof R]: { topic: R[I]['name']; tags?: readonly TagOf<R[I]>[]; sql?: string } }[number]
type NameOfSub<S> = S extends string ? S : S extends { topic: infer N } ? N : never
export type Picked<R extends readonly TopicDef[], S extends readonly unknown[]> = Extract<
  R[number],
  { readonly name: NameOfSub<S[number]> }
>

/** Where a broadcast consumer stands: what comes next in each queue. Survives JSON. */
export type BroadcastCursor = readonly CursorItem[]

export type ConsumerOptions<S> = {
  topics: S
  /** Messages and bytes that may wait in memory. 64, 1 MiB */
  prefetch?: { messages?: number; bytes?: number }
  /** Group: how long a message is ours. 30 s, or what the bridge grants. */
  lease?: Duration
  /** `auto`: when the handler of `run` has resolved, or when the loop asks for the next message. `manual` */
  ack?: 'manual' | 'auto'
} & (
  | { mode?: 'group'; group: string; ordered?: boolean; onSlow?: 'pause' }
  | {
      mode: 'broadcast'
      /** `resume`: from `cursor`. `latest` */
      since?: 'latest' | 'earliest' | Date | 'resume'
      /** What `consumer.cursor()` gave earlier. */
      cursor?: BroadcastCursor
      onSlow?: 'pause' | 'drop-oldest' | 'latest-per-key' | 'disconnect'
    }
)

export interface MessageOf<T extends TopicDef> {
  readonly topic: T['name']
  readonly value: OutOf<T>
  readonly raw: Uint8Array
  readonly id: string
  readonly tag?: TagOf<T>
  readonly keys: readonly string[]
  readonly props: Readonly<Record<string, string>>
  readonly group?: string
  /** 1 is the first. */
  readonly attempt: number
  /** This message, or a copy of it, may have been handled before. */
  readonly redelivered: boolean
  readonly queue: number
  readonly offset: number
  readonly bornAt: Date
  /** Aborts when the lease is lost. */
  readonly signal: AbortSignal
  /** Done. Sent with others, within 10 ms. */
  ack(): void
  /** Resolves when the bridge has it; rejects with COMET_LEASE_LOST. */
  acked(options?: Signalled): Promise<void>
  /** Again, `after` a while; by default longer with every attempt, from 1 s to 20 min. */
  nack(options?: { after?: Duration; reason?: string }): void
  /** The lease ends `by` from now. */
  extend(by: Duration): void
  deadLetter(reason: string): void
  reply(value: unknown): void
}
export type Message<T extends TopicDef> = T extends TopicDef ? MessageOf<T> : never

export interface Batch<M> {
  readonly messages: readonly M[]
  ack(): void
  nack(options?: { after?: Duration }): void
}

export interface RunOptions extends Signalled {
  /** Handlers at a time. 1 */
  concurrency?: number
  /** `group` (default with `ordered`), `queue`: one at a time of each, in order. */
  by?: 'message' | 'group' | 'queue'
}

/** Loops, `run`, batches and streams share the messages. What a loop that was left had in hand is not acknowledged. */
export interface Consumer<T extends TopicDef> extends AsyncIterable<Message<T>>, AsyncDisposable {
  /**
   * Resolves when the signal fires or the consumer ends, and the handlers have finished; rejects when the consumer fails. A handler that
   * throws makes a nack.
   */
  run(handler: (message: Message<T>) => void | Promise<void>, options?: RunOptions): Promise<void>
  /** `wait`: for how long, after the first message, for `max` to come together. 0 */
  batches(options: { max: number; wait?: Duration }): AsyncIterable<Batch<Message<T>>>
  readable(): ReadableStream<Message<T>>
  events(options?: Signalled): AsyncIterable<ConsumerEvent>
  seek(to: Date | 'earliest' | 'latest' | { queue: number; offset: number }): Promise<void>
  /** Nothing is handed out. The leases of what waits in memory are kept. */
  pause(): void
  resume(): void
  lag(options?: Signalled): Promise<{ messages: number; age: number }>
  /** Ends the loops, waits for what is in hand (10 s), gives back the rest. */
  drain(options?: { timeout?: Duration } & Signalled): Promise<DrainReport>
  /** Broadcast: everything before has been taken by the application. */
  cursor(): BroadcastCursor
}

export type ConsumerEvent =
  | { type: 'assigned'; queues: number }
  | { type: 'gap'; queue: number; from: number; to: number; cause: string }
  | { type: 'slow'; buffered: number }
  | { type: 'lease-lost'; ids: readonly string[] }
  | { type: 'resumed'; how: 'hot' | 'cold'; redelivered: number }
  /** The payload could not be decoded, or is not what the schema allows. It was not handed out; group: nack. */
  | { type: 'undecodable'; topic: string; id: string; error: BridgeError }

// ---- plugins

export interface Plugin {
  readonly name: string
  install(host: PluginHost): void | AsyncDisposable
}
export interface PluginHost {
  transport(wrap: (next: unknown) => unknown): void
  outbox(store: unknown): void
  observe(observer: Observer): void
}
export interface Observer {
  frame?(direction: 'in' | 'out', kind: number, bytes: number): void
  span?<X>(name: string, attributes: Record<string, string | number>, work: () => X): X
  state?(state: ConnState): void
}
