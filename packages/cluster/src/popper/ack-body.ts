import { type PopReceipt } from '../streaming.ts'
import { Receipt } from './receipts.ts'

/** Offsets further behind the start than this are acknowledged singly: the bit set would have 8 KiB. */
export const maxBits = 65_536

/** Receipts of one pop of one queue: a bit set over their offsets. */
interface AckEntry {
  readonly first: PopReceipt
  bits: Uint8Array
}

const firstBytes = 4

/** Gathers receipts of one broker into the body of BATCH_ACK (200151; spec remoting 3.5). */
export class AckBody {
  #last: AckEntry | undefined
  readonly #entries = new Map<string, AckEntry>()

  /** Undefined: it is empty. */
  get first(): PopReceipt | undefined {
    return this.#last?.first
  }

  /** The receipt's offset lies within `maxBits` behind its start. */
  add(receipt: PopReceipt): void {
    const entry = this.#last !== undefined && isSamePop(this.#last.first, receipt) ? this.#last : this.#entry(receipt)
    this.#last = entry
    const bit = receipt.offset - receipt.startOffset
    const at = bit >> 3
    if (at >= entry.bits.length) {
      const grown = new Uint8Array(Math.max(at + 1, 2 * entry.bits.length))
      grown.set(entry.bits)
      entry.bits = grown
    }
    entry.bits[at]! |= 1 << (bit & 7)
  }

  encode(brokerName: string): Buffer {
    let text = ''
    for (const { first, bits } of this.#entries.values()) {
      if (text !== '') text += ','
      text += `{"b":"${base64(bits)}","c":${JSON.stringify(first.group)},"it":${first.invisibleMs},"pt":${first.popTime},"q":${first.queueId},"r":"${first.retry}","rq":${first.reviveQueueId},"so":${first.startOffset},"t":${JSON.stringify(first.topic)}}`
    }
    return Buffer.from(`{"acks":[${text}],"brokerName":${JSON.stringify(brokerName)}}`)
  }

  #entry(receipt: PopReceipt): AckEntry {
    const { group, topic, queueId, retry, startOffset, popTime, invisibleMs, reviveQueueId } = receipt
    const key = `${queueId} ${retry} ${startOffset} ${popTime} ${invisibleMs} ${reviveQueueId} ${topic} ${group}`
    let entry = this.#entries.get(key)
    if (entry === undefined) this.#entries.set(key, (entry = { first: receipt, bits: new Uint8Array(firstBytes) }))
    return entry
  }
}

const isSamePop = (a: PopReceipt, b: PopReceipt): boolean =>
  a.queueId === b.queueId && a.startOffset === b.startOffset && a.retry === b.retry && (isSameAnswer(a, b) || isSameBatch(a, b))

/** Nearly always: the receipts of one answer share what they have in common. */
const isSameAnswer = (a: PopReceipt, b: PopReceipt): boolean =>
  a instanceof Receipt && b instanceof Receipt && a.batch === b.batch

const isSameBatch = (a: PopReceipt, b: PopReceipt): boolean =>
  a.popTime === b.popTime &&
  a.invisibleMs === b.invisibleMs &&
  a.reviveQueueId === b.reviveQueueId &&
  a.topic === b.topic &&
  a.group === b.group

/** Without the zero bytes at the end, as Java writes a BitSet. */
function base64(bits: Uint8Array): string {
  let end = bits.length
  while (end > 0 && bits[end - 1] === 0) end--
  return Buffer.from(bits.buffer, 0, end).toString('base64')
}
