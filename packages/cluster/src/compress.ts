import { compressBody as compress, compressionFlags } from '@cometmq/remoting'

/** zlib, level 5, as Java producers do it by default; the body as it was when that would not make it smaller. */
export function compressBody(body: Buffer): { body: Buffer; sysFlag: number } {
  const compressed = compress(body, 'ZLIB', 5)
  return compressed.length < body.length ? { body: compressed, sysFlag: compressionFlags('ZLIB') } : { body, sysFlag: 0 }
}
