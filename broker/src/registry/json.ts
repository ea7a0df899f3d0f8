import { parseJson, type DataVersion } from '@cometmq/remoting'

/** Reading of the members of RocketMQ's JSON files. A wrong type is an error that names the member; an absent one has a default. */
export type JsonObject = Readonly<Record<string, unknown>>

/** No prototype: `__proto__` is a valid topic name. */
export const newRecord = <T>(): Record<string, T> => Object.create(null) as Record<string, T>

export function readObject(text: string): JsonObject {
  return object(parseJson(text), 'the file')
}

export function object(value: unknown, name: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new Error(`${name} is not an object`)
}

export function optionalObject(from: JsonObject, name: string): JsonObject {
  const value = from[name]
  return value === undefined || value === null ? {} : object(value, name)
}

/** A whole number; int64 values beyond 2^53 lose precision. */
export function int(from: JsonObject, name: string, otherwise: number): number {
  const value = from[name]
  if (value === undefined || value === null) return otherwise
  const number = typeof value === 'bigint' || typeof value === 'string' ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number)) return number
  throw new Error(`${name} is not a whole number`)
}

export function bool(from: JsonObject, name: string, otherwise: boolean): boolean {
  const value = from[name]
  if (value === undefined || value === null) return otherwise
  if (typeof value === 'boolean') return value
  throw new Error(`${name} is not true or false`)
}

export function text(from: JsonObject, name: string, otherwise: string): string {
  const value = from[name]
  if (value === undefined || value === null) return otherwise
  if (typeof value === 'string') return value
  throw new Error(`${name} is not a text`)
}

export function texts(from: JsonObject, name: string): Record<string, string> {
  const result = newRecord<string>()
  for (const [key, value] of Object.entries(optionalObject(from, name))) {
    if (typeof value === 'string') result[key] = value
  }
  return result
}

export function readDataVersion(from: JsonObject): DataVersion {
  const version = optionalObject(from, 'dataVersion')
  return {
    counter: int(version, 'counter', 0),
    stateVersion: int(version, 'stateVersion', 0),
    timestamp: int(version, 'timestamp', 0),
  }
}

/** The members of `from` that `known` does not list: kept, so that what we do not know survives a save. */
export function unknownMembers(from: JsonObject, known: readonly string[]): JsonObject {
  const rest = newRecord<unknown>()
  for (const [key, value] of Object.entries(from)) if (!known.includes(key)) rest[key] = value
  return rest
}

/** Integers beyond 2^53 are written as texts: fastjson reads "123" into a long. */
const replaceBigInt = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)

export const writeJson = (value: unknown): string => JSON.stringify(value, replaceBigInt, '\t')
