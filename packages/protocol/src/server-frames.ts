import { isEntries, isReceipts } from './check-server.ts'
import type { ServerFrame } from './frames.ts'
import { fits, type Shape } from './shape.ts'

// Frames of the bridge in full, for the documentation and tests. Clients check what they rely on (check-server.ts): every byte of that is in
// every client.

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

/** Kind → items. The numbers are those of `Kind`. */
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
