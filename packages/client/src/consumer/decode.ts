import * as Flag from '@cometmq/protocol/flag'
import { inflate } from '../compress.ts'
import { validate } from '../validate.ts'
import type { Delivered } from './message.ts'

/** Inflates, decodes and checks; a promise only for a compressed body or an asynchronous schema. Throws what is wrong. */
export function decode(message: Delivered, maxInflatedBytes: number): Promise<void> | undefined {
  if ((message.entry[6] & Flag.compressed) === 0) return read(message)
  return inflate(message.raw, maxInflatedBytes).then(body => {
    message.raw = body
    return read(message)
  })
}

function read(message: Delivered): Promise<void> | undefined {
  const { schema, codec } = message.def
  const value = codec.decode(message.raw)
  const checked = schema ? validate(schema, value) : value
  if (checked instanceof Promise) {
    return checked.then(result => {
      message.value = result as unknown
    })
  }
  message.value = checked
  return undefined
}
