import { encodeProperties, isReservedProperty, parseProperties } from '@cometmq/remoting'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileWhere, expressionOf } from '../../src/subscriptions/filter.ts'
import { createScanned, propertyValue, scanProperties } from '../../src/subscriptions/properties.ts'
import { rangesOf, visitRanges } from '../../src/subscriptions/ranges.ts'

const scan = (properties: string) => {
  const scanned = createScanned()
  scanProperties(properties, scanned)
  return scanned
}

// Names that are like those that mean something, and values with everything but the two separators.
const name = fc.constantFrom(
  'a',
  'colour',
  'UNIQ_KEYS',
  'WAI',
  'WAIT',
  'POP_CK',
  'UNIQ_KEY',
  'TRACE_ON',
  'CLUSTER',
  'CLUSTERS',
  'CMQ_X',
  '__proto__',
)

const value = fc.string({ unit: 'grapheme', maxLength: 12 }).map(text => text.replace(/[\x01\x02]/g, ''))

describe('property strings', () => {
  it('become metadata', () => {
    const pairs: [string, string][] = [
      ['UNIQ_KEY', 'ID'],
      ['TAGS', 'red'],
      ['KEYS', 'k1  k2'],
      ['__SHARDINGKEY', 'g'],
      ['traceparent', '00-1-2-01'],
      ['CMQ_ID', 'mine'],
      ['CMQ_CT', 'json'],
      ['CMQ_TEXT', '1'],
      ['CMQ_RESENT', '1'],
      ['CMQ_EXPIRES', '12345'],
      ['CMQ_LATER', 'x'],
      ['MSG_REGION', 'r'],
      ['TRAN_MSG', 'false'],
      ['colour', 'blue'],
    ]
    expect(scan(encodeProperties(pairs))).toEqual({
      meta: { 1: 'red', 2: ['k1', 'k2'], 3: { colour: 'blue' }, 4: 'g', 8: 'mine', 9: '00-1-2-01', 13: 'json' },
      expires: 12_345,
      resent: true,
      text: true,
    })
    expect(scan('')).toEqual({ meta: {}, expires: Infinity, resent: false, text: false })
    expect(scan('UNIQ_KEY\x01ID\x02WAIT\x01true')).toEqual({ meta: {}, expires: Infinity, resent: false, text: false })
    expect(scan('CMQ_EXPIRES\x01soon\x02').expires).toBe(Infinity)
  })

  it('users’ properties are those a full parser finds', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 8 }), fc.boolean(), (pairs, cut) => {
        let text = pairs.map(([key, content]) => `${key}\x01${content}\x02`).join('')
        if (cut) text = text.slice(0, -1)
        const all = [...parseProperties(text)].filter(([key]) => !isReservedProperty(key) && !key.startsWith('CMQ_'))
        expect(new Map(Object.entries(scan(text).meta[3] ?? {}))).toEqual(new Map(all))
        for (const [key, content] of parseProperties(text)) expect(propertyValue(text, `${key}\x01`)).toBe(content)
      }),
    )
  })
})

const codeOf = (task: () => unknown): number | undefined => {
  try {
    task()
    return undefined
  } catch (error) {
    return (error as { code: number }).code
  }
}

describe('filters', () => {
  it('a token’s filter: all properties, any of the values', () => {
    const where = compileWhere({ tenant: ['1', '2'], TAGS: ['a'] })!
    expect(where.passes('TAGS\x01a\x02tenant\x012\x02')).toBe(true)
    expect(where.passes('TAGS\x01a\x02tenant\x0122\x02')).toBe(false)
    expect(where.passes('TAGS\x01a\x02xtenant\x012\x02')).toBe(false)
    expect(where.passes('TAGS\x01a\x02x\x01tenant\x02')).toBe(false)
    expect(where.passes('TAGS\x01a\x02')).toBe(false)
    expect(where.key).toBe(compileWhere({ TAGS: ['a', 'a'], tenant: ['2', '1'] })!.key)
    expect(compileWhere(null)).toBeNull()
    expect(compileWhere({ tenant: [] })!.passes('tenant\x011\x02')).toBe(false)
  })

  it('tag expressions have one form', () => {
    expect(expressionOf(['T', 0, 'ignored'])).toBe('*')
    expect(expressionOf(['T', 1, ' * '])).toBe('*')
    expect(expressionOf(['T', 1, ''])).toBe('*')
    expect(expressionOf(['T', 1, 'b||a || b'])).toBe('a || b')
    for (const wrong of [
      'a | b',
      'a||',
      '*||a',
      'a b',
      'a\x01',
      'x'.repeat(5_000),
      Array.from({ length: 65 }, (_, n) => n).join('||'),
    ]) {
      expect(codeOf(() => expressionOf(['T', 1, wrong]))).toBe(40_009)
    }
  })
})

describe('ranges', () => {
  it('visit what a set would', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 60 })), fc.array(fc.nat({ max: 60 }), { maxLength: 12 }), (keys, bounds) => {
        const sorted = [...keys].sort((a, b) => a - b)
        const ranges = rangesOf(sorted)
        const back: number[] = []
        visitRanges(new Map(sorted.map(key => [key, true])), ranges, key => back.push(key))
        expect(back).toEqual(sorted)
        const visited = new Set<number>()
        visitRanges(new Map(sorted.map(key => [key, true])), bounds, key => visited.add(key))
        const inside = (key: number): boolean =>
          bounds.some((low, index) => index % 2 === 0 && index + 1 < bounds.length && low <= key && key <= bounds[index + 1]!)
        expect(visited).toEqual(new Set(sorted.filter(inside)))
      }),
    )
  })
})

describe('messages that differ in nothing but their id', () => {
  const idOf = (n: number): string => `UNIQ_KEY\x01${String(n).padStart(32, '0')}\x02`
  const scan = (properties: string): object => {
    const scanned = createScanned()
    scanProperties(properties, scanned)
    return { ...scanned, meta: { ...scanned.meta } }
  }
  const plain = { meta: {}, expires: Infinity, resent: false, text: false }

  it('are told from those that have more, in any order', () => {
    const tail = 'WAIT\x01true\x02CLUSTER\x01c\x02'
    expect(scan(idOf(1) + tail)).toEqual(plain)
    expect(scan(idOf(2) + tail)).toEqual(plain)
    expect(scan(idOf(3) + 'TAGS\x01a\x02' + tail)).toEqual({ ...plain, meta: { 1: 'a' } })
    expect(scan(idOf(4) + 'CMQ_TEXT\x011\x02')).toEqual({ ...plain, text: true })
    expect(scan(idOf(5) + 'CMQ_TEXT\x011\x02')).toEqual({ ...plain, text: true })
    expect(scan(idOf(6) + 'CMQ_EXPIRES\x0115\x02')).toEqual({ ...plain, expires: 15 })
    expect(scan(idOf(7) + tail)).toEqual(plain)
    expect(scan('TAGS\x01b\x02' + tail)).toEqual({ ...plain, meta: { 1: 'b' } })
    expect(scan(idOf(8))).toEqual(plain)
    expect(scan(`${idOf(9)}a\x01b`)).toEqual({ ...plain, meta: { 3: { a: 'b' } } })
  })
})
