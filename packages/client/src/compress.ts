import { BridgeError } from './errors.ts'

interface Through {
  readonly readable: ReadableStream
  readonly writable: WritableStream
}

/** zlib, as RocketMQ stores it. */
export const deflate = (body: Uint8Array): Promise<Uint8Array> => through(body, new CompressionStream('deflate'), Infinity)

/** Throws when it is no zlib data, or becomes larger than `maxBytes`. */
export const inflate = (body: Uint8Array, maxBytes: number): Promise<Uint8Array> =>
  through(body, new DecompressionStream('deflate'), maxBytes)

async function through(body: Uint8Array, stream: Through, maxBytes: number): Promise<Uint8Array> {
  const writer = stream.writable.getWriter()
  // What is wrong with the data shows at the reading end.
  writer.write(body).catch(() => undefined)
  writer.close().catch(() => undefined)
  const reader = stream.readable.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = (await reader.read()) as { done: boolean; value: Uint8Array }
    if (done) break
    chunks.push(value)
    length += value.length
    if (length <= maxBytes) continue
    reader.cancel().catch(() => undefined)
    throw new BridgeError(41301, `the body has more than ${maxBytes} bytes when inflated`)
  }
  const result = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    result.set(chunk, at)
    at += chunk.length
  }
  return result
}
