import { createWriter, type Encoded, type Entry, type Frame, Kind, type Value, type Writer } from '@cometmq/protocol'
import type { CompiledWhere } from '../filter.ts'
import type { Counters } from '../shared.ts'
import { entryOverheadBytes } from '../window.ts'

/** Mark on an entries array that subscribers share. */
const partOf = Symbol('part of a batch')

/** Consecutive entries of a batch, one object for all that are sent the same. */
export interface BatchPart {
  readonly batch: EntryBatch
  readonly from: number
  readonly to: number
  readonly entries: readonly Entry[]
  /** Offset and size of each; they outlive the entries. */
  readonly offsets: Float64Array
  readonly sizes: Float64Array
  readonly bytes: number
  encoded: Encoded | undefined
}

const maxParts = 16
const maxViews = 64

let writer: Writer | undefined

/**
 * Consecutive messages of one queue as entries, made once for all that read them: `from` and `next` are the offsets it covers, whether or not
 * a message of it passed the filter.
 */
export class EntryBatch {
  readonly from: number
  next: number
  readonly entries: readonly Entry[]
  /** Sum of the sizes of the entries before each, and of all. */
  readonly sums: Float64Array
  /** Property strings, for filters of tokens. */
  readonly #properties: readonly string[]
  readonly #counters: Counters
  readonly #parts = new Map<number, BatchPart>()
  readonly #views = new Map<string, EntryBatch>()
  #encoded: Uint8Array | undefined
  #starts: Uint32Array | undefined

  constructor(counters: Counters, from: number, next: number, entries: readonly Entry[], properties: readonly string[]) {
    this.#counters = counters
    this.from = from
    this.next = next
    this.entries = entries
    this.#properties = properties
    this.sums = new Float64Array(entries.length + 1)
    for (let index = 0; index < entries.length; index++) {
      this.sums[index + 1] = this.sums[index]! + entries[index]![8].length + entryOverheadBytes
    }
  }

  get bytes(): number {
    return this.sums[this.entries.length]!
  }

  /** Index of the first entry at or after an offset. */
  indexOf(offset: number): number {
    const { entries } = this
    if (entries.length === 0 || entries[0]![2] >= offset) return 0
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (entries[middle]![2] < offset) low = middle + 1
      else high = middle
    }
    return low
  }

  /** How many entries from `index` on fit: each may begin while less than `bytes` are used. */
  fit(index: number, count: number, bytes: number): number {
    const { sums, entries } = this
    const last = Math.min(entries.length, index + count)
    const start = sums[index]!
    if (sums[last]! - start < bytes) return last - index
    let to = index
    while (to < last && sums[to]! - start < bytes) to++
    return to - index
  }

  /** Entries `from` to `to`. */
  part(from: number, to: number): BatchPart {
    const key = from * 65_536 + to
    const known = this.#parts.get(key)
    if (known !== undefined) return known
    const entries = this.entries.slice(from, to)
    const { offsets, sizes } = columnsOf(entries)
    const bytes = this.sums[to]! - this.sums[from]!
    const content: BatchPart = { batch: this, from, to, entries, offsets, sizes, bytes, encoded: undefined }
    Object.defineProperty(entries, partOf, { value: content })
    if (this.#parts.size < maxParts) this.#parts.set(key, content)
    return content
  }

  /** Of what passes a token's filter; one for all that have the same. */
  view(where: CompiledWhere): EntryBatch {
    const known = this.#views.get(where.key)
    if (known !== undefined) return known
    const kept: Entry[] = []
    const properties: string[] = []
    for (let index = 0; index < this.entries.length; index++) {
      const text = this.#properties[index]!
      if (!where.passes(text)) continue
      kept.push(this.entries[index]!)
      properties.push(text)
    }
    const view =
      kept.length === this.entries.length ? this : new EntryBatch(this.#counters, this.from, this.next, kept, properties)
    if (this.#views.size < maxViews) this.#views.set(where.key, view)
    return view
  }

  /** The encoded array of a part, cut out of that of the whole batch. */
  encode(from: number, to: number): Uint8Array {
    const all = (this.#encoded ??= this.#encodeAll())
    if (from === 0 && to === this.entries.length) return all
    const starts = this.#starts!
    const head = arrayHead(to - from)
    const bytes = new Uint8Array(head.length + starts[to]! - starts[from]!)
    bytes.set(head)
    bytes.set(all.subarray(starts[from], starts[to]), head.length)
    return bytes
  }

  #encodeAll(): Uint8Array {
    const { entries } = this
    this.#counters.batchesEncoded++
    writer ??= createWriter(64 * 1024)
    const starts = new Uint32Array(entries.length + 1)
    writer.value({ encoded: arrayHead(entries.length) })
    for (let index = 0; index < entries.length; index++) {
      starts[index] = writer.length
      writer.value(entries[index] as unknown as Value)
    }
    starts[entries.length] = writer.length
    this.#starts = starts
    return writer.take()
  }
}

/** What is kept of entries after they were sent. */
export function columnsOf(entries: readonly Entry[]): { offsets: Float64Array; sizes: Float64Array } {
  const offsets = new Float64Array(entries.length)
  const sizes = new Float64Array(entries.length)
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index]!
    offsets[index] = entry[2]
    sizes[index] = entry[8].length + entryOverheadBytes
  }
  return { offsets, sizes }
}

/** Head of a MessagePack array. */
function arrayHead(count: number): Uint8Array {
  return count < 16 ? Uint8Array.of(0x90 | count) : Uint8Array.of(0xdc, count >> 8, count & 255)
}

/**
 * The frame as a socket should encode it: the entries of a DELIVER that goes to many subscribers are replaced by their MessagePack bytes,
 * which are made once. All other frames are returned as they are. A link in the same process takes the frame itself.
 */
export function wireFrame(frame: Frame): Frame {
  if (frame[0] !== Kind.DELIVER) return frame
  const content = (frame[3] as { readonly [partOf]?: BatchPart })[partOf]
  if (content === undefined) return frame
  content.encoded ??= { encoded: content.batch.encode(content.from, content.to) }
  const entries = content.encoded as unknown as readonly Entry[]
  return frame.length > 4 ? [Kind.DELIVER, frame[1], frame[2], entries, frame[4]!] : [Kind.DELIVER, frame[1], frame[2], entries]
}
