import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addressText,
  appendProperties,
  createUniqueIdGenerator,
  encodeProperties,
  getProperty,
  groupNameFault,
  isReservedProperty,
  isSendForbiddenTopic,
  isSystemGroup,
  isSystemTopic,
  javaHashCode,
  MessageFormatError,
  offsetMessageId,
  offsetMessageIdsOf,
  parseOffsetMessageId,
  parseProperties,
  parseTagExpression,
  removeProperty,
  setProperty,
  topicNameFault,
} from '../../src/index.ts'

const name = fc.constantFrom('A', 'B', 'AB', 'BA', 'KEYS')
const messyProperties = fc
  .array(fc.oneof(name, fc.constantFrom('\x01', '\x02', '1', '')), { maxLength: 24 })
  .map(pieces => pieces.join(''))

describe('properties', () => {
  it.each([
    ['A\x011\x02B\x012\x02', { A: '1', B: '2' }],
    ['A\x011\x02B\x012', { A: '1', B: '2' }],
    ['A\x01\x02B\x012\x02', { B: '2' }],
    ['\x011\x02B\x012\x02', { B: '2' }],
    ['A\x02B\x012\x02', { B: '2' }],
    ['A\x011\x02A\x012\x02', { A: '2' }],
    ['A\x011\x01x\x02', { A: '1\x01x' }],
    ['', {}],
  ])('of %j', (text, expected) => {
    expect(Object.fromEntries(parseProperties(text))).toEqual(expected)
  })

  it('are found one by one exactly as all together', () => {
    fc.assert(
      fc.property(messyProperties, name, (text, wanted) => {
        expect(getProperty(text, wanted)).toBe(parseProperties(text).get(wanted))
      }),
      { numRuns: 3000 },
    )
  })

  it('can be removed, and nothing else goes', () => {
    fc.assert(
      fc.property(messyProperties, name, (text, unwanted) => {
        const expected = parseProperties(text)
        expected.delete(unwanted)
        expect(Object.fromEntries(parseProperties(removeProperty(text, unwanted)))).toEqual(Object.fromEntries(expected))
      }),
      { numRuns: 3000 },
    )
    expect(removeProperty('A\x011\x02B\x012\x02A\x013', 'A')).toBe('B\x012\x02')
    expect(removeProperty('BA\x011\x02', 'A')).toBe('BA\x011\x02')
  })

  it('can be appended to a text without its last separator', () => {
    expect(appendProperties('A\x011', 'B\x012\x02')).toBe('A\x011\x02B\x012\x02')
    expect(appendProperties('A\x011\x02', 'B\x012\x02')).toBe('A\x011\x02B\x012\x02')
    expect(appendProperties('', 'B\x012\x02')).toBe('B\x012\x02')
    expect(appendProperties('A\x011', '')).toBe('A\x011')
    expect(setProperty('A\x011\x02B\x012', 'A', '3')).toBe('B\x012\x02A\x013\x02')
  })

  it('round-trip', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1 }).filter(text => !/[\x01\x02]/.test(text))
    fc.assert(
      fc.property(fc.dictionary(word, word), properties => {
        expect(Object.fromEntries(parseProperties(encodeProperties(Object.entries(properties))))).toEqual(properties)
      }),
    )
  })

  it('refuse separators and skip what readers would not see', () => {
    expect(() => encodeProperties([['a', 'x\x02y']])).toThrow(/0x01 or 0x02/)
    expect(
      encodeProperties([
        ['a', ''],
        ['', 'b'],
        ['c', 'd'],
      ]),
    ).toBe('c\x01d\x02')
  })

  it('know reserved names', () => {
    expect(isReservedProperty('UNIQ_KEY')).toBe(true)
    expect(isReservedProperty('__RMQ.TRANSIENT.X')).toBe(true)
    expect(isReservedProperty('colour')).toBe(false)
  })
})

describe('offset message ids', () => {
  const v4 = Buffer.from('0a00000100002a9f', 'hex')
  it('match the published vector', () => {
    expect(offsetMessageId(v4, 4096)).toBe('0A00000100002A9F0000000000001000')
    expect(offsetMessageIdsOf(v4)(4096)).toBe('0A00000100002A9F0000000000001000')
    expect(parseOffsetMessageId('0A00000100002A9F0000000000001000')).toEqual({
      address: '10.0.0.1',
      port: 10911,
      physicalOffset: 4096,
    })
  })

  it('round-trip', () => {
    fc.assert(
      fc.property(fc.constantFrom(4, 16), fc.nat(65535), fc.maxSafeNat(), (addressBytes, port, position) => {
        const host = Buffer.alloc(addressBytes + 4, 0xfe)
        host.writeInt32BE(port, addressBytes)
        const id = offsetMessageId(host, position)
        expect(id).toHaveLength(addressBytes === 4 ? 32 : 56)
        expect(parseOffsetMessageId(id)).toEqual({
          address: addressText(host.subarray(0, addressBytes)),
          port,
          physicalOffset: position,
        })
      }),
    )
  })

  it.each([
    '',
    '0A',
    'x'.repeat(32),
    '0A00000100002A9F00000000000010',
    '0A000001FFFFFFFF0000000000001000',
    '0A00000100002A9FFFFFFFFFFFFFFFFF',
  ])('refuse %j', id => {
    expect(() => parseOffsetMessageId(id)).toThrow(MessageFormatError)
  })
})

describe('unique ids', () => {
  it('have the layout of Java', () => {
    const now = new Date(2026, 0, 1, 0, 0, 1, 5).getTime()
    const next = createUniqueIdGenerator(
      { now: () => now },
      { address: Buffer.from([10, 0, 0, 9]), processId: 0x1_2345, seed: 0x01020304 },
    )
    expect(next()).toBe('0A0000092345010203040000' + '03ED' + '0000')
    expect(next()).toBe('0A0000092345010203040000' + '03ED' + '0001')
  })

  it('begin again with the month', () => {
    let now = new Date(2026, 1, 1).getTime() - 1
    const next = createUniqueIdGenerator({ now: () => now }, { address: Buffer.alloc(16), processId: 1, seed: 1 })
    expect(next().slice(44, 52)).toBe((31 * 86_400_000 - 1).toString(16).toUpperCase().padStart(8, '0'))
    now += 1
    expect(next().slice(44, 52)).toBe('00000000')
    expect(next()).toHaveLength(56)
  })

  it('differ within one millisecond', () => {
    const next = createUniqueIdGenerator({ now: () => 1 }, { address: Buffer.alloc(4), processId: 1, seed: 1 })
    expect(new Set(Array.from({ length: 65_536 }, next)).size).toBe(65_536)
  })
})

describe('tags', () => {
  it('hash as in Java', () => {
    expect(javaHashCode('TagA')).toBe(2598919)
    expect(javaHashCode('TagB')).toBe(2598920)
    expect(javaHashCode('')).toBe(0)
    expect(javaHashCode('polygenelubricants')).toBe(-2147483648)
  })

  it('are read from expressions', () => {
    for (const all of [null, undefined, '', '*']) expect(parseTagExpression(all)).toEqual({ all: true, tags: [], codes: [] })
    expect(parseTagExpression(' TagA || TagB||TagA|| ')).toEqual({
      all: false,
      tags: ['TagA', 'TagB'],
      codes: [2598919, 2598920],
    })
    expect(parseTagExpression('||')).toBeNull()
  })
})

describe('names', () => {
  it.each(['T', '%RETRY%G', 'a|b-c_D9', 'x'.repeat(127), '%DLQ%' + 'x'.repeat(250)])('take topic %j', topic => {
    expect(topicNameFault(topic)).toBeNull()
  })
  it.each([
    ['', /blank/],
    ['  ', /blank/],
    ['x'.repeat(128), /128 characters, more than 127/],
    ['%RETRY%' + 'x'.repeat(249), /256 characters, more than 255/],
    ['a b', /holds " "/],
    ['täg', /holds "ä"/],
    ['a/../b', /holds "\/"/],
    ['a+b', /holds "\+"/],
    ['a\0', /holds/],
  ])('refuse topic %j', (topic, reason) => {
    expect(topicNameFault(topic)).toMatch(reason)
  })
  it('check groups', () => {
    expect(groupNameFault('x'.repeat(255))).toBeNull()
    expect(groupNameFault('x'.repeat(256))).toMatch(/256 characters/)
    expect(groupNameFault('G$')).toMatch(/holds "\$"/)
  })
  it('know what is reserved', () => {
    expect(isSystemTopic('rmq_sys_anything')).toBe(true)
    expect(isSystemTopic('TBW102')).toBe(true)
    expect(isSystemTopic('T')).toBe(false)
    expect(isSendForbiddenTopic('SCHEDULE_TOPIC_XXXX')).toBe(true)
    expect(isSendForbiddenTopic('RMQ_SYS_TRACE_TOPIC')).toBe(false)
    expect(isSystemGroup('CID_RMQ_SYS_X')).toBe(true)
    expect(isSystemGroup('G')).toBe(false)
  })
})
