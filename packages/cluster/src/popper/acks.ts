import { ackMessageRequest, type Flushable, flushLater, RequestCode, ResponseCode } from '@cometmq/remoting'
import { type Calls, errorOfAnswer } from '../calls.ts'
import { ClusterError, refused } from '../errors.ts'
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

/** Receipts of one call for one broker. */
interface Part {
  readonly call: AckCall
  readonly receipts: readonly PopReceipt[]
}

/** What waits for one broker. */
class BrokerAcks {
  readonly parts: Part[] = []
  unanswered = 0
  /** It answered that it does not know BATCH_ACK. */
  singly = false
}

const maxReceiptsPerRequest = 4_096
const maxWaitingReceipts = 1_000_000
/** While these are out, acks gather. */
const maxUnanswered = 2
const maxSinglesAtOnce = 64
const timeoutMs = 3_000
const maxBrokers = 4_096

/** Acknowledges what was popped: the receipts of one turn, and of the time earlier requests take, in one request a broker. */
export class Acks implements Flushable {
  readonly #calls: Calls
  readonly #addressOf: (receipt: PopReceipt) => Promise<string>
  readonly #brokers = new Map<string, BrokerAcks>()
  #waiting = 0
  #scheduled = false

  constructor(calls: Calls, addressOf: (receipt: PopReceipt) => Promise<string>) {
    this.#calls = calls
    this.#addressOf = addressOf
  }

  ack(receipts: readonly PopReceipt[]): Promise<readonly FailedAck[]> {
    if (receipts.length === 0) return Promise.resolve([])
    if (this.#waiting + receipts.length > maxWaitingReceipts) {
      const error = refused('E_OVERLOADED', 'acknowledgements refused', `${this.#waiting} are not answered yet`)
      return Promise.resolve(receipts.map(receipt => ({ receipt, error })))
    }
    this.#waiting += receipts.length
    return new Promise(done => {
      const call: AckCall = { left: receipts.length, failed: [], done }
      for (let from = 0; from < receipts.length;) {
        const { brokerName } = receipts[from]!
        let end = from + 1
        while (end < receipts.length && end - from < maxReceiptsPerRequest && receipts[end]!.brokerName === brokerName) end++
        this.#broker(brokerName).parts.push({ call, receipts: receipts.slice(from, end) })
        from = end
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
        for (const [other, { parts, unanswered }] of this.#brokers)
          if (unanswered === 0 && parts.length === 0) this.#brokers.delete(other)
      this.#brokers.set(name, (broker = new BrokerAcks()))
    }
    return broker
  }

  #pump(name: string, broker: BrokerAcks): void {
    while (broker.parts.length > 0 && broker.unanswered < maxUnanswered) {
      const parts = takeParts(broker.parts)
      broker.unanswered++
      void this.#send(name, broker, parts).finally(() => {
        broker.unanswered--
        for (const { receipts } of parts) this.#waiting -= receipts.length
        this.#pump(name, broker)
      })
    }
  }

  async #send(brokerName: string, broker: BrokerAcks, parts: readonly Part[]): Promise<void> {
    if (broker.singly) return this.#sendSingly(parts)
    const body = new AckBody()
    const batched: Part[] = []
    const alone: Part[] = []
    for (const part of parts) {
      const far = part.receipts.some(isFar)
      if (far) alone.push({ call: part.call, receipts: part.receipts.filter(isFar) })
      const near = far ? part.receipts.filter(receipt => !isFar(receipt)) : part.receipts
      batched.push({ call: part.call, receipts: near })
      for (let i = 0; i < near.length; i++) body.add(near[i]!)
    }
    const error = body.first === undefined ? undefined : await this.#sendBatch(brokerName, body.first, body)
    broker.singly = error?.brokerCode === ResponseCode.REQUEST_CODE_NOT_SUPPORTED
    if (broker.singly) await this.#sendSingly(batched)
    else for (const part of batched) settle(part, error)
    await this.#sendSingly(alone)
  }

  /** For brokers that do not know BATCH_ACK, and for messages far behind the start of their run. */
  async #sendSingly(parts: readonly Part[]): Promise<void> {
    const singles = parts.flatMap(({ call, receipts }) => receipts.map(receipt => ({ call, receipts: [receipt] })))
    for (let at = 0; at < singles.length; at += maxSinglesAtOnce) {
      const some = singles.slice(at, at + maxSinglesAtOnce)
      await Promise.all(some.map(async single => settle(single, await this.#sendOne(single.receipts[0]!))))
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

/** As many as fit one request, at least one. */
function takeParts(waiting: Part[]): Part[] {
  let count = 0
  let receipts = 0
  while (count < waiting.length && (count === 0 || receipts + waiting[count]!.receipts.length <= maxReceiptsPerRequest))
    receipts += waiting[count++]!.receipts.length
  return waiting.splice(0, count)
}

const isFar = ({ offset, startOffset }: PopReceipt): boolean => offset < startOffset || offset - startOffset >= maxBits

function settle({ call, receipts }: Part, error: ClusterError | undefined): void {
  if (error !== undefined) for (const receipt of receipts) call.failed.push({ receipt, error })
  call.left -= receipts.length
  if (call.left === 0) call.done(call.failed)
}
