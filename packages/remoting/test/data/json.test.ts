import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  asMessageQueueEntries,
  asNumber,
  JsonError,
  messageQueueMap,
  parseJson,
  stringifyJson,
  type JsonObject,
  type JsonValue,
} from '../../src/index.ts'
import { MAX_JSON_DEPTH } from '../../src/json/parse.ts'

const queue = { topic: 'T', brokerName: 'b', queueId: 1 }
const key = '{"brokerName":"b","queueId":1,"topic":"T"}'

/** What JSON.parse makes of long integers. */
function withoutBigInt(value: JsonValue): JsonValue {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(withoutBigInt)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutBigInt(member)]))
}

describe('parseJson', () => {
  it.each([
    ['an object as key', '{"offsetTable":{{"brokerName":"b","queueId":1,"topic":"T"}:5}}', { offsetTable: { [key]: 5 } }],
    ['its members in any order', '{{"topic":"T", "queueId":1 ,"brokerName":"b"}:5}', { [key]: 5 }],
    ['an array as key', '{[1,"a"]:5}', { '[1,"a"]': 5 }],
    ['bare integer keys', '{"brokerAddrs":{0:"10.0.0.1:10911",-1:"x"}}', { brokerAddrs: { '0': '10.0.0.1:10911', '-1': 'x' } }],
    ['raw control characters', '{"jstack":"goroutine 1\n\tx\r"}', { jstack: 'goroutine 1\n\tx\r' }],
    ['single quotes', "{'a':'it\\'s \"x\"'}", { a: 'it\'s "x"' }],
    ['trailing and doubled commas', '{"a":[1,2,],,"b":{},}', { a: [1, 2], b: {} }],
    ['unquoted words', '{state:CR_SUCCESS,ok:true,no:null,nan:NaN}', { state: 'CR_SUCCESS', ok: true, no: null, nan: null }],
    ['type letters', '{a:1L,b:0.5D,c:-3S}', { a: 1, b: 0.5, c: -3 }],
    ['escapes', "{'a':'\\u00e4\\x41\\b\\f\\n\\r\\t\\v\\0\\/\\\\'}", { a: 'äA\b\f\n\r\t\v\0/\\' }],
    [
      'int64 beyond 2^53',
      '[9223372036854775807,-9223372036854775808,9007199254740991]',
      [9223372036854775807n, -9223372036854775808n, 9007199254740991],
    ],
    ['long fractions', '[0.12345678901234567890,1e20]', [0.12345678901234568, 1e20]],
    ['sixteen digits inside a text', '{"id":"C0000202000000000000000000001"}', { id: 'C0000202000000000000000000001' }],
    ['a byte order mark', '\ufeff{"a":1,}', { a: 1 }],
  ])('reads %s', (_, text, value) => {
    expect(parseJson(text)).toEqual(value)
    expect(parseJson(Buffer.from(text))).toEqual(value)
  })

  it.each([
    ['', /text ends early at character 0/],
    ['{', /text ends early at character 1/],
    ['{"a"', /expected ":" after a key at character 4/],
    ['{"a" 1}', /expected ":"/],
    ['{"a":1 "b":2}', /expected "," or "}" at character 7/],
    ['[1', /expected "," or "]"/],
    ['"abc', /string is not closed at character 0/],
    ['{"a":"x\\', /inside an escape/],
    ["'\\u12g4'", /expected 4 hex digits/],
    ["'\\q'", /unknown escape/],
    ['{"a":1}x', /unexpected text after the value/],
    ['{"a":1-2}', /"1-2" is no number/],
    ['{"a":@}', /unexpected "@" at character 5/],
    ['['.repeat(MAX_JSON_DEPTH + 1), /nested deeper/],
    ['{"a":' + '9'.repeat(65) + '}', /no number/],
  ])('refuses %j', (text, message) => {
    expect(() => parseJson(text)).toThrow(JsonError)
    expect(() => parseJson(text)).toThrow(message)
  })

  it('makes members called __proto__, never prototypes', () => {
    for (const text of ['{"__proto__":{"x":1}}', '{__proto__:{x:1},}', '{"__proto__":{"$ref":"$.b"},"b":{"x":1}}']) {
      const value = parseJson(text) as JsonObject
      expect(value['x']).toBeUndefined()
      expect(Object.hasOwn(value, '__proto__')).toBe(true)
      expect(({} as JsonObject)['x']).toBeUndefined()
    }
  })

  it('resolves references', () => {
    const shared = parseJson(
      '{"a@1":{"x":[1,{"y":2}]},"b":{"$ref":"$.a@1"},"c":{"$ref":"$.a\\\\@1.x[1]"},"d":{"$ref":"$.no"}}',
    ) as JsonObject
    expect(shared['b']).toEqual({ x: [1, { y: 2 }] })
    expect(shared['c']).toEqual({ y: 2 })
    expect(shared['d']).toBeNull()
  })

  it('breaks reference cycles', () => {
    for (const text of [
      '{"a":{"$ref":"$"}}',
      '{"a":{"$ref":".."}}',
      '{"a":{"b":{"$ref":"$.a"}}}',
      '{"a":{"$ref":"$.b"},"b":{"$ref":"$.a"}}',
    ]) {
      expect(() => stringifyJson(parseJson(text))).not.toThrow()
    }
  })

  it('agrees with JSON.parse', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), text => {
        expect(withoutBigInt(parseJson(text))).toEqual(JSON.parse(text))
        // The tolerant reader alone: a trailing comma keeps JSON.parse out.
        expect(withoutBigInt(parseJson(`[${text},]`))).toEqual([JSON.parse(text)])
      }),
    )
  })

  it('throws only JsonError for any text', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      "'",
      '\\',
      'a',
      '1',
      '-',
      '9999999999999999',
      ' ',
      '\n',
      '\\u',
      '"$ref"',
      '"$.a"',
      '.',
      '$',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map(list => list.join('')),
        ),
        text => {
          try {
            parseJson(text)
          } catch (error) {
            expect(error).toBeInstanceOf(JsonError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('stringifyJson', () => {
  it('writes bigint bare and leaves undefined out', () => {
    expect(stringifyJson({ a: 1700000000000000001n, b: undefined, c: [null, 'ä"', Number.NaN] })).toBe(
      '{"a":1700000000000000001,"c":[null,"ä\\"",null]}',
    )
  })

  it('writes queue maps in exactly the form that Go splits', () => {
    const text = stringifyJson({
      offsetTable: messageQueueMap([
        [queue, 5],
        [{ ...queue, queueId: 2 }, 6n],
      ]),
    })
    expect(text).toBe(
      '{"offsetTable":{{"brokerName":"b","queueId":1,"topic":"T"}:5,{"brokerName":"b","queueId":2,"topic":"T"}:6}}',
    )
    expect(asMessageQueueEntries((parseJson(text) as JsonObject)['offsetTable'], 'offsetTable', value => value)).toEqual([
      [queue, 5],
      [{ ...queue, queueId: 2 }, 6],
    ])
  })

  it('refuses a cycle', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    expect(() => stringifyJson(cycle)).toThrow(JsonError)
  })

  it('is read back by parseJson', () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.bigInt({ min: 1n << 53n, max: 1n << 63n }))
    const value = fc.letrec(tie => ({
      node: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('node')), fc.dictionary(fc.string(), tie('node'))),
    })).node
    fc.assert(
      fc.property(value, original => {
        expect(parseJson(stringifyJson(original))).toEqual(original)
      }),
    )
  })
})

describe('queue keys', () => {
  it.each([
    ['quoted JSON text', `{${JSON.stringify(key)}:7}`],
    ['fastjson', `{${key}:7}`],
    ['pairs of Go', `[[${key},7]]`],
  ])('are read from %s', (_, text) => {
    expect(asMessageQueueEntries(parseJson(text), 'table', value => asNumber(value, 'value'))).toEqual([[queue, 7]])
  })
})
