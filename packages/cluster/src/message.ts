import { groupNameFault, isReservedProperty, isSendForbiddenTopic, PropertyKey, topicNameFault } from '@cometmq/remoting'
import { refused } from './errors.ts'

/** A message to be sent. */
export interface OutgoingMessage {
  topic: string
  /** Text is sent as UTF-8. 1 byte to 4 MiB. */
  body: Uint8Array | string
  /** One tag, for filtering. */
  tag?: string
  /** Index keys; none may hold a blank. */
  keys?: readonly string[]
  /** User properties; names and values not empty, names not those RocketMQ keeps for itself. */
  properties?: Readonly<Record<string, string>>
  /** Messages of the same order key go to the same queue of the topic. */
  orderKey?: string
  /** An int32 of the application's own. Default 0. */
  flag?: number
  /** False: the broker answers without waiting for disk and replicas. Default true. */
  waitStored?: boolean
  /** Delivery after the broker's delay level 1 to 18. */
  delayLevel?: number
  /** Delivery after so many milliseconds (brokers from 5.0 on). */
  delayMs?: number
  /** Delivery at this time, epoch ms (brokers from 5.0 on). */
  deliverAt?: number
}

export const maxBodyBytes = 4 * 1024 * 1024
export const maxPropertiesBytes = 32_767

/** Throws E_ARGUMENT. */
export function checkTopic(topic: string): void {
  const fault = topicNameFault(topic)
  if (fault !== null) throw refused('E_ARGUMENT', `no valid topic name: ${JSON.stringify(topic.slice(0, 60))}`, fault)
}

/** Throws E_ARGUMENT. */
export function checkGroup(group: string): void {
  const fault = groupNameFault(group)
  if (fault !== null) throw refused('E_ARGUMENT', `no valid group name: ${JSON.stringify(group.slice(0, 60))}`, fault)
}

const bad = (why: string) => refused('E_MESSAGE', 'the message cannot be sent', why)

/** Not a copy when it is bytes already. */
export const bodyOf = (message: OutgoingMessage): Buffer => {
  const { body } = message
  return typeof body === 'string' ? Buffer.from(body, 'utf8') : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

/** Throws E_ARGUMENT or E_MESSAGE. */
export function checkMessage(message: OutgoingMessage, bodyBytes: number): void {
  checkTopic(message.topic)
  if (isSendForbiddenTopic(message.topic)) throw bad(`topic ${message.topic} is the broker's own`)
  if (bodyBytes === 0) throw bad('its body is empty')
  if (bodyBytes > maxBodyBytes) throw bad(`its body has ${bodyBytes} bytes, the limit is ${maxBodyBytes}`)
  checkTimes(message)
}

function checkTimes(message: OutgoingMessage): void {
  const given = [message.delayLevel, message.delayMs, message.deliverAt].filter(value => value !== undefined)
  if (given.length > 1) throw bad('only one of delayLevel, delayMs and deliverAt may be given')
  if (given.some(value => !Number.isSafeInteger(value) || value < 0)) throw bad('a delay must be a whole number, 0 or more')
}

/** All properties of one message as they travel. Throws E_MESSAGE. */
export function propertiesOf(message: OutgoingMessage, uniqueKey: string): Record<string, string> {
  const all: Record<string, string> = {}
  for (const [name, value] of Object.entries(message.properties ?? {})) {
    if (isReservedProperty(name)) throw bad(`property name ${name} is RocketMQ's own`)
    set(all, name, value)
  }
  all[PropertyKey.UNIQ_KEY] = uniqueKey
  all[PropertyKey.WAIT] = String(message.waitStored ?? true)
  if (message.tag !== undefined) {
    if (message.tag.includes('||') || message.tag.trim() !== message.tag)
      throw bad('a tag must not hold || nor begin or end with a blank')
    set(all, PropertyKey.TAGS, message.tag)
  }
  if (message.keys !== undefined && message.keys.length > 0) {
    if (message.keys.some(key => key === '' || /\s/.test(key))) throw bad('a key must not be empty nor hold a blank')
    set(all, PropertyKey.KEYS, message.keys.join(' '))
  }
  if (message.orderKey !== undefined) set(all, PropertyKey.SHARDING_KEY, message.orderKey)
  if (message.delayLevel) all[PropertyKey.DELAY] = String(message.delayLevel)
  if (message.delayMs !== undefined) all[PropertyKey.TIMER_DELAY_MS] = String(message.delayMs)
  if (message.deliverAt !== undefined) all[PropertyKey.TIMER_DELIVER_MS] = String(message.deliverAt)
  return all
}

function set(all: Record<string, string>, name: string, value: string): void {
  if (name === '' || value === '') throw bad(`property ${JSON.stringify(name)}: neither name nor value may be empty`)
  if (hasSeparator(name) || hasSeparator(value)) throw bad(`property ${JSON.stringify(name)} holds a character 1 or 2`)
  all[name] = value
}

const hasSeparator = (text: string): boolean => text.includes('\u0001') || text.includes('\u0002')

export function checkProperties(encoded: string): string {
  const bytes = Buffer.byteLength(encoded)
  if (bytes > maxPropertiesBytes) throw bad(`its properties have ${bytes} bytes, the limit is ${maxPropertiesBytes}`)
  return encoded
}
