import type { ClientFrame } from './frames.ts'
import { checkFrame, isBytes, isCount, isMap, type Shape } from './shape.ts'

const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(item => typeof item === 'string')

/** `MetaKey` → what its value must be. Other keys are ignored. */
function isMetaValue(key: string, value: unknown): boolean {
  switch (key) {
    case '2':
      return isTexts(value)
    case '3':
      return isMap(value) && isTexts(Object.values(value))
    case '5':
    case '6':
    case '7':
    case '12':
      return isCount(value)
    case '1':
    case '4':
    case '8':
    case '9':
    case '10':
    case '11':
    case '13':
    case '14':
      return typeof value === 'string'
    default:
      return true
  }
}

/** The meta map of a message. */
export function isMeta(value: unknown): boolean {
  if (!isMap(value)) return false
  for (const key in value) if (value[key] !== undefined && !isMetaValue(key, value[key])) return false
  return true
}

/** Entries of SENDB. */
export function isBatch(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  for (let index = 0; index < value.length; index++) {
    const entry = value[index] as unknown[]
    if (!Array.isArray(entry) || !isMeta(entry[0]) || !isBytes(entry[1]) || (entry[2] !== undefined && !isCount(entry[2])))
      return false
  }
  return true
}

const openProducer = [
  'u',
  'u',
  's',
  { kind: 's=normal|fifo|delay|transaction|priority', 'group?': 's', 'schemaHash?': 's' },
] as const satisfies Shape
const openSubscription = [
  'u',
  'u',
  {
    mode: 's=group|broadcast',
    'group?': 's',
    topics: [['s', 'u=0|1|2', 's']],
    'ordered?': 'y',
    'start?': { '': 's=latest|earliest', 'at?': 'u', 'cursor?': [['s', 's', 'u', 'u']] },
    'leaseMs?': 'u',
    'slow?': 's=pause|drop-oldest|latest-per-key|disconnect',
    limit: ['u', 'u'],
  },
] as const satisfies Shape

/** Kind → items. The numbers are those of `Kind`. */
export const clientFrames = {
  // HELLO
  1: [
    'u',
    {
      proto: 'u',
      sdk: 's',
      runtime: 's',
      'auth?': 's',
      'resume?': { token: 's', subs: [['u', 'u']] },
      'hb?': 'u',
      maxFrame: 'u',
      'producers?': [openProducer],
      'subs?': [openSubscription],
    },
  ],
  // AUTH
  3: ['u', 's'],
  // PING, PONG
  5: ['u', 'u?'],
  6: ['u', 'U?', 's?'],
  // BYE
  8: ['u=0|1'],
  // CANCEL
  11: ['u'],
  // FRAG
  12: ['u', 'u', 'y', 'b'],
  // POPEN, SEND, SENDB
  16: openProducer,
  17: ['u', 'u', 'u', isMeta, 'b'],
  18: ['u', 'u', 'u', isBatch],
  // TXEND, TXSTATE, RECALL
  21: ['u', 's', 'u=1|2'],
  23: ['u', 'u=0|1|2'],
  24: ['u', 'u', 's'],
  // SUB
  32: openSubscription,
  // ACK, NACK, EXTEND, DEAD
  34: ['u', 'r', 'y?'],
  35: ['u', 'r', 'U', 's?'],
  36: ['u', 'r', 'u'],
  37: ['u', 'r', 's'],
  // LIMIT, UNSUB, SEEK
  39: ['u', 'u', 'u'],
  40: ['u', 'u', 'u=0|1'],
  43: ['u', 'u', { '': 's=earliest|latest', 'at?': 'u', 'queue?': 'u', 'offset?': 'u' }],
  // REQ, RESP
  48: ['u', 'u', 'u', isMeta, 'b'],
  50: ['u', 'u', isMeta, 'b'],
  // QUERY
  64: ['u', 's', 'm'],
} as const satisfies Record<ClientFrame[0], readonly Shape[]>

/** A decoded value as a frame of a client. Null: a newer kind, to be ignored. Throws ProtocolError for what is malformed. */
export const checkClientFrame = (value: unknown): ClientFrame | null => checkFrame(clientFrames, value) as ClientFrame | null
