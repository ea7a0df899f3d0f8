import { isReservedProperty } from '@cometmq/cluster'
import type { Meta } from '@cometmq/protocol'

/** RocketMQ's property string: `name 0x01 value 0x02`, repeated; the last 0x02 may be missing (spec remoting 5.4). */
const PAIR_END = '\x02'
const NAME_END = '\x01'

/** The id that nearly every message begins with: 32 hex digits. */
const ID_BEGIN = 'UNIQ_KEY\x01'
const endOfId = ID_BEGIN.length + 32
/** What stood behind the id of the last message without metadata. */
let plainTail = ''
const noMeta: Meta = Object.freeze({})

type OpenMeta = { -readonly [K in keyof Meta]: Meta[K] }

/** What was found in a property string; used again for each message. */
export interface Scanned {
  meta: Meta
  /** Epoch ms; Infinity when the message does not expire. */
  expires: number
  /** The bridge has marked it as a possible second copy. */
  resent: boolean
  /** The body is UTF-8 text. */
  text: boolean
}

export const createScanned = (): Scanned => ({ meta: {}, expires: Infinity, resent: false, text: false })

/** The bridge's own names (and the tag, keys and message group) as metadata; what remains and is not RocketMQ's are the user's. */
export function scanProperties(properties: string, into: Scanned): void {
  into.expires = Infinity
  into.resent = false
  into.text = false
  // Messages of one topic mostly differ in nothing but their id, and have nothing of interest behind it.
  const hasId = properties.charCodeAt(endOfId) === 2 && properties.startsWith(ID_BEGIN)
  if (hasId && properties.length === endOfId + plainTail.length && properties.endsWith(plainTail)) {
    into.meta = noMeta
    return
  }
  const meta: OpenMeta = {}
  into.meta = meta
  let props: Record<string, string> | undefined
  const { length } = properties
  for (let start = 0; start < length;) {
    let end = properties.indexOf(PAIR_END, start)
    if (end === -1) end = length
    const middle = properties.indexOf(NAME_END, start)
    if (middle > start && middle < end - 1 && !isUninteresting(properties, start, middle)) {
      const name = properties.slice(start, middle)
      const value = properties.slice(middle + 1, end)
      if (!known(name, value, meta, into) && !isReservedProperty(name)) {
        props ??= {}
        // `__proto__` as an own member, not as the prototype.
        if (name === '__proto__')
          Object.defineProperty(props, name, { value, enumerable: true, configurable: true, writable: true })
        else props[name] = value
      }
    }
    start = end + 1
  }
  if (props !== undefined) meta[3] = props
  if (hasId && isPlain(into)) plainTail = properties.slice(endOfId)
}

function isPlain({ meta, expires, resent, text }: Scanned): boolean {
  for (const _key in meta) return false
  return expires === Infinity && !resent && !text
}

/** Those that nearly every message has, recognised without making strings. */
function isUninteresting(properties: string, start: number, middle: number): boolean {
  switch (middle - start) {
    case 4:
      return properties.startsWith('WAIT', start)
    case 6:
      return properties.startsWith('POP_CK', start)
    case 7:
      return properties.startsWith('CLUSTER', start)
    case 8:
      return properties.startsWith('UNIQ_KEY', start) || properties.startsWith('TRACE_ON', start)
    case 10:
      return properties.startsWith('MSG_REGION', start)
    case 12:
      return properties.startsWith('1ST_POP_TIME', start)
    default:
      return false
  }
}

function known(name: string, value: string, meta: OpenMeta, into: Scanned): boolean {
  switch (name) {
    case 'TAGS':
      meta[1] = value
      return true
    case 'KEYS':
      meta[2] = value.split(' ').filter(key => key !== '')
      return true
    case '__SHARDINGKEY':
      meta[4] = value
      return true
    case 'traceparent':
      meta[9] = value
      return true
    default:
      return name.startsWith('CMQ_') && ours(name, value, meta, into)
  }
}

/** Unknown names with the prefix are kept back: a newer bridge may have written them. The time of expiry is the bridge's own business. */
function ours(name: string, value: string, meta: OpenMeta, into: Scanned): true {
  if (name === 'CMQ_ID') meta[8] = value
  else if (name === 'CMQ_CT') meta[13] = value
  else if (name === 'CMQ_RESENT') into.resent = true
  else if (name === 'CMQ_TEXT') into.text = true
  else if (name === 'CMQ_EXPIRES' && /^\d{1,15}$/.test(value)) into.expires = Number(value)
  return true
}

/** Last value of a property that is not empty, found without reading the others; `needle` is its name and 0x01. */
export function propertyValue(properties: string, needle: string): string | undefined {
  for (let at = properties.lastIndexOf(needle); at !== -1;) {
    if (at === 0 || properties.charCodeAt(at - 1) === 2) {
      const from = at + needle.length
      const end = properties.indexOf(PAIR_END, from)
      const value = end === -1 ? properties.slice(from) : properties.slice(from, end)
      if (value !== '') return value
    }
    at = at === 0 ? -1 : properties.lastIndexOf(needle, at - 1)
  }
  return undefined
}
