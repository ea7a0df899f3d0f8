import { BridgeError, durationMs, type Duration, type TopicDef, validate } from '@cometmq/client'
import type { Delivery } from './request.ts'

interface Scope {
  btoa(text: string): string
  atob(text: string): string
}
const scope = globalThis as unknown as Scope

const stepBytes = 8_192

function base64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += stepBytes) text += String.fromCharCode(...bytes.subarray(at, at + stepBytes))
  return scope.btoa(text)
}

function bytesOf({ body, encoding, compression }: Delivery): Uint8Array {
  if (compression) throw new BridgeError(41301, 'the body is larger than the bridge unpacks')
  return encoding ? Uint8Array.from(scope.atob(body), char => char.charCodeAt(0)) : new TextEncoder().encode(body)
}

interface AnyItem {
  readonly value: unknown
  readonly tag?: string
  readonly keys?: readonly string[]
  readonly props?: Readonly<Record<string, string>>
  readonly id?: string
  readonly group?: string
  readonly expires?: Duration
  readonly after?: Duration
  readonly at?: Date
}

/** A message as the bridge takes it. Throws what the bridge would answer. */
export async function outgoing({ name, kind, schema, codec }: TopicDef, item: AnyItem): Promise<object> {
  const { value, tag, keys, props, id, group, expires, after, at } = item
  // Without them the bridge would take it for a normal message.
  if ((kind === 'fifo') !== (group !== undefined) || (kind === 'delay') !== ((after ?? at) !== undefined))
    throw new BridgeError(40011, `topic ${name} is of kind ${kind}: group goes with fifo, after and at with delay`)
  if (kind === 'transaction' || kind === 'priority') throw new BridgeError(50101, `HTTP has no messages of kind ${kind}`)
  const body = await encoded(schema, codec, value)
  const isText = codec.name === 'json' || codec.name === 'text'
  return {
    ...(isText
      ? { body: new TextDecoder('utf-8', { ignoreBOM: true }).decode(body) }
      : { body: base64(body), encoding: 'base64' }),
    ...{ tag, keys, props, id, group },
    expiresMs: expires === undefined ? undefined : durationMs(expires, 'expires'),
    delayMs: after === undefined ? undefined : durationMs(after, 'after'),
    deliverAt: at?.getTime(),
  }
}

async function encoded(schema: TopicDef['schema'], codec: TopicDef['codec'], value: unknown): Promise<Uint8Array> {
  try {
    if (schema) await validate(schema, value)
    return codec.encode(value)
  } catch (error) {
    throw asError(error, 60004, 'the payload cannot be encoded')
  }
}

/** The delivery with its value. Rejects with SCHEMA when it cannot be decoded. */
export async function incoming({ schema, codec }: TopicDef, delivery: Delivery): Promise<object> {
  const { topic, id, handle, tag, keys = [], props = {}, group, attempt, redelivered = false, queue, offset, bornAt } = delivery
  try {
    const raw = bytesOf(delivery)
    const value = codec.decode(raw)
    return {
      ...{ topic, id, handle, tag, keys, props, group, attempt, redelivered, queue, offset, raw },
      value: schema ? await validate(schema, value) : value,
      bornAt: new Date(bornAt),
    }
  } catch (error) {
    throw asError(error, 40092, 'the payload cannot be decoded')
  }
}

function asError(error: unknown, status: number, what: string): BridgeError {
  if (BridgeError.is(error)) return error
  return new BridgeError(status, `${what}: ${(error as Error).message}`, { cause: error })
}
