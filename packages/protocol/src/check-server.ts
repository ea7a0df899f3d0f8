import type { ServerFrame } from './frames.ts'
import { checkFrame, fits, isBytes, isCount, isMap, type Shape } from './shape.ts'

/** Entries of DELIVER. The meta maps come from the bridge and are not looked into. */
export function isEntries(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  for (let index = 0; index < value.length; index++) {
    const entry = value[index] as unknown[]
    if (
      !Array.isArray(entry) ||
      !isCount(entry[0]) ||
      !isCount(entry[1]) ||
      !isCount(entry[2]) ||
      typeof entry[3] !== 'string' ||
      !Number.isSafeInteger(entry[4]) ||
      !isCount(entry[5]) ||
      !isCount(entry[6]) ||
      !isMap(entry[7]) ||
      !isBytes(entry[8])
    )
      return false
  }
  return true
}

export function isReceipts(value: unknown): boolean {
  if (!Array.isArray(value)) return false
  for (let index = 0; index < value.length; index++) {
    const receipt = value[index] as unknown[]
    if (
      !Array.isArray(receipt) ||
      !isCount(receipt[0]) ||
      !isCount(receipt[1]) ||
      (receipt[2] !== null && typeof receipt[2] !== 'string') ||
      !Number.isSafeInteger(receipt[3]) ||
      !Number.isSafeInteger(receipt[4]) ||
      (receipt[5] !== undefined && !isMap(receipt[5]))
    )
      return false
  }
  return true
}

const details: Shape = {
  'name?': 's',
  'retryAfter?': 'u',
  'outcome?': 's',
  'hint?': 's',
  'detail?': 's',
  'sid?': 'u',
  'pid?': 'u',
}

/** OK and ERR frames within WELCOME. */
export const isResults = (value: unknown): boolean =>
  Array.isArray(value) && value.every(item => fits(['u=9', 'u', 'x?'], item) || fits(['u=10', 'u', 'u', 's', details], item))

/** Kind → items. The numbers are those of `Kind`; written out because every byte of this file is in every client. */
export const serverFrames = {
  // WELCOME
  2: [
    'u',
    {
      session: 's',
      epoch: 'u',
      node: 's',
      resumeToken: 's',
      resumed: 'u=0|1|2',
      now: 'u',
      hb: 'u',
      pong: 'u',
      limits: { maxFrame: 'u', maxBody: 'u', maxProperties: 'u', maxSubs: 'u', maxProducers: 'u' },
      'tokenTtl?': 'u',
      features: ['s'],
      results: isResults,
    },
  ],
  // AUTHREQ
  4: ['s', 'u'],
  // PING, PONG
  5: ['u', 'u?'],
  6: ['u', 'U?', 's?'],
  // GOAWAY
  7: ['u', 'u', 'S', 'u'],
  // OK, ERR
  9: ['u', 'x?'],
  10: ['u', 'u', 's', details],
  // FRAG
  12: ['u', 'u', 'y', 'b'],
  // RECEIPT, PLIMIT
  19: [isReceipts],
  20: ['u', 'u', 'u'],
  // TXCHECK
  22: ['u', 'u', 's', 's', 'm', 'u'],
  // DELIVER, ACKED
  33: ['u', 'u', isEntries, 'u?'],
  38: ['u', 'r', 'r?'],
  // SUBINFO, GAP, LEASE
  41: ['u', { state: 's', 'queues?': [['u', 's', 's', 'u', 'i']], 'lag?': 'i', 'ageMs?': 'i', 'detail?': 's' }],
  42: ['u', 'u', 'u', 'u', 's'],
  44: ['u', 'r'],
  // REP
  49: ['u', 'y', 'm', 'b'],
} as const satisfies Record<ServerFrame[0], readonly Shape[]>

/** A decoded value as a frame of the bridge. Null: a newer kind, to be ignored. Throws ProtocolError for what is malformed. */
export const checkServerFrame = (value: unknown): ServerFrame | null => checkFrame(serverFrames, value) as ServerFrame | null
