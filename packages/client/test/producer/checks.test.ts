import { describe, expect, it } from 'vitest'
import { durationMs } from '../../src/duration.ts'
import { BridgeError } from '../../src/errors.ts'
import { type AnySend, metaOf } from '../../src/producer/meta.ts'
import { bytes, json, type Kind, text, topic } from '../../src/topic.ts'

const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (BridgeError.is(error)) return `${error.code} ${error.outcome}`
    throw error
  }
  return 'none'
}
const check = (kind: Kind, options?: AnySend): string => codeOf(() => metaOf(topic('t', { kind }), options))

describe('what a message may say, for those without types', () => {
  it('kinds', () => {
    const mismatch = 'COMET_KIND_MISMATCH not-executed'
    expect(check('fifo')).toBe(mismatch)
    expect(check('fifo', { group: '' })).toBe('COMET_ILLEGAL_MESSAGE_GROUP not-executed')
    expect(check('normal', { group: 'g' })).toBe(mismatch)
    expect(check('delay')).toBe(mismatch)
    expect(check('normal', { after: 5 })).toBe(mismatch)
    expect(check('delay', { after: 5, at: new Date() })).toBe('COMET_ILLEGAL_DELAY not-executed')
    expect(check('delay', { at: new Date(NaN) })).toBe('COMET_ILLEGAL_DELAY not-executed')
    expect(check('priority')).toBe(mismatch)
    expect(check('fifo', { group: 'g' })).toBe('none')
    expect(check('priority', { priority: 0 })).toBe('none')
  })

  it('tags, keys, properties, times', () => {
    const invalid = 'COMET_INVALID_ARGUMENT not-executed'
    expect(check('normal', { tag: '' })).toBe('COMET_ILLEGAL_TAG not-executed')
    expect(check('normal', { keys: ['a b'] })).toBe('COMET_ILLEGAL_KEY not-executed')
    expect(check('normal', { keys: [5 as never] })).toBe('COMET_ILLEGAL_KEY not-executed')
    expect(check('normal', { props: { CMQ_X: '1' } })).toBe('COMET_ILLEGAL_PROPERTY_KEY not-executed')
    expect(check('normal', { props: { a: '' } })).toBe('COMET_ILLEGAL_PROPERTY_KEY not-executed')
    expect(check('normal', { props: { a: 'x\x01y' } })).toBe('COMET_ILLEGAL_PROPERTY_KEY not-executed')
    expect(check('normal', { expires: 0 })).toBe(invalid)
    expect(check('normal', { expires: '5 parsecs' as never })).toBe(invalid)
    expect(check('normal', { id: '' })).toBe(invalid)
  })

  it('becomes the meta map', () => {
    const all = { tag: 'a', keys: ['k'], props: { p: 'q' }, id: 'i', expires: '1s', group: 'g' } as const
    expect(metaOf(topic('t', { kind: 'fifo' }), all)).toEqual({ 1: 'a', 2: ['k'], 3: { p: 'q' }, 4: 'g', 8: 'i', 12: 1_000 })
    expect(metaOf(topic('t', { kind: 'delay' }), { after: '10s' })).toEqual({ 5: 10_000 })
    expect(metaOf(topic('t', { kind: 'delay' }), { at: new Date(7) })).toEqual({ 6: 7 })
  })
})

describe('durations and codecs', () => {
  it('durations', () => {
    expect((['5ms', '1.5s', '2m', '1h', '1d', 7] as const).map(value => durationMs(value))).toEqual([
      5, 1_500, 120_000, 3_600_000, 86_400_000, 7,
    ])
    for (const wrong of [-1, NaN, '5', '1.2.3s', 's'])
      expect(codeOf(() => durationMs(wrong as never))).toBe('COMET_INVALID_ARGUMENT not-executed')
  })

  it('codecs refuse what they cannot carry', () => {
    expect(json.decode(json.encode({ a: [1, 'ü', null] }))).toEqual({ a: [1, 'ü', null] })
    expect(() => json.encode(undefined)).toThrow('undefined')
    expect(text.decode(text.encode('\ufeffü'))).toBe('\ufeffü')
    expect(() => text.decode(new Uint8Array([0xff]))).toThrow()
    expect(() => text.encode(5 as never)).toThrow('string')
    expect(() => bytes.encode('x' as never)).toThrow('Uint8Array')
  })
})
