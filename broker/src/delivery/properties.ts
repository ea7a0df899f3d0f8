/**
 * Work on the property string `name 0x01 value 0x02 …` without taking it apart into a map (spec remoting, 5.4). A later
 * one of two equal names wins; a segment without name or value does not count.
 */
const NAME_END = '\u0001'
const VALUE_END = '\u0002'

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

/** Fills `into` from `properties`, in one pass. */
export function scanProperties(properties: string, into: KnownProperties): void {
  into.tags = into.keys = into.uniqKey = into.delay = into.timer = into.retryTopic = ''
  into.wait = true
  into.transactional = into.brokerOwned = into.innerBatch = into.timerDone = false
  let start = 0
  const length = properties.length
  while (start < length) {
    let end = properties.indexOf(VALUE_END, start)
    if (end < 0) end = length
    const split = properties.indexOf(NAME_END, start)
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
      else if (properties.startsWith('TRAN_MSG', start)) into.transactional = properties.slice(split + 1, end).toLowerCase() === 'true'
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

const isFalse = (properties: string, start: number, end: number): boolean => properties.slice(start, end).toLowerCase() === 'false'

/** The value of the last property of that name, or ''. */
export function propertyOf(properties: string, name: string): string {
  let found = ''
  eachSegment(properties, (start, split, end) => {
    if (split - start === name.length && properties.startsWith(name, start)) found = properties.slice(split + 1, end)
  })
  return found
}

/** The string without any property of these names. */
export function withoutProperties(properties: string, names: readonly string[]): string {
  let kept = ''
  eachSegment(properties, (start, split, end) => {
    if (!names.includes(properties.slice(start, split))) kept += properties.slice(start, end) + VALUE_END
  })
  return kept
}

/** The string with exactly one property `name`, set to `value`. */
export function withProperty(properties: string, name: string, value: string): string {
  return withoutProperties(properties, [name]) + property(name, value)
}

/** Joins two property strings; 4.9 clients leave out the last separator. */
export function joinProperties(properties: string, more: string): string {
  if (properties.length === 0 || more.length === 0) return properties + more
  return properties.charCodeAt(properties.length - 1) === 2 ? properties + more : properties + VALUE_END + more
}

export const property = (name: string, value: string): string => name + NAME_END + value + VALUE_END

function eachSegment(properties: string, visit: (start: number, split: number, end: number) => void): void {
  let start = 0
  while (start < properties.length) {
    let end = properties.indexOf(VALUE_END, start)
    if (end < 0) end = properties.length
    const split = properties.indexOf(NAME_END, start)
    if (split > start && split + 1 < end) visit(start, split, end)
    start = end + 1
  }
}
