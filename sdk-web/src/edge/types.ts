import type { BridgeError, Duration, InOf, MessageOf, Receipt, SendOptions, Signalled, TagOf, TopicDef } from '@cometmq/client'

export interface HttpClientOptions {
  /** The bridge: `https://bridge.example`. */
  url: string
  /** The token, or what gets one. `rejected`: the bridge did not take the last one. */
  auth?: string | ((context: { reason: 'connect' | 'rejected' }) => string | Promise<string>)
  /** Default: that of the runtime. */
  fetch?: Fetch
  /** How often a request is tried again that was not done, or may be repeated without harm. 2 */
  retries?: number
}

/** As much of `fetch` as is used. */
export type Fetch = (url: string, init: FetchInit) => Promise<FetchResponse>
interface FetchInit {
  method: string
  headers: Record<string, string>
  body: string
  signal?: AbortSignal
}
export interface FetchResponse {
  readonly ok: boolean
  readonly status: number
  json(): Promise<unknown>
}

type HttpSendOptions<T> = Omit<SendOptions<T>, 'ifOffline' | 'signal'>
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- asks whether everything is optional
type Opt<O> = {} extends O ? [options?: O & Signalled] : [options: O & Signalled]

/** A receipt over HTTP: what was delayed cannot be recalled. */
export type HttpReceipt = Pick<Receipt, 'id' | 'queue' | 'offset'>

export interface ReceiveOptions<T extends TopicDef> extends Signalled {
  group: string
  /** Messages at most. 16; at most 256 */
  max?: number
  /** How long the bridge waits when there is nothing; at most 20 s. 0 */
  wait?: Duration
  /** How long a message is ours. 30 s */
  lease?: Duration
  tags?: readonly TagOf<T>[]
  /** Where a group begins that was never there before. `latest` */
  since?: 'latest' | 'earliest'
  /** Told of what cannot be decoded, or is not what the schema allows; it was given back. */
  onUndecodable?: (message: { readonly topic: string; readonly id: string; readonly handle: string }, error: BridgeError) => void
}

/** A delivery. Its `handle` settles it, here or in another process of the same user. */
export type HttpMessage<T extends TopicDef> = T extends TopicDef
  ? Omit<MessageOf<T>, 'signal' | 'ack' | 'acked' | 'nack' | 'extend' | 'deadLetter' | 'reply'> & { readonly handle: string }
  : never

/** A message, or its handle. */
export type Settled = string | { readonly handle: string }

export interface HttpClient {
  send<T extends TopicDef>(topic: T, value: InOf<T>, ...options: Opt<HttpSendOptions<T>>): Promise<HttpReceipt>
  /** At most 256. `atomic`: all or nothing, in one queue. Does not reject for single items: one that failed has its error as its result. */
  sendBatch<T extends TopicDef>(
    topic: T,
    items: Iterable<{ value: InOf<T> } & HttpSendOptions<T>>,
    options?: { atomic?: boolean } & Signalled,
  ): Promise<readonly (HttpReceipt | BridgeError)[]>
  /** Empty when nothing came in time. */
  receive<T extends TopicDef>(topics: T | readonly T[], options: ReceiveOptions<T>): Promise<readonly HttpMessage<T>[]>
  /** Done. Rejects with the first error when one of them could not be settled; the others were. */
  ack(messages: Settled | readonly Settled[], options?: Signalled): Promise<void>
  /** Again, `after` a while; by default longer with every attempt. */
  nack(messages: Settled | readonly Settled[], options?: { after?: Duration } & Signalled): Promise<void>
  /** The lease ends `by` from now. From then on only the handle that is returned settles the message. */
  extend(message: Settled, by: Duration, options?: Signalled): Promise<string>
  deadLetter(messages: Settled | readonly Settled[], options?: Signalled): Promise<void>
}
