/** Header of 10, 310 and 320 (spec remoting, 3.2). One object is filled for each send. */
export interface SendFields {
  producerGroup: string
  topic: string
  defaultTopic: string
  defaultTopicQueueNums: number
  queueId: number
  sysFlag: number
  bornTimestamp: number
  flag: number
  properties: string
  reconsumeTimes: number
  unitMode: boolean
  /** -1 when absent. */
  maxReconsumeTimes: number
  batch: boolean
}

export function newSendFields(): SendFields {
  return {
    producerGroup: '',
    topic: '',
    defaultTopic: '',
    defaultTopicQueueNums: 0,
    queueId: 0,
    sysFlag: 0,
    bornTimestamp: 0,
    flag: 0,
    properties: '',
    reconsumeTimes: 0,
    unitMode: false,
    maxReconsumeTimes: -1,
    batch: false,
  }
}

type Ext = Readonly<Record<string, string | undefined>> | null

/** Letters of 310 and 320. Returns what is wrong, or null. */
export function readShortNames(ext: Ext, into: SendFields): string | null {
  if (ext === null) return 'has no header fields'
  into.producerGroup = ext['a'] ?? ''
  into.topic = ext['b'] ?? ''
  into.defaultTopic = ext['c'] ?? ''
  into.defaultTopicQueueNums = whole(ext['d'])
  into.queueId = whole(ext['e'])
  into.sysFlag = whole(ext['f'])
  into.bornTimestamp = whole(ext['g'])
  into.flag = whole(ext['h'])
  into.properties = ext['i'] ?? ''
  into.reconsumeTimes = optional(ext['j'], 0)
  into.unitMode = ext['k'] === 'true'
  into.maxReconsumeTimes = optional(ext['l'], -1)
  into.batch = ext['m'] === 'true'
  return problem(into, SHORT)
}

/** Long names of 10. Returns what is wrong, or null. */
export function readLongNames(ext: Ext, into: SendFields): string | null {
  if (ext === null) return 'has no header fields'
  into.producerGroup = ext['producerGroup'] ?? ''
  into.topic = ext['topic'] ?? ''
  into.defaultTopic = ext['defaultTopic'] ?? ''
  into.defaultTopicQueueNums = whole(ext['defaultTopicQueueNums'])
  into.queueId = whole(ext['queueId'])
  into.sysFlag = whole(ext['sysFlag'])
  into.bornTimestamp = whole(ext['bornTimestamp'])
  into.flag = whole(ext['flag'])
  into.properties = ext['properties'] ?? ''
  into.reconsumeTimes = optional(ext['reconsumeTimes'], 0)
  into.unitMode = ext['unitMode'] === 'true'
  into.maxReconsumeTimes = optional(ext['maxReconsumeTimes'], -1)
  into.batch = ext['batch'] === 'true'
  return problem(into, LONG)
}

const whole = (value: string | undefined): number => (value === undefined || value === '' ? NaN : Number(value))
const optional = (value: string | undefined, otherwise: number): number =>
  value === undefined || value === '' ? otherwise : Number(value)

const isInt32 = (value: number): boolean => (value | 0) === value

type Names = Readonly<
  Record<
    'defaultTopicQueueNums' | 'queueId' | 'sysFlag' | 'flag' | 'reconsumeTimes' | 'maxReconsumeTimes' | 'bornTimestamp' | 'topic',
    string
  >
>

const LONG: Names = {
  topic: 'topic',
  defaultTopicQueueNums: 'defaultTopicQueueNums',
  queueId: 'queueId',
  sysFlag: 'sysFlag',
  bornTimestamp: 'bornTimestamp',
  flag: 'flag',
  reconsumeTimes: 'reconsumeTimes',
  maxReconsumeTimes: 'maxReconsumeTimes',
}

const SHORT: Names = {
  topic: 'b (topic)',
  defaultTopicQueueNums: 'd (defaultTopicQueueNums)',
  queueId: 'e (queueId)',
  sysFlag: 'f (sysFlag)',
  bornTimestamp: 'g (bornTimestamp)',
  flag: 'h (flag)',
  reconsumeTimes: 'j (reconsumeTimes)',
  maxReconsumeTimes: 'l (maxReconsumeTimes)',
}

const INT32_FIELDS = ['defaultTopicQueueNums', 'queueId', 'sysFlag', 'flag', 'reconsumeTimes', 'maxReconsumeTimes'] as const

function problem(fields: SendFields, names: Names): string | null {
  if (
    isInt32(fields.queueId) &&
    isInt32(fields.sysFlag) &&
    isInt32(fields.flag) &&
    isInt32(fields.reconsumeTimes) &&
    isInt32(fields.maxReconsumeTimes) &&
    isInt32(fields.defaultTopicQueueNums) &&
    Number.isSafeInteger(fields.bornTimestamp)
  ) {
    return null
  }
  const wrong = INT32_FIELDS.find(name => !isInt32(fields[name]))
  return `header field ${names[wrong ?? 'bornTimestamp']} is missing or not a whole number`
}
