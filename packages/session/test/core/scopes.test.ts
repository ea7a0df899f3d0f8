import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allows, matches, type Operation } from '../../src/core/scopes.ts'
import { everything, type Scopes } from '../../src/index.ts'

const nothing: Scopes = {
  publish: [],
  subscribe: [],
  transactions: false,
  recall: false,
  inspect: false,
  maxDelayMs: 0,
  maxPriority: -1,
  framesPerSecond: null,
  maxConnections: null,
}

const operations: Record<string, Operation> = {
  publish: { type: 'publish', topic: 'orders' },
  'publish sub-topic': { type: 'publish', topic: 'orders-eu' },
  'publish system': { type: 'publish', topic: 'rmq_sys_anything' },
  group: { type: 'group', topic: 'orders', group: 'billing' },
  'other group': { type: 'group', topic: 'orders', group: 'shipping' },
  'system group': { type: 'group', topic: 'orders', group: 'CID_RMQ_SYS_TRANS' },
  'dead letters': { type: 'group', topic: '%DLQ%billing', group: 'billing' },
  broadcast: { type: 'broadcast', topic: 'orders' },
  delay: { type: 'delay', ms: 60_000 },
  transaction: { type: 'transaction' },
  inspect: { type: 'inspect', topic: 'orders' },
  'seek group': { type: 'seek-group', topic: 'orders', group: 'billing' },
}

const scopes: Record<string, Scopes> = {
  nothing,
  everything: everything.scopes,
  'publish exact': { ...nothing, publish: ['orders'] },
  'publish pattern': { ...nothing, publish: ['orders*'] },
  'one group': { ...nothing, subscribe: [{ topic: 'orders', group: 'billing' }] },
  'group pattern': { ...nothing, subscribe: [{ topic: 'ord*', group: '*ing' }] },
  'all groups': { ...nothing, subscribe: [{ topic: 'orders', group: '*' }] },
  delays: { ...nothing, maxDelayMs: 60_000, transactions: true },
  'inspect alone': { ...nothing, inspect: true },
  'inspect and group': { ...nothing, inspect: true, subscribe: [{ topic: 'orders', group: 'billing' }] },
}

/** Scope set → operations it allows; everything else it must not. */
const expected: Record<string, readonly string[]> = {
  nothing: [],
  everything: [
    'publish',
    'publish sub-topic',
    'group',
    'other group',
    'broadcast',
    'delay',
    'transaction',
    'inspect',
    'seek group',
  ],
  'publish exact': ['publish'],
  'publish pattern': ['publish', 'publish sub-topic'],
  'one group': ['group'],
  'group pattern': ['group', 'other group'],
  'all groups': ['group', 'other group', 'broadcast'],
  delays: ['delay', 'transaction'],
  'inspect alone': [],
  'inspect and group': ['group', 'inspect', 'seek group'],
}

describe('12 operations × 10 sets of scopes', () => {
  for (const [name, set] of Object.entries(scopes))
    it(name, () => {
      const allowed = Object.keys(operations).filter(operation => allows(set, operations[operation]!))
      expect(allowed).toEqual(expected[name])
    })
})

describe('names that are nobody’s', () => {
  const topics = [
    'TBW102',
    'SCHEDULE_TOPIC_XXXX',
    'RMQ_SYS_TRANS_HALF_TOPIC',
    'rmq_sys_wheel_timer',
    '%RETRY%g',
    '%dlq%g',
    'c_REPLY_TOPIC',
  ]
  it.each(topics)('topic %s', topic => {
    expect(allows(everything.scopes, { type: 'publish', topic })).toBe(false)
    expect(allows(everything.scopes, { type: 'broadcast', topic })).toBe(false)
    expect(allows(everything.scopes, { type: 'inspect', topic })).toBe(false)
  })
  it.each(['TOOLS_CONSUMER', 'CID_RMQ_X', 'cid_rmq_sys_trans', '%RETRY%g', 'CID_ONSAPI_PULL'])('group %s', group => {
    expect(allows(everything.scopes, { type: 'group', topic: 'orders', group })).toBe(false)
  })
})

describe('patterns', () => {
  const part = fc.string({ unit: fc.constantFrom('a', 'b', '*', '-'), maxLength: 8 })
  it('mean what a regular expression would', () => {
    fc.assert(
      fc.property(part, part, (pattern, name) => {
        const expression = new RegExp(`^${pattern.split('*').join('.*')}$`)
        expect(matches(pattern, name)).toBe(expression.test(name))
      }),
    )
  })
  it('takes no exponential time', () => {
    expect(matches('*a'.repeat(50) + 'b', 'a'.repeat(1000))).toBe(false)
  })
})
