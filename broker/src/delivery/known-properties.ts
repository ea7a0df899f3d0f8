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

const T = 84
const K = 75
const U = 85
const W = 87

/** Whether `name` stands at `start`. The string is flat by then, so that reading single characters is cheaper than a call. */
function isAt(properties: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (properties.charCodeAt(start + i) !== name.charCodeAt(i)) return false
  return true
}

function note(properties: string, start: number, split: number, end: number, into: KnownProperties): void {
  const first = properties.charCodeAt(start)
  // Upper-case letters only: user properties mostly start otherwise or have another length.
  if (first < 65 || first > 90) return
  switch (split - start) {
    case 4:
      if (first === T && isAt(properties, start, 'TAGS')) into.tags = properties.slice(split + 1, end)
      else if (first === K && isAt(properties, start, 'KEYS')) into.keys = properties.slice(split + 1, end)
      else if (first === W && isAt(properties, start, 'WAIT')) into.wait = !isFalse(properties, split + 1, end)
      return
    case 5:
      if (isAt(properties, start, 'DELAY')) into.delay = properties.slice(split + 1, end)
      return
    case 6:
      if (isAt(properties, start, 'POP_CK')) into.brokerOwned = true
      return
    case 7:
      if (isAt(properties, start, 'CLUSTER')) into.brokerOwned = true
      return
    case 8:
      if (first === U && isAt(properties, start, 'UNIQ_KEY')) into.uniqKey = properties.slice(split + 1, end)
      else if (isAt(properties, start, 'TRAN_MSG')) into.transactional = properties.slice(split + 1, end).toLowerCase() === 'true'
      else if (isAt(properties, start, 'TRACE_ON') || isAt(properties, start, 'REAL_QID')) into.brokerOwned = true
      return
    case 9:
      if (isAt(properties, start, 'INNER_NUM')) into.innerBatch = true
      return
    case 10:
      if (isAt(properties, start, 'MSG_REGION') || isAt(properties, start, 'REAL_TOPIC')) into.brokerOwned = true
      return
    case 11:
      if (isAt(properties, start, 'RETRY_TOPIC')) into.retryTopic = properties.slice(split + 1, end)
      return
    case 12:
      if (isAt(properties, start, 'TIMER_OUT_MS')) into.timerDone = true
      return
    case 14:
      if (isAt(properties, start, 'TIMER_DELAY_MS')) into.timer = 'TIMER_DELAY_MS'
      return
    case 15:
      if (isAt(properties, start, 'TIMER_DELAY_SEC')) into.timer = 'TIMER_DELAY_SEC'
      return
    case 16:
      if (isAt(properties, start, 'TIMER_DELIVER_MS')) into.timer = 'TIMER_DELIVER_MS'
      return
    default:
  }
}

const isFalse = (properties: string, start: number, end: number): boolean =>
  end - start === 5 && properties.slice(start, end).toLowerCase() === 'false'

/** `properties` without any pair of these names. */
export function withoutProperties(properties: string, names: readonly string[]): string {
  let rest = properties
  for (const name of names) if (rest.includes(name)) rest = removeProperty(rest, name)
  return rest
}

/** One pair as it stands in a property string. */
export const property = (name: string, value: string): string => name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR
