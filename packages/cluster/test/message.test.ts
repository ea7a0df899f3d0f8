import { decodeBatch, parseProperties, SysFlag } from '@cometmq/remoting'
import { describe, expect, it } from 'vitest'
import { type ClusterError } from '../src/errors.ts'
import { maxBodyBytes, type OutgoingMessage } from '../src/message.ts'
import { prepareBatch, prepareOne } from '../src/prepare.ts'

let last = 0
const nextId = (): string => `ID${++last}`
const one = (message: Partial<OutgoingMessage>) => prepareOne({ topic: 'T', body: 'x', ...message }, nextId, 1)

describe('a message', () => {
  it('carries tag, keys, order key, delay and user properties', () => {
    const prepared = one({
      tag: 'A',
      keys: ['k1', 'k2'],
      orderKey: 'o',
      delayLevel: 3,
      properties: { colour: 'red' },
      waitStored: false,
    })
    expect(Object.fromEntries(parseProperties(prepared.properties))).toEqual({
      TAGS: 'A',
      KEYS: 'k1 k2',
      __SHARDINGKEY: 'o',
      DELAY: '3',
      colour: 'red',
      WAIT: 'false',
      UNIQ_KEY: prepared.msgId,
    })
  })

  it('is compressed from 4096 bytes on', () => {
    expect(one({ body: 'x'.repeat(4_095) })).toMatchObject({ sysFlag: 0 })
    const large = one({ body: 'x'.repeat(4_096) })
    expect(large.sysFlag).toBe(SysFlag.COMPRESSED | SysFlag.COMPRESSION_ZLIB)
    expect(large.body.length).toBeLessThan(4_096)
  })

  it.each<[string, Partial<OutgoingMessage>, string]>([
    ['an empty body', { body: '' }, 'E_MESSAGE'],
    ['a body over 4 MiB', { body: Buffer.alloc(maxBodyBytes + 1) }, 'E_MESSAGE'],
    ['a topic with blanks', { topic: 'a b' }, 'E_ARGUMENT'],
    ['an empty topic', { topic: '' }, 'E_ARGUMENT'],
    ['a long topic', { topic: 'x'.repeat(128) }, 'E_ARGUMENT'],
    ["the broker's own topic", { topic: 'SCHEDULE_TOPIC_XXXX' }, 'E_MESSAGE'],
    ['a reserved property', { properties: { UNIQ_KEY: 'x' } }, 'E_MESSAGE'],
    ['an empty property', { properties: { a: '' } }, 'E_MESSAGE'],
    ['a separator in a property', { properties: { a: 'b\u0001c' } }, 'E_MESSAGE'],
    ['too many properties', { properties: { a: 'x'.repeat(32_767) } }, 'E_MESSAGE'],
    ['a key with a blank', { keys: ['a b'] }, 'E_MESSAGE'],
    ['two tags', { tag: 'a||b' }, 'E_MESSAGE'],
    ['two delays', { delayLevel: 1, delayMs: 5 }, 'E_MESSAGE'],
    ['half a delay', { delayMs: 0.5 }, 'E_MESSAGE'],
  ])('is refused with %s', (_title, message, code) => {
    let failure: ClusterError | undefined
    try {
      one(message)
    } catch (error) {
      failure = error as ClusterError
    }
    expect(failure).toMatchObject({ name: 'ClusterError', code, outcome: 'not-executed' })
    expect(failure!.why).not.toBe('')
  })
})

describe('a batch', () => {
  it('holds each message with its own id, and one id outside', () => {
    const prepared = prepareBatch(
      [
        { topic: 'T', body: 'one', tag: 'A' },
        { topic: 'T', body: 'x'.repeat(5_000), flag: 7 },
      ],
      nextId,
      1,
    )
    const items = decodeBatch(prepared.body)
    expect(items.map(item => [item.body.toString(), item.flag])).toEqual([
      ['one', 0],
      ['x'.repeat(5_000), 7],
    ])
    const ids = items.map(item => parseProperties(item.properties).get('UNIQ_KEY'))
    expect(prepared.msgId).toBe(ids.join(','))
    expect(ids).not.toContain(parseProperties(prepared.properties).get('UNIQ_KEY'))
    expect(prepared).toMatchObject({ isBatch: true, sysFlag: 0 })
  })

  it.each<[string, OutgoingMessage[]]>([
    ['nothing', []],
    [
      'two topics',
      [
        { topic: 'T', body: 'x' },
        { topic: 'U', body: 'x' },
      ],
    ],
    ['a delay', [{ topic: 'T', body: 'x', delayLevel: 1 }]],
    [
      'two ways to wait',
      [
        { topic: 'T', body: 'x' },
        { topic: 'T', body: 'x', waitStored: false },
      ],
    ],
    [
      'two order keys',
      [
        { topic: 'T', body: 'x', orderKey: 'a' },
        { topic: 'T', body: 'x' },
      ],
    ],
    ['a retry topic', [{ topic: '%RETRY%G', body: 'x' }]],
    ['more than 4 MiB', [1, 2, 3].map(() => ({ topic: 'T', body: Buffer.alloc(1_500_000) }))],
  ])('is refused with %s', (_title, messages) => {
    expect(() => prepareBatch(messages, nextId, 1)).toThrow(/batch/)
  })
})
