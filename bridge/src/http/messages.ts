import { type Entry, Flag, type Value } from '@cometmq/protocol'
import { inflateSync } from 'node:zlib'

/** A compressed body that becomes larger is passed on as it is. */
const maxInflatedBytes = 16 * 1024 * 1024

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

interface Body {
  readonly body: string | Uint8Array
  readonly encoding?: 'base64'
  readonly compression?: 'zlib'
}

/** A delivered message as an answer has it. `binary`: byte strings are possible (MessagePack). */
export function messageOf(entry: Entry, topic: string, binary: boolean): Readonly<Record<string, Value>> {
  const [, queue, offset, id, bornAt, attempt, flags, meta] = entry
  const redelivered = attempt > 1 || (flags & Flag.resent) !== 0
  return {
    topic,
    id,
    ...bodyOf(entry, binary),
    ...(meta[1] === undefined ? {} : { tag: meta[1] }),
    ...(meta[2] === undefined ? {} : { keys: meta[2] }),
    ...(meta[3] === undefined ? {} : { props: meta[3] }),
    ...(meta[4] === undefined ? {} : { group: meta[4] }),
    ...(meta[8] === undefined ? {} : { ownId: meta[8] }),
    ...(meta[9] === undefined ? {} : { traceparent: meta[9] }),
    ...(meta[13] === undefined ? {} : { contentType: meta[13] }),
    attempt,
    ...(redelivered ? { redelivered } : {}),
    queue,
    offset,
    bornAt,
  }
}

/** Text where the bytes are UTF-8: the same bytes come out of it again. */
function bodyOf(entry: Entry, binary: boolean): { readonly [K in keyof Body]: Body[K] } {
  const inflated = inflate(entry)
  const bytes = inflated ?? entry[8]
  const compression = inflated === undefined ? ({ compression: 'zlib' } as const) : {}
  if (binary) return { body: bytes, ...compression }
  if (inflated !== undefined) {
    try {
      return { body: decoder.decode(bytes) }
    } catch {
      // not text
    }
  }
  return {
    body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'),
    encoding: 'base64',
    ...compression,
  }
}

/** Undefined when it cannot, or should not, be inflated here. */
function inflate([, , , , , , flags, , body]: Entry): Uint8Array | undefined {
  if ((flags & Flag.compressed) === 0) return body
  try {
    return inflateSync(body, { maxOutputLength: maxInflatedBytes })
  } catch {
    return undefined
  }
}
