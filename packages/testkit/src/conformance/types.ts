import type { BridgeError, Codec, Connection, ConnectOptions, topic, TopicDef } from '@cometmq/client'

/** What a case needs of an SDK; each runtime gives its own. */
export interface Sdk {
  connect<const R extends readonly TopicDef[]>(options: ConnectOptions<R>): Connection<R>
  readonly topic: typeof topic
  readonly BridgeError: typeof BridgeError
  readonly json: Codec
  readonly text: Codec
}

/** Where a suite runs: told by the test host. */
export interface Target {
  /** ws:// address of the bridge. */
  readonly url: string
  /** http:// address of the control server (control.ts). */
  readonly control: string
  /** For names of topics and groups: unique per run. */
  readonly run: string
  readonly runtime: string
  /** The bridge allows pages from http://127.0.0.1 with this port. */
  readonly pagePort: number
  /** What is behind the bridge. */
  readonly backend: 'comet' | 'apache-5.3' | 'apache-5.5'
  /** Only cases whose name contains this. */
  readonly filter?: string
}

/** Rights for a token; everything that is left out is allowed for the run's own topics and groups. */
export interface TokenRequest {
  readonly subject?: string
  readonly publish?: readonly string[]
  readonly subscribe?: readonly { readonly topic: string; readonly group: string }[]
  readonly where?: Readonly<Record<string, readonly string[]>>
  /** Seconds; negative: already expired. Default 3600. */
  readonly ttlSeconds?: number
  readonly notBeforeSeconds?: number
  readonly inspect?: boolean
  /** Signed by a key the bridge does not know. */
  readonly forged?: boolean
}

/** A message as the cluster has it, read by the test host without the bridge. */
export interface StoredView {
  readonly msgId: string
  readonly tag?: string
  readonly keys: readonly string[]
  readonly properties: Readonly<Record<string, string>>
  readonly body: string
  readonly bornAt: number
  readonly queueId: number
}

/** The test host, as a case sees it. */
export interface Control {
  /** Makes a topic at the cluster; its full name is returned. Default 4 queues. */
  createTopic(name: string, queues?: number): Promise<string>
  token(rights?: TokenRequest): Promise<string>
  /** Stores a message without the bridge. */
  send(
    topic: string,
    message: { body: string; tag?: string; keys?: readonly string[]; props?: Readonly<Record<string, string>> },
  ): Promise<string>
  /** Everything a topic holds. */
  stored(topic: string): Promise<readonly StoredView[]>
  /** A ws:// address that leads to the bridge through a proxy which `cut` and `freeze` act on. */
  proxy(): Promise<{ readonly id: string; readonly url: string }>
  /** Resets all sockets of a proxy. `after`: only once so many more bytes went through in that direction. */
  cut(proxy: string, options?: { readonly up?: number; readonly down?: number }): Promise<void>
  /** Bytes stop, sockets stay. */
  freeze(proxy: string, ms: number): Promise<void>
  /** New connections are refused until `ms` are over. */
  refuse(proxy: string, ms: number): Promise<void>
  /** Sends GOAWAY to every client of a second bridge that leads to the same cluster; its address. */
  bridge(): Promise<{ readonly id: string; readonly url: string }>
  goaway(bridge: string, options: { graceMs: number; url?: string }): Promise<void>
}

/** What one case gets. Everything it opens through `t` is closed afterwards. */
export interface CaseContext extends Sdk, Control {
  readonly target: Target
  /** A name for this case and run: `t.name('orders')`. */
  name(word: string): string
  /** `connect` to the bridge with a token for everything of this run; closed when the case ends. */
  open<const R extends readonly TopicDef[]>(topics: R, options?: Partial<ConnectOptions<R>>): Connection<R>
  /** The same without a token. */
  sdkConnect<const R extends readonly TopicDef[]>(topics: R): Connection<R>
  /** Fires when the case's time is up. */
  readonly signal: AbortSignal
  readonly expect: Expect
  /** Waits until `check` gives something true, looking every 20 ms. */
  until<T>(what: string, check: () => T | Promise<T>): Promise<NonNullable<T>>
}

export interface Expect {
  equal(actual: unknown, expected: unknown, what?: string): void
  ok(value: unknown, what: string): void
  /** The error that `promise` rejects with; fails when it does not. */
  rejects(promise: Promise<unknown>, code: string): Promise<BridgeError>
}

export interface Case {
  /** `send: keys arrive`. Unique. */
  readonly name: string
  /** Default 20 s. */
  readonly timeoutMs?: number
  /** Why it cannot run there; listed with the results. */
  readonly skip?: (target: Target) => string | undefined
  run(t: CaseContext): Promise<void>
}

export interface CaseResult {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'skipped'
  readonly ms: number
  /** Error with stack, or the reason of the skip. */
  readonly detail?: string
}
