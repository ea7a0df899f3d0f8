import * as Flag from '@cometmq/protocol/flag'
import type { Channel } from '../channel.ts'
import { deflate } from '../compress.ts'
import { BridgeError } from '../errors.ts'
import type { TopicDef } from '../topic.ts'
import { validate } from '../validate.ts'
import type { Outgoing } from './outgoing.ts'

export const isText = ({ codec: { name } }: TopicDef): boolean => name === 'json' || name === 'text'

/** Values to bodies; a promise only with an asynchronous schema, or for a body that is compressed. */
export class Encoder {
  readonly #topic: TopicDef
  readonly #compressFrom: number
  readonly #channel: Channel

  constructor(topic: TopicDef, compress: boolean | undefined, channel: Channel) {
    this.#channel = channel
    this.#topic = topic
    this.#compressFrom = compress ? 1024 : isText(topic) && compress === undefined ? 4096 : Infinity
  }

  /** The input is what travels: a consumer with the same schema makes the output of it. */
  encode(value: unknown, item: Outgoing): Uint8Array | Promise<Uint8Array> {
    const { schema, codec } = this.#topic
    try {
      const checked = schema && validate(schema, value)
      if (checked instanceof Promise) return checked.then(() => this.#pack(codec.encode(value), item))
      return this.#pack(codec.encode(value), item)
    } catch (error) {
      throw unencodable(error)
    }
  }

  /** A broker batch holds no compressed bodies. The limit holds for what consumers will get: too large ones are refused as they are. */
  #pack(body: Uint8Array, item: Outgoing): Uint8Array | Promise<Uint8Array> {
    if (body.length < this.#compressFrom || body.length > this.#channel.maxBodyBytes || item.batch) return body
    return deflate(body).then(packed => {
      if (packed.length >= body.length) return body
      item.flags |= Flag.compressed
      return packed
    })
  }
}

export function unencodable(error: unknown): BridgeError {
  if (BridgeError.is(error)) return error
  const why = error instanceof Error ? error.message : String(error)
  return new BridgeError(60004, `the payload cannot be encoded: ${why}`, { cause: error })
}
