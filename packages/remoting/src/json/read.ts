import type { MessageQueue } from '../bodies/types.ts'
import { parseLong } from '../header.ts'
import { JsonError, parseJson, type JsonObject, type JsonValue } from './parse.ts'

/**
 * Typed views on parsed JSON. Null and absent values take the fallback (fastjson leaves null members out); a value of another
 * kind is a JsonError that names the member.
 */

type Maybe = JsonValue | undefined

/** Parses a body and gives its object. An absent body is an empty object. */
export function bodyObject(body: Uint8Array | null, name: string): JsonObject {
  return body === null ? emptyRecord() : asRecord(parseJson(body), name)
}

/** No prototype: any name is safe as a key. */
export const emptyRecord = <T>(): Record<string, T> => Object.create(null) as Record<string, T>

export function asRecord(value: Maybe, name: string): JsonObject {
  if (value === undefined || value === null) return emptyRecord()
  if (typeof value === 'object' && !Array.isArray(value)) return value
  throw unexpected(name, 'an object')
}

export function asArray(value: Maybe, name: string): JsonValue[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value)) return value
  throw unexpected(name, 'an array')
}

export function asString(value: Maybe, name: string, fallback = ''): string {
  if (value === undefined || value === null) return fallback
  if (typeof value === 'string') return value
  if (typeof value === 'object') throw unexpected(name, 'a text')
  return String(value)
}

export function asOptionalString(value: Maybe, name: string): string | undefined {
  return value === undefined || value === null ? undefined : asString(value, name)
}

/** Takes quoted numbers; integers beyond ±(2^53 - 1) become that bound. */
export function asNumber(value: Maybe, name: string, fallback = 0): number {
  if (typeof value === 'number') return value
  if (value === undefined || value === null || value === '') return fallback
  if (typeof value === 'bigint')
    return parseLong(value.toString()) ?? (value > 0n ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER)
  const number = typeof value === 'string' ? (parseLong(value) ?? Number(value)) : Number.NaN
  if (Number.isNaN(number)) throw unexpected(name, 'a number')
  return number
}

export function asBigInt(value: Maybe, name: string, fallback = 0n): bigint {
  if (typeof value === 'bigint') return value
  if (value === undefined || value === null || value === '') return fallback
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'string' && /^[-+]?[0-9]{1,40}$/.test(value)) return BigInt(value.replace('+', ''))
  throw unexpected(name, 'an integer')
}

export function asBoolean(value: Maybe, name: string, fallback = false): boolean {
  if (typeof value === 'boolean') return value
  if (value === undefined || value === null || value === '') return fallback
  if (typeof value === 'number') return value !== 0
  if (typeof value === 'string') {
    const word = value.toLowerCase()
    if (word === 'true' || word === '1') return true
    if (word === 'false' || word === '0') return false
  }
  throw unexpected(name, 'a boolean')
}

/** By name, or by ordinal as Go writes some. An unknown name gives the fallback, as an unknown enum is null in Java. */
export function asEnum<const T extends string>(value: Maybe, name: string, values: readonly T[], fallback: T): T {
  if (value === undefined || value === null) return fallback
  if (typeof value === 'number') return values[value] ?? fallback
  if (typeof value === 'string') return values.find(candidate => candidate === value) ?? fallback
  throw unexpected(name, `one of ${values.join(', ')}`)
}

export function asStrings(value: Maybe, name: string): string[] {
  return asArray(value, name).map((item, index) => asString(item, `${name}[${index}]`))
}

/** Every member through `read`, in a record without prototype. Null members are dropped. */
export function mapRecord<T>(value: Maybe, name: string, read: (member: JsonValue, name: string) => T): Record<string, T> {
  const result = emptyRecord<T>()
  for (const [key, member] of Object.entries(asRecord(value, name))) {
    if (member !== null) result[key] = read(member, `${name}.${key}`)
  }
  return result
}

export const asStringRecord = (value: Maybe, name: string): Record<string, string> => mapRecord(value, name, asString)
export const asNumberRecord = (value: Maybe, name: string): Record<string, number> => mapRecord(value, name, asNumber)

export function asMessageQueue(value: Maybe, name: string): MessageQueue {
  const queue = asRecord(value, name)
  return {
    topic: asString(queue['topic'], `${name}.topic`),
    brokerName: asString(queue['brokerName'], `${name}.brokerName`),
    queueId: asNumber(queue['queueId'], `${name}.queueId`),
  }
}

/** A map with queues as keys: the keys are JSON texts of the queues (see parseJson), quoted by the sender or made by the reader. */
export function asMessageQueueEntries<T>(
  value: Maybe,
  name: string,
  read: (member: JsonValue, name: string) => T,
): [MessageQueue, T][] {
  if (Array.isArray(value)) return value.map((pair, index) => readPair(pair, `${name}[${index}]`, read))
  const entries: [MessageQueue, T][] = []
  for (const [key, member] of Object.entries(asRecord(value, name))) {
    if (member !== null) entries.push([asMessageQueue(parseJson(key), `key of ${name}`), read(member, `${name}[${key}]`)])
  }
  return entries
}

/** Go writes `[[queue, value], …]`. */
function readPair<T>(pair: JsonValue, name: string, read: (member: JsonValue, name: string) => T): [MessageQueue, T] {
  const [queue, member] = asArray(pair, name)
  return [asMessageQueue(queue, name), read(member ?? null, name)]
}

function unexpected(name: string, kind: string): JsonError {
  return new JsonError(`${name.slice(0, 200)} is not ${kind}`)
}
