import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bigLong,
  bool,
  CommandError,
  decodeSendHeader,
  encodeSendHeader,
  header,
  int,
  long,
  optional,
  parseBigLong,
  parseInt32,
  parseLong,
  pullMessageRequest,
  RequestCode,
  ResponseCode,
  requestCodeName,
  responseCodeName,
  retryAdvice,
  text,
  withDefault,
} from '../../src/index.ts'
import { compileRows, interpretRows } from '../../src/header-compile.ts'
import type { Row } from '../../src/header-rows.ts'

const table = header({
  name: text('n'),
  count: int('count'),
  time: long('time'),
  version: bigLong('version'),
  flag: bool('flag'),
  note: optional(text('note')),
  limit: withDefault(int('limit'), 7),
})
const full = { n: 'x', count: '-3', time: '1700000000000', version: '1700000000000000001', flag: 'TRUE', extra: 'ignored' }

describe('header tables', () => {
  it('decode by key, with defaults', () => {
    expect(table.decode(full)).toEqual({
      name: 'x',
      count: -3,
      time: 1700000000000,
      version: 1700000000000000001n,
      flag: true,
      note: undefined,
      limit: 7,
    })
  })

  it('encode what is there, as texts', () => {
    expect(table.encode({ name: '', count: 0, time: 1, version: 2n, flag: false, note: null })).toEqual({
      n: '',
      count: '0',
      time: '1',
      version: '2',
      flag: 'false',
    })
  })

  it.each([
    ['missing', undefined, /count is missing/],
    ['empty', '', /count is not a 32-bit integer: ""/],
    ['too large', '2147483648', /not a 32-bit integer/],
    ['no number', '1x', /not a 32-bit integer/],
    ['a fraction', '1.5', /not a 32-bit integer/],
  ])('name the required field that is %s', (_, count, message) => {
    const { count: _count, ...rest } = full
    const ext: Record<string, string> = count === undefined ? rest : { ...rest, count }
    const decode = (): unknown => table.decode(ext)
    expect(decode).toThrow(CommandError)
    expect(decode).toThrow(message)
    try {
      decode()
    } catch (error) {
      expect((error as CommandError).code).toBe(ResponseCode.SYSTEM_ERROR)
    }
  })

  it('name the field when there is no ext at all', () => {
    expect(() => table.decode(null)).toThrow(/n \(name\) is missing/)
    expect(header({ a: optional(int('a')) }).decode(null)).toEqual({ a: undefined })
  })

  it('take the default for an unparsable field that is not required', () => {
    expect(table.decode({ ...full, limit: 'many' }).limit).toBe(7)
  })

  it('shorten what a remark quotes', () => {
    expect(() => table.decode({ ...full, count: 'z'.repeat(10_000) })).toThrow(/z{40}…/)
  })
})

describe('numbers in headers', () => {
  it('clamp long to safe integers', () => {
    expect(parseLong('9223372036854775807')).toBe(Number.MAX_SAFE_INTEGER)
    expect(parseLong('-9223372036854775808')).toBe(Number.MIN_SAFE_INTEGER)
    expect(parseLong('9007199254740991')).toBe(9007199254740991)
    expect(parseLong('9223372036854775808')).toBeUndefined()
    expect(parseLong('+12')).toBe(12)
    expect(parseLong('-')).toBeUndefined()
    expect(parseLong(' 1')).toBeUndefined()
    expect(parseLong('000000000000000000000012')).toBe(12)
    expect(Object.is(parseLong('-0'), 0)).toBe(true)
  })

  it('round-trip', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), value => {
        expect(parseLong(String(value))).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.integer(), value => {
        expect(parseInt32(String(value))).toBe(value)
      }),
    )
    const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })
    fc.assert(
      fc.property(int64, value => {
        expect(parseBigLong(String(value))).toBe(value)
      }),
    )
  })

  it('never throw on any text', () => {
    fc.assert(
      fc.property(fc.string(), raw => {
        const value = parseLong(raw)
        expect(value === undefined || Number.isSafeInteger(value)).toBe(true)
      }),
    )
  })
})

describe('send headers', () => {
  const fields = {
    producerGroup: 'PG',
    topic: 'T',
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: 4,
    queueId: 0,
    sysFlag: 0,
    bornTimestamp: 1700000000000,
    flag: 0,
    properties: 'a\x01b\x02',
  }
  it.each([10, 310, 320, 324, 325])('have one shape for code %i', code => {
    const ext = encodeSendHeader(code, fields)
    expect(Object.keys(ext)[0]).toBe(code === 10 || code === 324 ? 'producerGroup' : 'a')
    expect(decodeSendHeader(code, ext)).toEqual({
      ...fields,
      reconsumeTimes: 0,
      unitMode: false,
      maxReconsumeTimes: undefined,
      batch: false,
      brokerName: undefined,
    })
  })
})

it('pull requests keep a subVersion in nanoseconds', () => {
  const ext = {
    consumerGroup: 'G',
    topic: 'T',
    queueId: '0',
    queueOffset: '0',
    maxMsgNums: '32',
    sysFlag: '7',
    commitOffset: '-1',
    suspendTimeoutMillis: '20000',
    subVersion: '1795512879000000001',
  }
  const request = pullMessageRequest.decode(ext)
  expect(request.subVersion).toBe(1795512879000000001n)
  expect(request.expressionType).toBe('TAG')
  expect(pullMessageRequest.encode(request)).toMatchObject(ext)
})

describe('codes', () => {
  it('have names', () => {
    expect(requestCodeName(RequestCode.PULL_MESSAGE)).toBe('PULL_MESSAGE')
    expect(requestCodeName(999)).toBe('request code 999')
    expect(responseCodeName(17)).toBe('TOPIC_NOT_EXIST')
    expect(responseCodeName(9999)).toBe('response code 9999')
  })

  it('are unique', () => {
    expect(new Set(Object.values(RequestCode)).size).toBe(Object.keys(RequestCode).length)
    expect(new Set(Object.values(ResponseCode)).size).toBe(Object.keys(ResponseCode).length)
  })

  it("advise another attempt for exactly the Java producer's list", () => {
    const retried = Object.values(ResponseCode).filter(
      code => code >= 0 && ['other-broker', 'refresh-route'].includes(retryAdvice(code)),
    )
    const routing = [ResponseCode.BROKER_NOT_EXIST, ResponseCode.NOT_LEADER_FOR_QUEUE] as number[]
    expect(retried.filter(code => !routing.includes(code)).sort((a, b) => a - b)).toEqual([1, 2, 14, 16, 17, 204, 205, 1500])
    expect(retryAdvice(4711)).toBe('no')
  })
})

describe('compiled tables', () => {
  const rows: Row[] = (['text', 'int', 'long', 'bigLong', 'bool'] as const).flatMap(kind => [
    { name: `${kind} "a`, key: `${kind}'`, kind, required: true, fallback: undefined },
    { name: `${kind}Optional`, key: `o\\${kind}`, kind, required: false, fallback: undefined },
    { name: `${kind}Default`, key: `d${kind}`, kind, required: false, fallback: 3 },
  ])
  const run = (action: () => unknown): unknown => {
    try {
      return action()
    } catch (error) {
      return error
    }
  }

  it('do what their rows do', () => {
    const raw = fc.option(fc.constantFrom('', '1', '-7', 'true', 'x', '99999999999', '9223372036854775807'), { nil: undefined })
    const compiled = compileRows(rows)
    const interpreted = interpretRows(rows)
    fc.assert(
      fc.property(fc.array(raw, { minLength: rows.length, maxLength: rows.length }), values => {
        const ext: Record<string, string> = {}
        rows.forEach((row, i) => {
          if (values[i] !== undefined || i % 3 === 0) ext[row.key] = values[i] ?? '1'
        })
        expect(run(() => compiled.decode(ext))).toEqual(run(() => interpreted.decode(ext)))
        const value = Object.fromEntries(rows.map((row, i) => [row.name, values[i]]))
        expect(compiled.encode(value)).toEqual(interpreted.encode(value))
      }),
      { numRuns: 500 },
    )
  })

  it('fall back to the rows where code may not be made from text', () => {
    const original = globalThis.Function
    globalThis.Function = class {
      constructor() {
        throw new EvalError('forbidden')
      }
    } as unknown as FunctionConstructor
    try {
      const codec = compileRows([{ name: 'a', key: 'a', kind: 'int', required: true, fallback: undefined }])
      expect(codec.decode({ a: '5' })).toEqual({ a: 5 })
    } finally {
      globalThis.Function = original
    }
  })
})
