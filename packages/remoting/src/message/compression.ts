import { deflateSync, inflateSync } from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { MessageFormatError } from './errors.ts'
import { splitLz4Frames } from './lz4-size.ts'
import { SysFlag } from './sys-flag.ts'
import { zstdCompress, zstdDecompress } from './zstd.ts'

/**
 * Body compression by the bits of sysFlag (spec: remoting, section 5.2; Java: CompressionType, CompressorFactory).
 * LZ4 is the frame format, through lz4-napi (MIT, prebuilt binaries as optional packages, nothing is downloaded at install).
 */
export type CompressionType = 'LZ4' | 'ZSTD' | 'ZLIB'

/** A body may be 4 MiB by default; operators raise it, seldom beyond this. */
export const DEFAULT_MAX_DECOMPRESSED_BYTES = 64 * 1024 * 1024

/** Bits to set in sysFlag together. ZLIB carries 0x300 as Java 5 sends it. */
export function compressionFlags(type: CompressionType): number {
  if (type === 'LZ4') return SysFlag.COMPRESSED | SysFlag.COMPRESSION_LZ4
  return SysFlag.COMPRESSED | (type === 'ZSTD' ? SysFlag.COMPRESSION_ZSTD : SysFlag.COMPRESSION_ZLIB)
}

/** Null for an unknown type. Type bits 0 are ZLIB: clients before 5.0 and Go. */
export function compressionTypeOf(sysFlag: number): CompressionType | null {
  const bits = sysFlag & SysFlag.COMPRESSION_MASK
  if (bits === SysFlag.COMPRESSION_LZ4) return 'LZ4'
  if (bits === SysFlag.COMPRESSION_ZSTD) return 'ZSTD'
  return bits === SysFlag.COMPRESSION_ZLIB || bits === 0 ? 'ZLIB' : null
}

/** `level` is for ZLIB only (Java's default is 5). */
export function compressBody(body: Uint8Array, type: CompressionType, level = 5): Buffer {
  if (type === 'ZLIB') return deflateSync(body, { level })
  return type === 'LZ4' ? compressFrameSync(asBuffer(body)) : zstdCompress(body)
}

/**
 * The body as the producer gave it: `body` itself unless sysFlag says it is compressed. Throws MessageFormatError when it is
 * damaged, of an unknown type, or larger than `maxBytes`.
 */
export function decompressBody(body: Buffer, sysFlag: number, maxBytes = DEFAULT_MAX_DECOMPRESSED_BYTES): Buffer {
  if ((sysFlag & SysFlag.COMPRESSED) === 0) return body
  const type = compressionTypeOf(sysFlag)
  if (type === 'ZLIB') return inflate(body, maxBytes)
  if (type === 'LZ4') return lz4Decompress(body, maxBytes)
  if (type === 'ZSTD') return zstdDecompress(body, maxBytes)
  throw new MessageFormatError(`unknown compression type in sysFlag 0x${sysFlag.toString(16)}; known are LZ4, ZSTD and ZLIB`)
}

function inflate(body: Buffer, maxBytes: number): Buffer {
  try {
    return inflateSync(body, { maxOutputLength: Math.max(1, maxBytes) })
  } catch (cause) {
    throw new MessageFormatError(`the ZLIB body is damaged or grows beyond ${maxBytes} bytes`, { cause })
  }
}

function lz4Decompress(body: Buffer, maxBytes: number): Buffer {
  const frames = splitLz4Frames(body, maxBytes)
  try {
    return frames.length === 1 ? decompressFrameSync(frames[0]!) : Buffer.concat(frames.map(frame => decompressFrameSync(frame)))
  } catch (cause) {
    throw new MessageFormatError('the LZ4 body is damaged', { cause })
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
