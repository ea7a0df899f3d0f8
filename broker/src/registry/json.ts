import { asRecord, emptyRecord, parseJson, type DataVersion, type JsonObject } from '@cometmq/remoting'

/** What RocketMQ's state files have in common (spec store, 1.3 and 1.4). */
export const readFileObject = (text: string): JsonObject => asRecord(parseJson(text), 'the file')

/** One change later: equality of all three members means "unchanged" to name servers and slaves (spec remoting, 8.5). */
export const nextVersion = (version: DataVersion, now: number): DataVersion => ({
  ...version,
  counter: version.counter + 1,
  timestamp: now,
})

/** The members of `from` that `known` does not list: kept, so that what we do not know survives a save. */
export function unknownMembers(from: JsonObject, known: readonly string[]): JsonObject {
  const rest: JsonObject = emptyRecord()
  for (const [key, value] of Object.entries(from)) if (!known.includes(key)) rest[key] = value
  return rest
}

/** Integers beyond 2^53 are written as texts: fastjson reads "123" into a long. */
const replaceBigInt = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? value.toString() : value)

/** Laid out for people, as RocketMQ does it. */
export const writeFileObject = (value: unknown): string => JSON.stringify(value, replaceBigInt, '\t')
