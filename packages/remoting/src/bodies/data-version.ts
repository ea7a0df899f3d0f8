import { parseJson, type JsonValue } from '../json/parse.ts'
import { asNumber, asRecord } from '../json/read.ts'
import { stringifyJson } from '../json/stringify.ts'
import type { DataVersion } from './types.ts'

/** spec: remoting, section 8.5; Java: org.apache.rocketmq.remoting.protocol.DataVersion. */

export const newDataVersion = (timestamp = 0): DataVersion => ({ counter: 0, stateVersion: 0, timestamp })

export function readDataVersion(value: JsonValue | undefined, name = 'dataVersion'): DataVersion {
  const version = asRecord(value, name)
  return {
    counter: asNumber(version['counter'], `${name}.counter`),
    stateVersion: asNumber(version['stateVersion'], `${name}.stateVersion`),
    timestamp: asNumber(version['timestamp'], `${name}.timestamp`),
  }
}

/** A body, or a header field; null when it is absent or empty. */
export function decodeDataVersion(text: Uint8Array | string | null | undefined): DataVersion | null {
  if (text === null || text === undefined || text.length === 0) return null
  return readDataVersion(parseJson(text))
}

export const encodeDataVersion = (version: DataVersion): Buffer => Buffer.from(dataVersionText(version), 'utf8')

/** Members in Java's order. */
export const dataVersionText = ({ counter, stateVersion, timestamp }: DataVersion): string =>
  stringifyJson({ counter, stateVersion, timestamp })

/** All three members decide. */
export const sameDataVersion = (a: DataVersion, b: DataVersion): boolean =>
  a.counter === b.counter && a.stateVersion === b.stateVersion && a.timestamp === b.timestamp
