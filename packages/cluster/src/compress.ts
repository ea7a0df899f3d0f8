import { SysFlag } from '@cometmq/remoting'
import { deflateSync, inflateSync } from 'node:zlib'
import { maxBodyBytes } from './message.ts'

/** zlib, level 5, as Java producers do it; the body as it was when that would not make it smaller. */
export function compressBody(body: Buffer): { body: Buffer; sysFlag: number } {
  const compressed = deflateSync(body, { level: 5 })
  if (compressed.length >= body.length) return { body, sysFlag: 0 }
  return { body: compressed, sysFlag: SysFlag.COMPRESSED | SysFlag.COMPRESSION_ZLIB }
}

export function decompressBody(body: Buffer, sysFlag: number): Buffer {
  if ((sysFlag & SysFlag.COMPRESSED) === 0) return body
  return inflateSync(body, { maxOutputLength: maxBodyBytes })
}
