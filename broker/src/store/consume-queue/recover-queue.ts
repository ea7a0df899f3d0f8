import type { QueueFiles } from './queue-files.ts'
import { isFiller, leadingRows, positionAt, recordEnd, ROW_BYTES } from './rows.ts'

/** Rows looked at before the search turns to halving. */
const FIRST_ROWS = 200
const BLOCK_ROWS = 3200
/** How many files from the end a crash may have torn (spec store, 3.3). */
const DOUBTFUL_FILES = 3

/** What is on disk of a queue. */
export interface FoundRows {
  /** Queue offset after the last row. */
  end: number
  /** End of the record the last row points to; 0 when there is none. */
  recordEnd: number
  /** Position the first row of the first file points to, NaN when it was not looked at, or is a filler. */
  firstPosition: number
}

type Block = Readonly<{ view: DataView; count: number; rows: number }>

/** Row from which on a crash may have torn what is on disk. */
export const doubtfulFrom = (files: QueueFiles): number => Math.max(files.first, files.end - DOUBTFUL_FILES * files.rowsPerFile)

/**
 * Finds the end of the rows (spec store, 3.3). After a clean exit the last file is rows, then zeros: a few reads. Otherwise the last
 * three files are read from the start on, to the first row that was never written.
 */
export async function findRows(files: QueueFiles, clean: boolean): Promise<FoundRows> {
  if (files.isEmpty) return { end: 0, recordEnd: 0, firstPosition: NaN }
  const { first, end, rowsPerFile } = files
  if (!clean) return scanRows(files, doubtfulFrom(files))
  let start = end - rowsPerFile
  while (start > first && (await readBlock(files, start, 1)).rows === 0) start -= rowsPerFile
  return findEnd(files, start)
}

/** In a file that is rows, then zeros. */
async function findEnd(files: QueueFiles, start: number): Promise<FoundRows> {
  const head = await readBlock(files, start, FIRST_ROWS)
  const firstPosition = start === files.first ? firstPositionOf(head) : NaN
  if (head.rows < head.count || head.count === files.rowsPerFile) {
    return { end: start + head.rows, recordEnd: await recordEndOf(files, start, head), firstPosition }
  }
  // The last block that starts with a row.
  let low = 0
  let high = Math.ceil(files.rowsPerFile / BLOCK_ROWS) - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    const { rows } = await readBlock(files, start + middle * BLOCK_ROWS, 1)
    if (rows > 0) low = middle
    else high = middle - 1
  }
  const from = start + low * BLOCK_ROWS
  const block = await readBlock(files, from, BLOCK_ROWS)
  return { end: from + block.rows, recordEnd: await recordEndOf(files, from, block), firstPosition }
}

async function scanRows(files: QueueFiles, start: number): Promise<FoundRows> {
  let from = start
  let block = await readBlock(files, from, FIRST_ROWS)
  const firstPosition = start === files.first ? firstPositionOf(block) : NaN
  while (block.rows === block.count && from + block.count < files.end) {
    from += block.count
    block = await readBlock(files, from, BLOCK_ROWS)
  }
  return { end: from + block.rows, recordEnd: await recordEndOf(files, from, block), firstPosition }
}

/** At most `count` rows, never beyond the file; `rows` of them were written. */
async function readBlock(files: QueueFiles, row: number, count: number): Promise<Block> {
  const rows = Math.min(count, files.endOf(row) - row)
  const bytes = new Uint8Array(rows * ROW_BYTES)
  await files.read(row, bytes)
  const view = new DataView(bytes.buffer)
  return { view, count: rows, rows: leadingRows(view, rows) }
}

const firstPositionOf = ({ view, rows }: Block): number => (rows > 0 && !isFiller(view, 0) ? positionAt(view, 0) : NaN)

/** End of the record of the last row in a block that starts at `from`, or of the row before the block. */
async function recordEndOf(files: QueueFiles, from: number, block: Block): Promise<number> {
  if (block.rows > 0) return recordEnd(block.view, (block.rows - 1) * ROW_BYTES)
  if (from === files.first) return 0
  const before = await readBlock(files, from - 1, 1)
  return before.rows > 0 ? recordEnd(before.view, 0) : 0
}
