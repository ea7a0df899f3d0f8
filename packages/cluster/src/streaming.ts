import type { MessageQueue } from '@cometmq/remoting'
import type { ClusterError } from './errors.ts'
import type { SendStatus } from './send-request.ts'

/** The shapes of the fast paths: many small sends, group consumption (POP), shared reading. Implementations: sender.ts, popper.ts, reader.ts. */

/** One message to be stored, as the sender wants it: checked, with its property string already encoded (UNIQ_KEY in it). */
export interface SendItem {
  readonly topic: string
  /** As it is stored; compressed when sysFlag says so. */
  readonly body: Uint8Array
  /** RocketMQ's property string (`encodeProperties`). */
  readonly properties: string
  readonly sysFlag: number
  readonly flag: number
  /** Epoch ms. */
  readonly bornTimestamp: number
  /** Same key, same queue. */
  readonly orderKey?: string | undefined
  /** Must travel in a request of its own: a delay, a half message, a compressed body, a retry topic. */
  readonly alone: boolean
}

/** Told once for every item, by its index in the array that was submitted. Must not throw. */
export interface SendSink {
  stored(index: number, queue: MessageQueue, queueOffset: number, status: SendStatus, extra: SendExtra | undefined): void
  failed(index: number, error: ClusterError): void
}
export interface SendExtra {
  readonly transactionId?: string | undefined
  readonly recallHandle?: string | undefined
}

/**
 * Gathers what is submitted in one turn, and while earlier requests are unanswered, into broker batches per topic; items of one order key
 * stay in order. Retries on another broker what was certainly not stored. Bounded: past the limit, items fail with E_OVERLOADED.
 */
export interface Sender {
  readonly group: string
  submit(items: readonly SendItem[], sink: SendSink): void
  /** All items in one request, all or nothing. */
  submitAtomic(items: readonly SendItem[], sink: SendSink): void
  readonly pending: number
  /** Resolves when everything submitted so far was answered. */
  flush(): Promise<void>
  close(): void
}

/** One message as it was stored. Views on the answer it came in: keep it as long as needed, nothing is reused. */
export interface StoredMessage {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  /** UNIQ_KEY, else the broker's id. */
  readonly msgId: string
  readonly bornTimestamp: number
  readonly storeTimestamp: number
  readonly reconsumeTimes: number
  readonly flag: number
  /** RocketMQ's property string. */
  readonly properties: string
  /** As stored when `compression` is 'none' or 'zlib'; other kinds are decompressed here. */
  readonly body: Uint8Array
  readonly compression: 'none' | 'zlib'
  readonly physicalOffset: number
}

export interface PoppedMessage extends StoredMessage {
  readonly receipt: PopReceipt
}

/** What settles one popped message: the content of POP_CK (spec remoting 3.5). Never leaves the server side. */
export interface PopReceipt {
  readonly group: string
  /** The topic subscribed to, also for messages from its retry topic. */
  readonly topic: string
  readonly brokerName: string
  readonly queueId: number
  readonly offset: number
  readonly startOffset: number
  readonly popTime: number
  readonly invisibleMs: number
  readonly reviveQueueId: number
  /** 0 normal, 1 retry topic V1, 2 V2. */
  readonly retry: 0 | 1 | 2
}

export interface PopOptions {
  readonly topic: string
  readonly group: string
  readonly brokerName: string
  /** Default -1: all queues of the broker. */
  readonly queueId?: number
  /** `*` or `A || B`; SQL92 with expressionType SQL92. */
  readonly expression?: string
  readonly expressionType?: 'TAG' | 'SQL92'
  /** More than the broker allows (32 at Apache) is reduced to what it does. */
  readonly maxMessages: number
  readonly invisibleMs: number
  /** How long the broker holds the request when there is nothing. */
  readonly holdMs: number
  /** Where a group without offsets starts. */
  readonly from: 'earliest' | 'latest'
  readonly ordered?: boolean
  readonly attemptId?: string
  readonly signal?: AbortSignal
}

export interface Popper {
  /** Brokers with queues of the topic that can be read; refreshes the route when it is old. Rejects with E_NO_ROUTE. */
  brokersOf(topic: string): Promise<readonly string[]>
  /** Empty when the hold time passed without a message. Waits and repeats nothing by itself. */
  pop(options: PopOptions): Promise<PoppedMessage[]>
  /** Gathers acks of one turn into one batch request a broker (single requests where it does not know them). Resolves with those that failed. */
  ack(receipts: readonly PopReceipt[]): Promise<readonly { receipt: PopReceipt; error: ClusterError }[]>
  /** The receipt that is good from now on. */
  changeInvisible(receipt: PopReceipt, invisibleMs: number): Promise<PopReceipt>
  /** To the dead letter topic of the group (request 36 with level -1), then acknowledged. */
  deadLetter(message: PoppedMessage): Promise<void>
  /** Reads with the group's committed offsets: how many messages wait, and when the oldest of them was stored (epoch ms, undefined when none). */
  lag(topic: string, group: string): Promise<{ messages: number; oldest: number | undefined }>
}

export interface ReaderOptions {
  readonly queue: MessageQueue
  readonly offset: number
  readonly maxMessages: number
  readonly maxBytes: number
  readonly holdMs: number
  readonly expression?: string
  readonly signal?: AbortSignal
}
export interface ReadResult {
  readonly status: 'found' | 'no-new' | 'no-match' | 'offset-moved'
  readonly messages: readonly StoredMessage[]
  readonly nextOffset: number
  readonly minOffset: number
  readonly maxOffset: number
}
/** Reads queues by offset, in the name of no group: broadcast and browsing. */
export interface Reader {
  queuesOf(topic: string): Promise<readonly MessageQueue[]>
  read(options: ReaderOptions): Promise<ReadResult>
  /** [min, max) of a queue; the first offset stored at or after a time. */
  bounds(queue: MessageQueue): Promise<{ min: number; max: number }>
  offsetAt(queue: MessageQueue, time: number): Promise<number>
}
