/** One row of a consume queue: int64 position, int32 size, int64 tags code (spec store, 3.1; Java: ConsumeQueue.CQ_STORE_UNIT_SIZE). */
export const ROW_BYTES = 20
/** Size field of rows that only fill the space before a queue's first message. */
export const FILLER_SIZE = 0x7fffffff

const TWO_32 = 4_294_967_296

/** Consecutive rows of one queue, read in place: nothing is copied or made per row. Valid until the queue is truncated. */
export class RowBlock {
  /** Queue offset of row 0. */
  readonly offset: number
  readonly count: number
  readonly #view: DataView
  readonly #start: number

  /** `start`: byte of row 0 in `view`. */
  constructor(view: DataView, start: number, offset: number, count: number) {
    this.#view = view
    this.#start = start
    this.offset = offset
    this.count = count
  }

  /** Position of the record in the commit log; 0 in a filler row. */
  position(index: number): number {
    return positionAt(this.#view, this.#start + index * ROW_BYTES)
  }

  /** Bytes of the record; FILLER_SIZE in a filler row. */
  size(index: number): number {
    return this.#view.getInt32(this.#start + index * ROW_BYTES + 8)
  }

  tagsHigh(index: number): number {
    return this.#view.getInt32(this.#start + index * ROW_BYTES + 12)
  }

  /** Low half of the tags code: the hash of the tag, or of a delivery time whatever it is. */
  tagsLow(index: number): number {
    return this.#view.getInt32(this.#start + index * ROW_BYTES + 16)
  }
}

export const noRows = new RowBlock(new DataView(new ArrayBuffer(0)), 0, 0, 0)

export const positionAt = (view: DataView, at: number): number => view.getInt32(at) * TWO_32 + view.getUint32(at + 4)

/** Written at all: rows never written are zeros (spec store, 3.3). Fillers count. */
export const isRow = (view: DataView, at: number): boolean => view.getInt32(at) >= 0 && view.getInt32(at + 8) > 0

export const isFiller = (view: DataView, at: number): boolean =>
  view.getInt32(at + 8) === FILLER_SIZE && positionAt(view, at) === 0

/** End of the record a row points to; 0 for a filler, which points to none. */
export const recordEnd = (view: DataView, at: number): number =>
  isFiller(view, at) ? 0 : positionAt(view, at) + view.getInt32(at + 8)

/** Rows at the front of `view` that were written, at most `count`. */
export function leadingRows(view: DataView, count: number): number {
  let rows = 0
  while (rows < count && isRow(view, rows * ROW_BYTES)) rows++
  return rows
}

const FILLER_ROWS = 3200
let fillerBytes: Uint8Array | null = null

/** `count` filler rows as buffers that share one chunk of memory. */
export function fillerRows(count: number): Uint8Array[] {
  if (fillerBytes === null) {
    fillerBytes = new Uint8Array(FILLER_ROWS * ROW_BYTES)
    const view = new DataView(fillerBytes.buffer)
    for (let row = 0; row < FILLER_ROWS; row++) view.setInt32(row * ROW_BYTES + 8, FILLER_SIZE)
  }
  const buffers: Uint8Array[] = []
  for (let left = count; left > 0; left -= FILLER_ROWS)
    buffers.push(fillerBytes.subarray(0, Math.min(left, FILLER_ROWS) * ROW_BYTES))
  return buffers
}
