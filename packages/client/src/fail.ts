import { BridgeError } from './errors.ts'
import type { TopicDef } from './topic.ts'

export function fail(status: number, text: string): never {
  throw new BridgeError(status, text)
}

/** INVALID_ARGUMENT */
export function wrong(text: string): never {
  fail(60004, text)
}

export const unsupported = (what: string): BridgeError => new BridgeError(50101, `${what} is not supported by this version`)

export function topicOf(topics: readonly TopicDef[], name: string): TopicDef {
  return topics.find(topic => topic.name === name) ?? wrong(`topic ${name} is not among the topics of connect()`)
}
