import { Flag, type Meta } from '@cometmq/protocol'
import { parseProperties } from '@cometmq/remoting'
import { describe, expect, it } from 'vitest'
import { isFault, itemOf, type MessageRules } from '../../src/core/message.ts'
import { everything } from '../../src/index.ts'
import { bytes } from '../support/fakes.ts'

const rules: MessageRules = {
  topic: 'orders',
  kind: 'normal',
  scopes: everything.scopes,
  maxBodyBytes: 100,
  maxPropertyBytes: 200,
  now: 1_000_000,
}
const id = 'F'.repeat(32)

const good = (meta: Meta, changes: Partial<MessageRules> = {}, flags = 0) => {
  const item = itemOf({ ...rules, ...changes }, flags, meta, bytes('x'), id)
  if (isFault(item)) throw new Error(item.text)
  return { ...item, properties: Object.fromEntries(parseProperties(item.properties)) }
}
const faultCode = (meta: Meta, changes: Partial<MessageRules> = {}, body = bytes('x'), flags = 0) => {
  const item = itemOf({ ...rules, ...changes }, flags, meta, body, id)
  if (!isFault(item)) return 0
  expect(item.outcome).toBe('not-executed')
  expect(item.text.length).toBeGreaterThan(20)
  return item.code
}

describe('what a message becomes', () => {
  it('every key of the meta map', () => {
    const item = good({ 1: 'A', 2: ['k1', 'k2'], 3: { colour: 'red' }, 8: 'mine', 9: '00-ab-cd-01', 12: 500, 13: 'json' })
    expect(item.properties).toEqual({
      UNIQ_KEY: id,
      TAGS: 'A',
      KEYS: 'k1 k2',
      colour: 'red',
      CMQ_ID: 'mine',
      traceparent: '00-ab-cd-01',
      CMQ_EXPIRES: '1000500',
      CMQ_CT: 'json',
    })
    expect(item).toMatchObject({ topic: 'orders', sysFlag: 0, flag: 0, bornTimestamp: 1_000_000, alone: false })
  })
  it('a message group is the order key', () => {
    expect(good({ 4: 'g' }, { kind: 'fifo' })).toMatchObject({ orderKey: 'g', properties: { __SHARDINGKEY: 'g' } })
  })
  it('flags: compressed, text, resent', () => {
    expect(good({}, {}, Flag.compressed)).toMatchObject({ sysFlag: 0x301, alone: true })
    expect(good({}, {}, Flag.text | Flag.resent).properties).toMatchObject({ CMQ_TEXT: '1', CMQ_RESENT: '1' })
  })
  it.each([
    [1_000, '1'],
    [300_000, '9'],
    [7_200_000, '18'],
  ])('a delay of %i ms is level %s', (ms, level) => {
    expect(good({ 5: ms }, { kind: 'delay' })).toMatchObject({ alone: true, properties: { DELAY: level } })
    expect(good({ 6: 1_000_000 + ms }, { kind: 'delay' }).properties['DELAY']).toBe(level)
  })
  it('a delivery time that is over means at once', () => {
    expect(good({ 6: 999_999 }, { kind: 'delay' }).properties['DELAY']).toBeUndefined()
    expect(good({ 5: 0 }, { kind: 'delay' }).alone).toBe(false)
  })
})

describe('what is refused', () => {
  const cases: [string, Meta, Partial<MessageRules>, number][] = [
    ['empty tag', { 1: '' }, {}, 40003],
    ['tag with ||', { 1: 'A||B' }, {}, 40003],
    ['tag with a blank around it', { 1: ' A' }, {}, 40003],
    ['tag with a separator', { 1: 'A\x02' }, {}, 40003],
    ['empty key', { 2: ['a', ''] }, {}, 40004],
    ['key with a blank', { 2: ['a b'] }, {}, 40004],
    ['property of RocketMQ', { 3: { UNIQ_KEY: 'x' } }, {}, 40006],
    ['property of the bridge', { 3: { CMQ_RESENT: '1' } }, {}, 40006],
    ['empty property name', { 3: { '': 'x' } }, {}, 40006],
    ['empty property value', { 3: { a: '' } }, {}, 40006],
    ['property that smuggles another', { 3: { a: '1\x02UNIQ_KEY\x01x' } }, {}, 40006],
    ['no group at fifo', {}, { kind: 'fifo' }, 40005],
    ['empty group at fifo', { 4: '' }, { kind: 'fifo' }, 40005],
    ['group that smuggles', { 4: 'g\x02TAGS\x01A' }, { kind: 'fifo' }, 40005],
    ['group at normal', { 4: 'g' }, {}, 40011],
    ['delay at normal', { 5: 1_000 }, {}, 40011],
    ['delay at fifo', { 4: 'g', 5: 1_000 }, { kind: 'fifo' }, 40011],
    ['delay that is no level', { 5: 1_500 }, { kind: 'delay' }, 40012],
    ['both delay and time', { 5: 1_000, 6: 5 }, { kind: 'delay' }, 40012],
    ['delay over the right', { 5: 10_000 }, { kind: 'delay', scopes: { ...everything.scopes, maxDelayMs: 5_000 } }, 40390],
    ['priority', { 7: 0 }, {}, 50101],
    ['reply', { 10: 'a' }, {}, 50101],
    ['expires at once', { 12: 0 }, {}, 40000],
    ['id that smuggles', { 8: 'x\x01y' }, {}, 40000],
    ['properties too large', { 3: { a: 'x'.repeat(200) } }, {}, 41302],
    ['properties too large as UTF-8', { 3: { a: 'ü'.repeat(90) } }, {}, 41302],
  ]
  it.each(cases)('%s', (_, meta, changes, code) => expect(faultCode(meta, changes)).toBe(code))

  it('bodies: none, and too large', () => {
    expect(faultCode({}, {}, new Uint8Array(0))).toBe(40000)
    expect(faultCode({}, {}, new Uint8Array(101))).toBe(41301)
    expect(faultCode({}, {}, new Uint8Array(100))).toBe(0)
  })
  it('half messages', () => expect(faultCode({}, {}, bytes('x'), Flag.half)).toBe(50101))
})
