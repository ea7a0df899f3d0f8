import zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import { MessageFormatError } from './errors.ts'

/**
 * ZSTD: node:zlib where it has it (from Node 22.15), else fzstd, which only decompresses. fzstd is 8 kB of JavaScript, MIT,
 * without native code; the WebAssembly builds that also compress need the decompressed size in the frame, which Java's
 * streaming writer does not put there, and an asynchronous start. Consumers can therefore read ZSTD everywhere; producers on
 * older Node use ZLIB or LZ4.
 */
interface NodeZstd {
  zstdCompressSync?: (bytes: Uint8Array) => Buffer
  zstdDecompressSync?: (bytes: Uint8Array, options: { maxOutputLength: number }) => Buffer
}
const native = zlib as NodeZstd

export function zstdCompress(body: Uint8Array): Buffer {
  if (native.zstdCompressSync === undefined) {
    throw new Error('ZSTD compression needs Node 22.15 or newer; choose ZLIB or LZ4, or update Node')
  }
  return native.zstdCompressSync(body)
}

/** Throws MessageFormatError; also for windows over 8 MiB, what RFC 8878 asks decoders to support. */
export function zstdDecompress(body: Uint8Array, maxBytes: number): Buffer {
  checkFrames(body, maxBytes)
  try {
    if (native.zstdDecompressSync !== undefined)
      return native.zstdDecompressSync(body, { maxOutputLength: Math.max(1, maxBytes) })
    return decompressInScript(body, maxBytes)
  } catch (cause) {
    if (cause instanceof MessageFormatError) throw cause
    throw new MessageFormatError(`the ZSTD body is damaged or grows beyond ${maxBytes} bytes`, { cause })
  }
}

export function decompressInScript(body: Uint8Array, maxBytes: number): Buffer {
  const chunks: Uint8Array[] = []
  let total = 0
  const stream = new Decompress(chunk => {
    total += chunk.length
    if (total > maxBytes) throw new MessageFormatError(`the ZSTD body grows beyond ${maxBytes} bytes when decompressed`)
    chunks.push(chunk)
  })
  stream.push(body, true)
  return Buffer.concat(chunks)
}

const FRAME_MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50
const MAX_WINDOW_BYTES = 8 * 1024 * 1024

/** Walks frame and block headers (RFC 8878, section 3.1): no decoder gets to allocate a window that a header only claims. */
function checkFrames(body: Uint8Array, maxBytes: number): void {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  for (let at = 0; at < bytes.length;) {
    if (at + 8 > bytes.length) throw fault('it ends early')
    const magic = bytes.readUInt32LE(at)
    if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC) at += 8 + bytes.readUInt32LE(at + 4)
    else if (magic === FRAME_MAGIC) at = frameEnd(bytes, at, Math.max(MAX_WINDOW_BYTES, maxBytes))
    else throw fault(`no frame begins at byte ${at}`)
    if (at > bytes.length) throw fault('it ends early')
  }
}

const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const
const DICTIONARY_BYTES = [0, 1, 2, 4] as const

function frameEnd(bytes: Buffer, start: number, maxWindowBytes: number): number {
  const descriptor = bytes[start + 4]!
  const singleSegment = (descriptor & 0x20) !== 0
  const sizeCode = descriptor >> 6
  const contentSizeBytes = sizeCode === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[sizeCode]!
  const contentSizeAt = start + 5 + (singleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]!
  let at = contentSizeAt + contentSizeBytes
  if (at > bytes.length) throw fault('it ends early')
  const window = singleSegment ? contentSize(bytes, contentSizeAt, contentSizeBytes) : windowSize(bytes[start + 5]!)
  if (window > maxWindowBytes) throw fault(`its window of ${window} bytes is larger than ${maxWindowBytes}`)
  while (true) {
    if (at + 3 > bytes.length) throw fault('it ends early')
    const block = bytes.readUIntLE(at, 3)
    const isRepeatedByte = ((block >> 1) & 3) === 1
    at += 3 + (isRepeatedByte ? 1 : block >> 3)
    if ((block & 1) === 1) return at + ((descriptor & 4) === 0 ? 0 : 4)
  }
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

function contentSize(bytes: Buffer, at: number, length: number): number {
  if (length === 8) return bytes.readUInt32LE(at + 4) * 4294967296 + bytes.readUInt32LE(at)
  return bytes.readUIntLE(at, length) + (length === 2 ? 256 : 0)
}

const fault = (what: string): MessageFormatError => new MessageFormatError(`the ZSTD body is damaged: ${what}`)
