import { checkClientFrame, checkServerFrame, decode, encode, Kind, ProtocolError, type Value } from '@cometmq/protocol'
import { createRandom } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { tupleDocs } from '../src/docs.ts'
import { kindsOf, sample, sampleFrame, tables } from './samples.ts'

const checks = { client: checkClientFrame, server: checkServerFrame }
const nameOf = (kind: number): string => Object.entries(Kind).find(([, value]) => value === kind)![0]
const random = createRandom(41)

for (const side of ['client', 'server'] as const) {
  describe(`frames of a ${side}`, () => {
    const check = checks[side]
    for (const kind of kindsOf(tables[side])) {
      it(nameOf(kind), () => {
        for (let round = 0; round < 50; round++) {
          const frame = sampleFrame(tables[side], kind, random)
          expect(check(frame), JSON.stringify(frame)).toBe(frame)
          const received = decode(encode(frame))
          expect(check(received)).toBe(received)
          expect(check([...frame, 'of a later version'])).not.toBeNull()
        }
      })

      it(`${nameOf(kind)} with a wrong item`, () => {
        tables[side][kind]!.forEach((shape, index) => {
          if (shape === 'x?') return
          // A symbol fits nothing; nil only a capital.
          const wrong = typeof shape === 'string' && /^[US]/.test(shape) ? [1.5, Symbol('x')] : [null, Symbol('x'), 1.5, -1.5]
          for (const item of wrong) {
            const frame: unknown[] = sampleFrame(tables[side], kind, random)
            frame[index + 1] = item
            expect(() => check(frame), `item ${index + 1}: ${String(item)}`).toThrow(ProtocolError)
          }
        })
      })

      it(`${nameOf(kind)} without its required items`, () => {
        const required = tables[side][kind]!.filter(shape => typeof shape !== 'string' || shape[1] !== '?').length
        for (let length = 1; length <= required; length++)
          expect(() => check(sampleFrame(tables[side], kind, random).slice(0, length)), `${length}`).toThrow(ProtocolError)
      })
    }

    it('newer kinds are ignored, others are not', () => {
      for (const kind of [128, 200, 255]) expect(check([kind, 'anything'])).toBeNull()
      for (const value of [[0], [99], [127], [256], [1.5], [-1], ['17'], [null], [], {}, null, undefined, 5, 'text', [129.5]])
        expect(() => check(value), JSON.stringify(value)).toThrow(ProtocolError)
    })
  })
}

describe('each item of a message', () => {
  const wrong: Record<string, unknown[]> = {
    uint: [-1, 1.5, '1', null, 2 ** 53, NaN, undefined],
    int: [1.5, '1', null, 2 ** 53, undefined],
    text: [1, null, new Uint8Array(1), undefined],
    'text or nil': [1, new Uint8Array(1), undefined],
    bytes: ['text', null, [1], new DataView(new ArrayBuffer(2)), new Float64Array(1), undefined],
    map: [null, [1], 'text', new Uint8Array(1), undefined],
    'map, optional': [null, [1], 'text'],
    'uint, optional': [-1, null, 'text'],
  }
  for (const [path, items] of Object.entries(tupleDocs)) {
    const [name, list] = path.split('.') as [keyof typeof Kind, string]
    const side = name === 'SENDB' ? 'client' : 'server'
    items.forEach(([item, type], index) => {
      it(`${name} ${list}: ${item}`, () => {
        const shapes = tables[side][Kind[name]]!
        for (const bad of wrong[type]!) {
          const entries: unknown[][] = []
          while (entries.length === 0)
            entries.push(
              ...(sample(
                shapes.find(shape => typeof shape === 'function')!,
                random,
              ) as unknown[][]),
            )
          const entry = [...entries[0]!]
          while (entry.length < index) entry.push(undefined)
          entry[index] = bad
          const frame: unknown[] = sampleFrame(tables[side], Kind[name], random)
          frame[shapes.findIndex(shape => typeof shape === 'function') + 1] = [entry]
          expect(() => checks[side](frame), String(bad)).toThrow(ProtocolError)
        }
      })
    })
  }

  it('meta of a client', () => {
    const send = (meta: Value): unknown => checkClientFrame([Kind.SEND, 1, 1, 0, meta, new Uint8Array(0)] as Value)
    for (const meta of [
      { 1: 5 },
      { 2: 'key' },
      { 2: [1] },
      { 3: { a: 1 } },
      { 3: ['a'] },
      { 5: -1 },
      { 12: '1' },
      { 8: 3 },
      { 14: null },
      [],
      null,
    ])
      expect(() => send(meta as Value), JSON.stringify(meta)).toThrow(ProtocolError)
    for (const meta of [{}, { 1: undefined }, { 3: {} }, { 100: 1 }, { later: [] }]) expect(send(meta)).not.toBeNull()
  })

  it('ranges are pairs, ascending', () => {
    const ack = (ranges: number[]): unknown => checkClientFrame([Kind.ACK, 1, ranges])
    for (const good of [[], [1, 1], [0, 5, 6, 6, 9, 20]]) expect(ack(good)).not.toBeNull()
    for (const bad of [[1], [2, 1], [1, 5, 5, 6], [1, 5, 3, 4], [-1, 2], [1, 1.5], [1, 2, 3]])
      expect(() => ack(bad), String(bad)).toThrow(ProtocolError)
  })
})

describe('maps within frames', () => {
  const hello = (options: object): unknown =>
    checkClientFrame([1, 1, { proto: 1, sdk: 'test/1', runtime: 'node', maxFrame: 65_536, ...options }])

  it('HELLO', () => {
    const spec = { mode: 'group', group: 'g', topics: [['t', 0, '*']], limit: [64, 1_048_576] }
    expect(hello({})).not.toBeNull()
    expect(
      hello({ later: 1, auth: undefined, subs: [[2, 1, spec]], producers: [[3, 1, 't', { kind: 'normal' }]] }),
    ).not.toBeNull()
    expect(hello({ subs: [[2, 1, { ...spec, start: { cursor: [['t', 'b', 0, 5]] } }]] })).not.toBeNull()
    for (const options of [
      { proto: '1' },
      { auth: null },
      { resume: 'token' },
      { resume: { token: 't', subs: [[1]] } },
      { subs: [[2, 1, { ...spec, mode: 'other' }]] },
      { subs: [[2, 1, { ...spec, topics: [['t', 3, '*']] }]] },
      { subs: [[2, 1, { ...spec, topics: [['t', '0', '*']] }]] },
      { subs: [[2, 1, { ...spec, limit: [1] }]] },
      { subs: [[2, 1, { ...spec, start: 'middle' }]] },
      { producers: [[3, 1, 't', { kind: 'new' }]] },
      { producers: {} },
    ])
      expect(() => hello(options), JSON.stringify(options)).toThrow(ProtocolError)
  })
})
