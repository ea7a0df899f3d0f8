import { ackMessageRequest, type Flushable, flushLater, RequestCode, ResponseCode } from '@cometmq/remoting'
import { type Calls, errorOfAnswer } from '../calls.ts'
import { ClusterError } from '../errors.ts'
import { type PopReceipt } from '../streaming.ts'
import { AckBody, maxBits } from './ack-body.ts'
import { extraInfo, realTopic } from './receipts.ts'

export interface FailedAck {
  receipt: PopReceipt
  error: ClusterError
}

/** One call of `ack`. */
interface AckCall {
  left: number
  readonly failed: FailedAck[]
  readonly done: (failed: readonly FailedAck[]) => void
}

/** What waits for one broker. A row across the arrays is one receipt. */
class BrokerAcks {
  receipts: PopReceipt[] = []
  calls: AckCall[] = []
  unanswered = 0
  /** It answered that it does not know BATCH_ACK. */
  singly = false
}

const maxReceiptsPerRequest = 4_096
/** While these are out, acks gather. */
const maxUnanswered = 2
const maxUnansweredSingles = 64
const timeoutMs = 3_000
const maxBrokers = 4_096

/** Acknowledges what was popped: the receipts of one turn, and of the time earlier requests take, in one request a broker. */
export class Acks implements Flushable {
  readonly #calls: Calls
  readonly #addressOf: (receipt: PopReceipt) => Promise<string>
  readonly #brokers = new Map<string, BrokerAcks>()
  #scheduled = false

  constructor(calls: Calls, addressOf: (receipt: PopReceipt) => Promise<string>) {
    this.#calls = calls
    this.#addressOf = addressOf
  }

  ack(receipts: readonly PopReceipt[]): Promise<readonly FailedAck[]> {
    if (receipts.length === 0) return Promise.resolve([])
    return new Promise(done => {
      const call: AckCall = { left: receipts.length, failed: [], done }
      let name: string | undefined
      let broker: BrokerAcks | undefined
      for (const receipt of receipts) {
        if (broker === undefined || name !== receipt.brokerName) broker = this.#broker((name = receipt.brokerName))
        broker.receipts.push(receipt)
        broker.calls.push(call)
      }
      this.#soon()
    })
  }

  #soon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    flushLater(this)
  }

  flush(): void {
    this.#scheduled = false
    for (const [name, broker] of this.#brokers) this.#pump(name, broker)
  }

  #broker(name: string): BrokerAcks {
    let broker = this.#brokers.get(name)
    if (broker === undefined) {
      if (this.#brokers.size >= maxBrokers)
        for (const [other, { unanswered, receipts }] of this.#brokers)
          if (unanswered === 0 && receipts.length === 0) this.#brokers.delete(other)
      this.#brokers.set(name, (broker = new BrokerAcks()))
    }
    return broker
  }

  #pump(name: string, broker: BrokerAcks): void {
    while (broker.receipts.length > 0 && broker.unanswered < (broker.singly ? maxUnansweredSingles : maxUnanswered)) {
      const count = broker.singly ? 1 : Math.min(maxReceiptsPerRequest, broker.receipts.length)
      const all = count === broker.receipts.length
      const receipts = all ? broker.receipts : broker.receipts.slice(0, count)
      const calls = all ? broker.calls : broker.calls.slice(0, count)
      broker.receipts = all ? [] : broker.receipts.slice(count)
      broker.calls = all ? [] : broker.calls.slice(count)
      broker.unanswered++
      void this.#send(name, broker, receipts, calls).finally(() => {
        broker.unanswered--
        this.#pump(name, broker)
      })
    }
  }

  async #send(name: string, broker: BrokerAcks, receipts: PopReceipt[], calls: AckCall[]): Promise<void> {
    const body = new AckBody()
    const single: number[] = []
    for (let i = 0; i < receipts.length; i++) {
      const bit = receipts[i]!.offset - receipts[i]!.startOffset
      if (broker.singly || bit < 0 || bit >= maxBits) single.push(i)
      else body.add(receipts[i]!)
    }
    const error = body.entries === 0 ? undefined : await this.#sendBatch(name, receipts[0]!, body)
    const batchUnknown = error?.brokerCode === ResponseCode.REQUEST_CODE_NOT_SUPPORTED
    if (batchUnknown) broker.singly = true
    const alone = new Set(batchUnknown ? receipts.keys() : single)
    for (let i = 0; i < receipts.length; i++) {
      const failure = alone.has(i) ? await this.#sendOne(receipts[i]!) : error
      settle(calls[i]!, receipts[i]!, failure)
    }
  }

  async #sendBatch(brokerName: string, first: PopReceipt, body: AckBody): Promise<ClusterError | undefined> {
    return this.#ask(first, () => ({ code: RequestCode.BATCH_ACK_MESSAGE, ext: {}, body: body.encode(brokerName) }))
  }

  async #sendOne(receipt: PopReceipt): Promise<ClusterError | undefined> {
    const ext = ackMessageRequest.encode({
      consumerGroup: receipt.group,
      topic: realTopic(receipt),
      queueId: receipt.queueId,
      extraInfo: extraInfo(receipt),
      offset: receipt.offset,
    })
    return this.#ask(receipt, () => ({ code: RequestCode.ACK_MESSAGE, ext }))
  }

  async #ask(receipt: PopReceipt, request: () => Parameters<Calls['ask']>[2]): Promise<ClusterError | undefined> {
    const what = `acknowledgement in topic ${receipt.topic}`
    try {
      const address = await this.#addressOf(receipt)
      const answer = await this.#calls.ask(what, address, request(), timeoutMs)
      return answer.code === ResponseCode.SUCCESS ? undefined : errorOfAnswer(what, address, answer)
    } catch (cause) {
      if (cause instanceof ClusterError) return cause
      return new ClusterError('E_BROKER', what, { why: (cause as Error).message, outcome: 'unknown', cause })
    }
  }
}

function settle(call: AckCall, receipt: PopReceipt, error: ClusterError | undefined): void {
  if (error !== undefined) call.failed.push({ receipt, error })
  if (--call.left === 0) call.done(call.failed)
}
