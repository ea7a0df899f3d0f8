import type { NewBatch } from '../store/types.ts'
import { joinProperties, newKnownProperties, scanProperties } from '../delivery/properties.ts'

const FIXED_BYTES = 22
const known = newKnownProperties()

/**
 * Takes a batch body apart (spec remoting, 5.3; store, 2.6). As RocketMQ 5.3.3 does, all properties of the request's header
 * are appended to those of each element. Bodies are views on the request.
 * A string: why the body cannot be read.
 */
export function splitBatch(body: Buffer, headerProperties: string): NewBatch['elements'] | string {
  const elements: NewBatch['elements'][number][] = []
  let at = 0
  while (at < body.length) {
    if (body.length - at < FIXED_BYTES) return illegal(elements.length, `only ${body.length - at} bytes are left`)
    const total = body.readInt32BE(at)
    if (total < FIXED_BYTES || total > body.length - at) return illegal(elements.length, `it claims ${total} of ${body.length - at} bytes`)
    const flag = body.readInt32BE(at + 12)
    const bodyLength = body.readInt32BE(at + 16)
    if (bodyLength < 1 || bodyLength > total - FIXED_BYTES) return illegal(elements.length, `its body claims ${bodyLength} bytes`)
    const bodyAt = at + 20
    const propertiesAt = bodyAt + bodyLength + 2
    const propertiesLength = body.readInt16BE(bodyAt + bodyLength)
    if (propertiesLength < 0 || FIXED_BYTES + bodyLength + propertiesLength !== total) {
      return illegal(elements.length, `its properties claim ${propertiesLength} bytes`)
    }
    const own = body.toString('utf8', propertiesAt, propertiesAt + propertiesLength)
    const properties = joinProperties(own, headerProperties)
    scanProperties(properties, known)
    elements.push({
      flag,
      body: body.subarray(bodyAt, bodyAt + bodyLength),
      properties,
      tags: known.tags,
      uniqKey: known.uniqKey,
      keys: known.keys,
    })
    at += total
  }
  return elements
}

const illegal = (index: number, what: string): string => `batch body: message ${index} is damaged: ${what}`
