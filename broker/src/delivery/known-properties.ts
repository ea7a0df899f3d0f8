import { NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR, removeProperty } from '@cometmq/remoting'

/** What a send needs to know of a message's properties. One object is used again and again. */
export interface KnownProperties {
  tags: string
  keys: string
  uniqKey: string
  delay: string
  /** False only for WAIT=false. */
  wait: boolean
  transactional: boolean
  /** Name of a property that asks for a timer; '' for none. */
  timer: string
  /** TIMER_OUT_MS: the timer is over, the others are left from it. */
  timerDone: boolean
  retryTopic: string
  /** POP_CK, MSG_REGION, TRACE_ON, CLUSTER, REAL_TOPIC or REAL_QID is there: names that the broker owns. */
  brokerOwned: boolean
  /** Inner batch markers, which need a BatchCQ topic. */
  innerBatch: boolean
}

export function newKnownProperties(): KnownProperties {
  return {
    tags: '',
    keys: '',
    uniqKey: '',
    delay: '',
    wait: true,
    transactional: false,
    timer: '',
    timerDone: false,
    retryTopic: '',
    brokerOwned: false,
    innerBatch: false,
  }
}

/**
 * Fills `into` from a property string, in one pass and without a map (spec remoting, 5.4). A later one of two equal names wins;
 * a pair without name or value does not count.
 */
export function scanProperties(properties: string, into: KnownProperties): void {
  into.tags = into.keys = into.uniqKey = into.delay = into.timer = into.retryTopic = ''
  into.wait = true
  into.transactional = into.brokerOwned = into.innerBatch = into.timerDone = false
  let start = 0
  const length = properties.length
  while (start < length) {
    let end = properties.indexOf(PROPERTY_SEPARATOR, start)
    if (end < 0) end = length
    const split = properties.indexOf(NAME_VALUE_SEPARATOR, start)
    if (split < 0) return
    if (split > start && split + 1 < end) note(properties, start, split, end, into)
    start = end + 1
  }
}

function note(properties: string, start: number, split: number, end: number, into: KnownProperties): void {
  const first = properties.charCodeAt(start)
  // Upper-case letters only: user properties mostly start otherwise or have another length.
  if (first < 65 || first > 90) return
  switch (split - start) {
    case 4:
      if (properties.startsWith('TAGS', start)) into.tags = properties.slice(split + 1, end)
      else if (properties.startsWith('KEYS', start)) into.keys = properties.slice(split + 1, end)
      else if (properties.startsWith('WAIT', start)) into.wait = !isFalse(properties, split + 1, end)
      return
    case 5:
      if (properties.startsWith('DELAY', start)) into.delay = properties.slice(split + 1, end)
      return
    case 6:
      if (properties.startsWith('POP_CK', start)) into.brokerOwned = true
      return
    case 7:
      if (properties.startsWith('CLUSTER', start)) into.brokerOwned = true
      return
    case 8:
      if (properties.startsWith('UNIQ_KEY', start)) into.uniqKey = properties.slice(split + 1, end)
      else if (properties.startsWith('TRAN_MSG', start))
        into.transactional = properties.slice(split + 1, end).toLowerCase() === 'true'
      else if (properties.startsWith('TRACE_ON', start) || properties.startsWith('REAL_QID', start)) into.brokerOwned = true
      return
    case 9:
      if (properties.startsWith('INNER_NUM', start)) into.innerBatch = true
      return
    case 10:
      if (properties.startsWith('MSG_REGION', start) || properties.startsWith('REAL_TOPIC', start)) into.brokerOwned = true
      return
    case 11:
      if (properties.startsWith('RETRY_TOPIC', start)) into.retryTopic = properties.slice(split + 1, end)
      return
    case 12:
      if (properties.startsWith('TIMER_OUT_MS', start)) into.timerDone = true
      return
    case 14:
      if (properties.startsWith('TIMER_DELAY_MS', start)) into.timer = 'TIMER_DELAY_MS'
      return
    case 15:
      if (properties.startsWith('TIMER_DELAY_SEC', start)) into.timer = 'TIMER_DELAY_SEC'
      return
    case 16:
      if (properties.startsWith('TIMER_DELIVER_MS', start)) into.timer = 'TIMER_DELIVER_MS'
      return
    default:
  }
}

const isFalse = (properties: string, start: number, end: number): boolean =>
  properties.slice(start, end).toLowerCase() === 'false'

/** `properties` without any pair of these names. */
export function withoutProperties(properties: string, names: readonly string[]): string {
  let rest = properties
  for (const name of names) if (rest.includes(name)) rest = removeProperty(rest, name)
  return rest
}

/** One pair as it stands in a property string. */
export const property = (name: string, value: string): string => name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR
