import { decode, encode, createWriter, ProtocolError, type Value } from '@cometmq/protocol'
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, it } from 'vitest'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
/** The reference implementation, told to be interoperable: no record extension, plain objects, 64-bit integers as numbers. */
const reference = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: 'auto',
  variableMapSize: true,
} as unknown as object)

/** Plain Uint8Array for a Node Buffer, so that values can be compared. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]))
}

/** -0 is written as 0. */
const number = fc
  .oneof(fc.maxSafeInteger(), fc.integer({ min: -40, max: 300 }), fc.double({ noNaN: true }))
  .map(value => value + 0)
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 80 }),
  fc.string({ maxLength: 60 }),
  fc.string({ minLength: 250, maxLength: 300 }),
)
/** The reference renames the key `__proto__`; it is tested on its own. */
const key = fc.oneof(fc.string({ maxLength: 12 }), fc.nat(200).map(String)).filter(name => name !== '__proto__')
const { value } = fc.letrec<{ value: Value }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.uint8Array({ maxLength: 300 }).map(bytes => new Uint8Array(bytes)),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(key, tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
}))

describe('cross-test with msgpackr', () => {
  it('msgpackr reads what is written here', () => {
    fc.assert(
      fc.property(value, sent => {
        expect(plain(reference.unpack(encode(sent)))).toEqual(plain(sent))
      }),
    )
  })

  it('what msgpackr writes is read here', () => {
    fc.assert(
      fc.property(value, sent => {
        expect(plain(decode(reference.pack(sent)))).toEqual(plain(sent))
      }),
    )
  })

  it('what is written here is read here', () => {
    fc.assert(
      fc.property(value, sent => {
        expect(decode(encode(sent))).toEqual(sent)
      }),
    )
  })
})

describe('integers', () => {
  const vectors: [number, string][] = [
    [0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65_535, 'cdffff'],
    [65_536, 'ce00010000'],
    [4_294_967_295, 'ceffffffff'],
    [4_294_967_296, 'cf0000000100000000'],
    [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32_768, 'd18000'],
    [-32_769, 'd2ffff7fff'],
    [-2_147_483_648, 'd280000000'],
    [-2_147_483_649, 'd3ffffffff7fffffff'],
    [Number.MIN_SAFE_INTEGER, 'd3ffe0000000000001'],
  ]
  for (const [number, bytes] of vectors) {
    it(`${number}`, () => {
      expect(hex(encode(number))).toBe(bytes)
      expect(decode(bytesOf(bytes))).toBe(number)
    })
  }

  it('are accepted in any size and as floats', () => {
    for (const bytes of [
      '05',
      'cc05',
      'cd0005',
      'ce00000005',
      'cf0000000000000005',
      'd005',
      'd10005',
      'd200000005',
      'd30000000000000005',
    ])
      expect(decode(bytesOf(bytes))).toBe(5)
    expect(decode(bytesOf('cb4014000000000000'))).toBe(5)
    expect(decode(bytesOf('ca40a00000'))).toBe(5)
  })

  it('beyond 2^53−1 are refused', () => {
    for (const bytes of [
      'cf0020000000000000',
      'cfffffffffffffffff',
      'd37fffffffffffffff',
      'd38000000000000000',
      'd3ffe0000000000000',
    ])
      expect(() => decode(bytesOf(bytes))).toThrow(ProtocolError)
  })

  it('other numbers are float64', () => {
    for (const number of [1.5, -0.1, 2 ** 53, 1e300, Infinity, -Infinity, NaN, 5e-324]) {
      expect(encode(number).length).toBe(9)
      expect(decode(encode(number))).toBe(number)
    }
  })
})

describe('lengths', () => {
  const sizes = [0, 15, 16, 31, 32, 48, 49, 255, 256, 65_535, 65_536]
  for (const size of sizes) {
    it(`${size}`, () => {
      const values: Value[] = [
        'a'.repeat(size),
        'é'.repeat(size),
        new Uint8Array(size).fill(7),
        new Array<number>(size).fill(1),
        Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, index])),
      ]
      for (const sent of values) {
        expect(decode(encode(sent))).toEqual(sent)
        expect(hex(encode(sent))).toBe(hex(reference.pack(sent)))
      }
    })
  }
})

describe('what the protocol adds', () => {
  it('leaves undefined items out at the end, and writes nil elsewhere', () => {
    expect(hex(encode([1, undefined, 2, undefined, undefined]))).toBe('9301c002')
    expect(hex(encode([undefined]))).toBe('90')
    expect(hex(encode(undefined))).toBe('c0')
    expect(hex(encode({ a: undefined, b: 1 }))).toBe('81a16201')
  })

  it('writes the keys 0 to 127 as integers, other numbers as text', () => {
    expect(hex(encode({ 1: 2 }))).toBe('810102')
    expect(hex(encode({ 127: 0 }))).toBe('817f00')
    for (const [name, bytes] of [
      ['128', 'a3313238'],
      ['01', 'a23031'],
      ['-1', 'a22d31'],
      ['1.5', 'a3312e35'],
      ['', 'a0'],
    ] as const)
      expect(hex(encode({ [name]: 0 }))).toBe(`81${bytes}00`)
    expect(decode(bytesOf('82 01 02 a131 03'))).toEqual({ 1: 3 })
  })

  it('copies encoded values as they are', () => {
    const entries = encode([[1, 2], 'x'])
    expect(hex(encode([33, { encoded: entries }, 5]))).toBe(hex(encode([33, [[1, 2], 'x'], 5])))
    expect(decode(encode({ encoded: 1 }))).toEqual({ encoded: 1 })
    expect(decode(encode({ encoded: entries, other: 1 }))).toEqual({ encoded: entries, other: 1 })
  })

  it('decoded byte strings are views on the input', () => {
    const bytes = encode([new Uint8Array([1, 2, 3])])
    const [view] = decode(bytes) as [Uint8Array]
    expect(view.buffer).toBe(bytes.buffer)
    expect(decode(Buffer.from([0x91, 0xc4, 0x01, 0x07]).subarray(0))).toEqual([new Uint8Array([7])])
  })

  it('a map key `__proto__` is a member and changes no prototype', () => {
    const found = decode(bytesOf('81 a95f5f70726f746f5f5f 81 a161 01')) as Record<string, unknown>
    expect(Object.getPrototypeOf(found)).toBe(Object.prototype)
    expect(Object.keys(found)).toEqual(['__proto__'])
    expect(found['a']).toBeUndefined()
    expect(hex(encode(found as Value))).toBe('81a95f5f70726f746f5f5f81a16101')
  })

  it('text that is not well formed', () => {
    expect(decode(encode('\ud800'))).toBe('\ufffd')
    expect(() => decode(bytesOf('a1ff'))).toThrow(ProtocolError)
    expect(() => decode(bytesOf('a3eda080'))).toThrow(ProtocolError)
    expect(decode(bytesOf('a3efbbbf'))).toBe('\ufeff')
  })
})

describe('refused', () => {
  const nested = (levels: number): Uint8Array => new Uint8Array(levels + 1).fill(0x91).fill(0xc0, levels)

  it('levels beyond the limit', () => {
    expect(() => decode(nested(16))).not.toThrow()
    expect(() => decode(nested(17))).toThrow(ProtocolError)
    expect(() => decode(nested(3), { maxDepth: 2 })).toThrow(ProtocolError)
    let deep: Value = 1
    for (let level = 0; level < 16; level++) deep = [deep]
    expect(hex(encode(deep))).toBe('91'.repeat(16) + '01')
    expect(() => encode([deep])).toThrow(ProtocolError)
    const ring: Value[] = []
    ring.push(ring)
    expect(() => encode(ring)).toThrow(ProtocolError)
  })

  it('extension types, the unused byte, keys that are neither text nor number, more bytes, too few', () => {
    for (const bytes of [
      'c1',
      'd40100',
      'd80100',
      'c70001',
      'c80000',
      'c9',
      '81c001',
      '819001',
      '0000',
      '',
      '91',
      'a2 61',
      'c402 00',
      'cd00',
      'cb00',
    ])
      expect(() => decode(bytesOf(bytes)), bytes).toThrow(ProtocolError)
  })

  it('every cut of a frame', () => {
    const bytes = encode([33, 1, 300, [[0, 0, 70_000, 'id', 1.5, 1, 0, { 1: 'tag', a: -500 }, new Uint8Array(40)]]])
    for (let length = 0; length < bytes.length; length++) expect(() => decode(bytes.subarray(0, length))).toThrow(ProtocolError)
  })

  it('values that MessagePack does not have; the writer stays usable', () => {
    const writer = createWriter(16)
    writer.value('before')
    for (const wrong of [1n, () => 1, Symbol('x')])
      expect(() => writer.value(['begun', wrong] as unknown as Value)).toThrow(ProtocolError)
    writer.value(7)
    expect(writer.length).toBe(8)
    expect(hex(writer.take())).toBe('a66265666f726507')
    expect(writer.length).toBe(0)
  })
})
