import { MessageFormatError } from './errors.ts'
import { readInt16, readInt32, writeInt16, writeInt32 } from './int64.ts'

/**
 * Body of SEND_BATCH_MESSAGE (320) and of inner batches (spec: remoting 5.3, store 2.6). Per element:
 * i32 total, i32 magic 0, i32 crc 0, i32 flag, i32 n, body, i16 n, properties. Readers ignore magic and crc.
 */
export interface BatchElement {
  flag: number
  /** A view when decoded. */
  body: Buffer
  properties: string
}

const FIXED_BYTES = 22

/** Throws MessageFormatError that names the element whose lengths are wrong. An empty body gives no elements. */
export function decodeBatch(bytes: Buffer): BatchElement[] {
  const elements: BatchElement[] = []
  for (let at = 0; at < bytes.length;) {
    const size = elementSize(bytes, at, elements.length)
    const bodyAt = at + 20
    const bodyEnd = bodyAt + readInt32(bytes, at + 16)
    elements.push({
      flag: readInt32(bytes, at + 12),
      body: bytes.subarray(bodyAt, bodyEnd),
      properties: bytes.toString('utf8', bodyEnd + 2, at + size),
    })
    at += size
  }
  return elements
}

/** Checks the element at `at`; returns its size in bytes. */
function elementSize(bytes: Buffer, at: number, index: number): number {
  const left = bytes.length - at
  if (left < FIXED_BYTES) throw batchFault(index, `only ${left} bytes are left`)
  const total = readInt32(bytes, at)
  if (total < FIXED_BYTES || total > left) throw batchFault(index, `its size ${total} does not fit the ${left} bytes left`)
  const bodyBytes = readInt32(bytes, at + 16)
  if (bodyBytes < 0 || bodyBytes > total - FIXED_BYTES) throw batchFault(index, `its body length ${bodyBytes} is out of range`)
  const propertyBytes = readInt16(bytes, at + 20 + bodyBytes)
  if (propertyBytes < 0 || FIXED_BYTES + bodyBytes + propertyBytes !== total) {
    throw batchFault(index, `its properties length ${propertyBytes} disagrees with its size ${total}`)
  }
  return total
}

const batchFault = (index: number, why: string): MessageFormatError =>
  new MessageFormatError(`element ${index} of the batch is damaged: ${why}`)

export function encodeBatch(elements: readonly { flag: number; body: Uint8Array; properties: string }[]): Buffer {
  return Buffer.concat(elements.map(encodeElement))
}

function encodeElement(element: { flag: number; body: Uint8Array; properties: string }, index: number): Buffer {
  const properties = Buffer.from(element.properties, 'utf8')
  if (properties.length > 32767) throw batchFault(index, `its properties have ${properties.length} bytes, more than 32767`)
  const bytes = Buffer.alloc(FIXED_BYTES + element.body.length + properties.length)
  writeInt32(bytes, 0, bytes.length)
  writeInt32(bytes, 12, element.flag)
  writeInt32(bytes, 16, element.body.length)
  bytes.set(element.body, 20)
  writeInt16(bytes, 20 + element.body.length, properties.length)
  bytes.set(properties, FIXED_BYTES + element.body.length)
  return bytes
}
