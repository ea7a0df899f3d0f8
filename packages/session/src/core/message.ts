import { isReservedProperty, type SendItem } from '@cometmq/cluster'
import { Flag, type Meta } from '@cometmq/protocol'
import { allows } from './scopes.ts'
import { delayLevelOf } from './delay.ts'
import type { Fault } from './errors.ts'
import type { Scopes } from '../principal.ts'

export type ProducerKind = 'normal' | 'fifo' | 'delay'

/** What all messages of one frame have in common. */
export interface MessageRules {
  readonly topic: string
  readonly kind: ProducerKind
  readonly scopes: Scopes
  readonly maxBodyBytes: number
  readonly maxPropertyBytes: number
  /** Epoch ms. */
  readonly now: number
}

/** Compressed with zlib (spec remoting 5.2: bit 0 and compression type 3 in bits 8–10). */
const zlibSysFlag = 0x301
/** Flag.text, so that a reader gets text again. */
export const textProperty = 'CMQ_TEXT'

/** Meta keys that become a property of their own. */
const ownMeta = [8, 9, 13] as const
const ownMetaNames = { 8: 'CMQ_ID', 9: 'traceparent', 13: 'CMQ_CT' } as const

const NAME_END = '\x01'
const VALUE_END = '\x02'

/** The message as it goes to the broker, its property string encoded once; or what is wrong with it. */
export function itemOf(rules: MessageRules, flags: number, meta: Meta, body: Uint8Array, msgId: string): SendItem | Fault {
  if (body.length === 0) return bad(40000, 'the body is empty; RocketMQ stores no message without a body')
  if (body.length > rules.maxBodyBytes)
    return bad(41301, `the body has ${body.length} bytes; the limit is ${rules.maxBodyBytes}: send a reference instead`)
  const refused = refusal(rules, flags, meta)
  if (refused) return refused
  let text = `UNIQ_KEY${NAME_END}${msgId}${VALUE_END}`
  const level = delayOf(rules, meta)
  if (typeof level === 'object') return level
  if (level > 0) text += `DELAY${NAME_END}${level}${VALUE_END}`
  const own = ownProperties(meta, rules.now)
  if (typeof own === 'object') return own
  text += own
  if ((flags & Flag.text) !== 0) text += `${textProperty}${NAME_END}1${VALUE_END}`
  if ((flags & Flag.resent) !== 0) text += `CMQ_RESENT${NAME_END}1${VALUE_END}`
  if (text.length * 3 > rules.maxPropertyBytes && Buffer.byteLength(text) > rules.maxPropertyBytes)
    return bad(41302, `keys, tag and properties take ${Buffer.byteLength(text)} bytes; the limit is ${rules.maxPropertyBytes}`)
  const compressed = (flags & Flag.compressed) !== 0
  return {
    topic: rules.topic,
    body,
    properties: text,
    sysFlag: compressed ? zlibSysFlag : 0,
    flag: 0,
    bornTimestamp: rules.now,
    orderKey: meta[4],
    alone: compressed || level > 0,
  }
}

export const isFault = (value: SendItem | Fault): value is Fault => 'code' in value

/** What is asked for and the producer's kind or this version does not have. */
function refusal(rules: MessageRules, flags: number, meta: Meta): Fault | undefined {
  if ((flags & Flag.half) !== 0) return unsupported('transactions')
  if (meta[7] !== undefined) return unsupported('priorities')
  if (meta[10] !== undefined || meta[11] !== undefined) return unsupported('request and reply')
  const group = meta[4]
  if (rules.kind === 'fifo') {
    if (typeof group !== 'string' || group === '')
      return bad(40005, 'a message of a fifo producer needs a message group; set `group`')
  } else if (group !== undefined) {
    return bad(40011, `a message group was given, but the producer is of kind ${rules.kind}; open it as fifo`)
  }
  if (rules.kind !== 'delay' && (meta[5] !== undefined || meta[6] !== undefined))
    return bad(40011, `a delay was given, but the producer is of kind ${rules.kind}; open it as delay`)
  return undefined
}

/** Level 0: at once. */
function delayOf(rules: MessageRules, meta: Meta): number | Fault {
  const after = meta[5]
  const at = meta[6]
  if (after === undefined && at === undefined) return 0
  if (after !== undefined && at !== undefined) return bad(40012, 'both a delay and a delivery time were given; leave one out')
  const ms = after ?? at! - rules.now
  if (!Number.isFinite(ms)) return bad(40012, 'the delay is not a number')
  if (ms <= 0) return 0
  if (!allows(rules.scopes, { type: 'delay', ms }))
    return bad(40390, `the token allows delays of at most ${rules.scopes.maxDelayMs} ms; ${ms} ms was asked for`)
  const level = delayLevelOf(ms)
  if (level > 0) return level
  return bad(40012, `a delay of ${ms} ms is not one of the broker's levels (1, 5, 10, 30 s, 1–10, 20, 30 min, 1, 2 h)`)
}

function ownProperties(meta: Meta, now: number): string | Fault {
  let text = ''
  const tag = meta[1]
  if (tag !== undefined) {
    if (tag === '' || tag.includes('||') || tag.trim() !== tag || hasSeparator(tag))
      return bad(40003, 'a tag must not be empty, hold || or control characters, nor begin or end with a blank')
    text += `TAGS${NAME_END}${tag}${VALUE_END}`
  }
  const keys = meta[2]
  if (keys !== undefined && keys.length > 0) {
    for (const key of keys)
      if (key === '' || /\s/.test(key) || hasSeparator(key))
        return bad(40004, 'a key must not be empty, nor hold blanks or control characters')
    text += `KEYS${NAME_END}${keys.join(' ')}${VALUE_END}`
  }
  const props = meta[3]
  if (props !== undefined) {
    for (const name in props) {
      const value = props[name]!
      const wrong = propertyFault(name, value)
      if (wrong) return wrong
      text += name + NAME_END + value + VALUE_END
    }
  }
  if (meta[4] !== undefined) {
    if (hasSeparator(meta[4])) return bad(40005, 'the message group holds a control character')
    text += `__SHARDINGKEY${NAME_END}${meta[4]}${VALUE_END}`
  }
  if (meta[12] !== undefined) {
    if (!(meta[12] > 0)) return bad(40000, 'expires must be more than 0 ms')
    text += `CMQ_EXPIRES${NAME_END}${Math.ceil(now + meta[12])}${VALUE_END}`
  }
  for (const key of ownMeta) {
    const value = meta[key]
    if (value === undefined || value === '') continue
    if (hasSeparator(value)) return bad(40000, `${ownMetaNames[key]} holds a control character`)
    text += ownMetaNames[key] + NAME_END + value + VALUE_END
  }
  return text
}

function propertyFault(name: string, value: string): Fault | undefined {
  if (name === '' || value === '')
    return bad(40006, 'neither name nor value of a property may be empty: RocketMQ would not keep it')
  if (hasSeparator(name) || hasSeparator(value))
    return bad(40006, `property ${JSON.stringify(name.slice(0, 40))} holds a control character`)
  if (name.startsWith('CMQ_') || isReservedProperty(name))
    return bad(40006, `property name ${name.slice(0, 40)} is reserved; choose another one`)
  return undefined
}

const hasSeparator = (text: string): boolean => text.includes(NAME_END) || text.includes(VALUE_END)

const bad = (code: number, text: string): Fault => ({ code, text, outcome: 'not-executed' })
const unsupported = (what: string): Fault => bad(50101, `${what} are not supported by this bridge; leave the option out`)
