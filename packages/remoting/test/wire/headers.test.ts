import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Command,
  decodeCommand,
  FrameError,
  FrameReader,
  FrameTooLargeError,
  type Reply,
  type Request,
} from '@cometmq/remoting'
import { createStamp, encodeReply, encodeRequest, type Serialize } from '../../src/codec/encode.ts'
import { readAnyJsonHeader } from '../../src/codec/json-header.ts'
import { OutputBuffer } from '../../src/codec/output.ts'
import { PlainJsonReader } from '../../src/codec/plain-json-header.ts'
import { fixture, frame } from './tools.ts'

const encoded = (write: (out: OutputBuffer) => void): Buffer => {
  const out = new OutputBuffer()
  write(out)
  return Buffer.concat(out.take().segments)
}

const requestBytes = (request: Request, serialize: Serialize, opaque = 7): Buffer =>
  encoded(out => encodeRequest(out, opaque, false, request, createStamp('OTHER', serialize)))
const replyBytes = (reply: Reply, opaque = 7): Buffer =>
  encoded(out => encodeReply(out, opaque, reply, createStamp('JAVA', 'JSON')))

function decoded(bytes: Buffer): Command {
  const reader = new FrameReader()
  reader.push(bytes)
  expect(reader.next()).toBe(true)
  expect(reader.pendingBytes).toBe(0)
  return decodeCommand(reader.bytes, reader.start, reader.end)
}

const plainFields = (ext: Command['ext']): Record<string, string> | null => (ext === null ? null : { ...ext })
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('', '\u0001', '\u0002', '"', '\\', '__proto__', 'constructor', 'grün', '\ud83d\ude00'),
)
const ext = fc.dictionary(
  text.filter(key => key !== '__proto__'),
  text,
  { maxKeys: 12 },
)
const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })
const body = fc
  .oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(new Uint8Array(16_384), new Uint8Array(100_000)))
  .map(bytes => Buffer.from(bytes))

describe('requests and answers survive', () => {
  test('JSON requests', () => {
    fc.assert(
      fc.property(int32, int32, fc.option(ext), body, (code, opaque, fields, bytes) => {
        const command = decoded(requestBytes({ code, ext: fields, body: bytes }, 'JSON', opaque))
        expect(command).toMatchObject({ code, opaque, flag: 0, version: 479, language: 'OTHER', remark: null })
        expect(plainFields(command.ext)).toEqual(fields)
        expect(bytes.equals(command.body ?? Buffer.alloc(0))).toBe(true)
      }),
    )
  })

  test('ROCKETMQ requests', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 32_767 }), int32, fc.option(ext), body, (code, opaque, fields, bytes) => {
        const command = decoded(requestBytes({ code, ext: fields, body: bytes }, 'ROCKETMQ', opaque))
        expect(command).toMatchObject({ code, opaque, flag: 0, version: 479, language: 'OTHER', remark: null })
        // No fields and no map are the same bytes there.
        expect(plainFields(command.ext) ?? {}).toEqual(fields ?? {})
        expect(bytes.equals(command.body ?? Buffer.alloc(0))).toBe(true)
      }),
    )
  })

  test('answers', () => {
    fc.assert(
      fc.property(int32, fc.option(text), fc.option(ext), body, (code, remark, fields, bytes) => {
        const command = decoded(replyBytes({ code, remark, ext: fields, body: bytes }))
        expect(command).toMatchObject({ code, opaque: 7, flag: 1, version: 479, language: 'JAVA', remark })
        expect(plainFields(command.ext)).toEqual(fields)
      }),
    )
  })

  test('many in one output', () => {
    const out = new OutputBuffer()
    const stamp = createStamp('JAVA', 'JSON')
    const bodies = [0, 10, 20_000, 1, 70_000, 0, 16_383].map(size => Buffer.alloc(size, 'b'))
    for (let i = 0; i < 2000; i++)
      encodeReply(out, i, { code: 0, ext: { i: String(i) }, body: bodies[i % bodies.length] ?? null }, stamp)
    const expectedBytes = out.byteLength
    const gathered = out.take()
    const reader = new FrameReader()
    reader.push(Buffer.concat(gathered.segments))
    expect(gathered.bytes).toBe(expectedBytes)
    for (let i = 0; i < 2000; i++) {
      expect(reader.next()).toBe(true)
      const command = decodeCommand(reader.bytes, reader.start, reader.end)
      expect(command.ext?.['i']).toBe(String(i))
      expect(command.body?.length ?? 0).toBe(bodies[i % bodies.length]?.length)
    }
    expect(out.byteLength).toBe(0)
  })
})

describe('the bytes', () => {
  test('are those of the specification', () => {
    const json =
      '{"code":105,"extFields":{"topic":"T"},"flag":0,"language":"OTHER","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479}'
    expect(requestBytes({ code: 105, ext: { topic: 'T' } }, 'JSON').toString('latin1')).toBe(`\0\0\0\x80\0\0\0\x7c${json}`)
    expect(requestBytes({ code: 105, ext: { topic: 'T' } }, 'ROCKETMQ').toString('hex')).toBe(
      '000000250100002100690701df0000000700000000000000000000000c0005746f7069630000000154',
    )
  })

  test('a code beyond int16 goes out as JSON although ROCKETMQ is set', () => {
    const bytes = requestBytes({ code: 200_050, ext: {} }, 'ROCKETMQ')
    expect(bytes[4]).toBe(0)
    expect(decoded(bytes).code).toBe(200_050)
  })

  test('a frame over the limit is not written', () => {
    const out = new OutputBuffer()
    const tooLarge = { code: 0, body: Buffer.alloc(16_777_216) }
    expect(() => encodeReply(out, 1, tooLarge, createStamp('JAVA', 'JSON'))).toThrow(FrameTooLargeError)
    expect(() => encodeRequest(out, 1, false, tooLarge, createStamp('JAVA', 'ROCKETMQ'))).toThrow(FrameTooLargeError)
    expect(out.byteLength).toBe(0)
  })
})

interface Recorded {
  source: string
  code: number
  opaque: number
  flag: number
  serialize: number
  frame: string
}

describe('frames recorded from Java and Go', () => {
  const recorded = JSON.parse(fixture('recorded-frames.json').toString()) as Recorded[]

  test.each(recorded.map((frame, i) => [`${i}: ${frame.source} ${frame.code}`, frame] as const))('%s', (_name, recording) => {
    const command = decoded(Buffer.from(recording.frame, 'hex'))
    expect(command).toMatchObject({ code: recording.code, opaque: recording.opaque, flag: recording.flag })
    expect(command.language).toBe(recording.source.endsWith('go') && recording.flag === 0 ? 'GO' : 'JAVA')
    expect(command.version).toBe(command.language === 'GO' ? 317 : 479)
    if (command.code === 310) {
      expect(Object.keys(command.ext ?? {})).toEqual(
        expect.arrayContaining(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'm', 'n']),
      )
      expect(command.ext?.['i']).toMatch(
        /^color\u0001(blue|grün)\u0002KEYS\u0001key-\d both\u0002UNIQ_KEY\u0001[0-9A-F]{32}\u0002/,
      )
      expect(command.body?.toString()).toMatch(/^normal-\d$/)
    }
  })

  test('both serializations of one request hold the same fields', () => {
    const sends = recorded
      .filter(frame => frame.code === 310 && frame.flag === 0)
      .map(frame => Object.keys(decoded(Buffer.from(frame.frame, 'hex')).ext ?? {}))
    expect(sends).toHaveLength(4)
    for (const keys of sends) expect([...keys].sort()).toEqual([...(sends[0] ?? [])].sort())
  })

  test('bit flips and truncation: a command or a FrameError', () => {
    fc.assert(
      fc.property(
        fc.nat(recorded.length - 1),
        fc.array(fc.nat(20_000), { minLength: 1, maxLength: 5 }),
        fc.nat(300),
        (which, flips, missing) => {
          const bytes = Buffer.from(recorded[which]?.frame ?? '', 'hex')
          for (const flip of flips) {
            const at = 8 + ((flip >> 3) % (bytes.length - 8))
            bytes[at] = (bytes[at] ?? 0) ^ (1 << (flip & 7))
          }
          const header = bytes.subarray(8, Math.max(8, bytes.length - missing))
          const broken = frame(header, Buffer.alloc(0), bytes[4])
          try {
            const command = decoded(broken)
            expect(Number.isInteger(command.code)).toBe(true)
            for (const value of Object.values(command.ext ?? {})) expect(typeof value).toBe('string')
          } catch (error) {
            expect(error).toBeInstanceOf(FrameError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('JSON headers of others', () => {
  const read = (json: string): Command => decoded(frame(json))

  test('fields that are no strings become strings, nulls vanish', () => {
    const { ext } = read('{"code":1,"extFields":{"n":5,"b":true,"f":false,"x":null,"o":{"a":[1]},"d":1.5}}')
    expect(plainFields(ext)).toEqual({ n: '5', b: 'true', f: 'false', o: '{"a":[1]}', d: '1.5' })
  })

  test('int64 numbers survive', () => {
    const { ext } = read(
      '{"code":1,"extFields":{"max":9223372036854775807,"min":-9223372036854775808,"s":"a \\"1\\" 2","deep":{"l":9007199254740993}}}',
    )
    expect(ext).toMatchObject({ max: '9223372036854775807', min: '-9223372036854775808', s: 'a "1" 2' })
  })

  test('no field reaches a prototype', () => {
    for (const json of [
      '{"code":1,"extFields":{"__proto__":"x","constructor":"y"}}',
      '{"code":1, "extFields":{"__proto__":"x","constructor":"y","n":1}}',
    ]) {
      const { ext } = read(json)
      expect(Object.keys(ext ?? {})).toEqual(expect.arrayContaining(['__proto__', 'constructor']))
      expect(ext?.['__proto__']).toBe('x')
      expect(ext !== null && Reflect.has(ext, 'toString')).toBe(false)
      expect(ext !== null && Reflect.has(ext, 'hasOwnProperty')).toBe(false)
    }
    expect(read('{"code":1,"__proto__":{"opaque":5}}').opaque).toBe(0)
  })

  test('what is absent gets its default; language may be an ordinal; unknown keys are ignored', () => {
    expect(read('{}')).toMatchObject({
      code: 0,
      opaque: 0,
      flag: 0,
      version: 0,
      language: 'OTHER',
      remark: null,
      ext: null,
      body: null,
    })
    expect(read(' { "language" : 9 , "hasBody":[{}], "remark": null, "code" : 11 } ')).toMatchObject({
      language: 'GO',
      code: 11,
      remark: null,
    })
    expect(read('{"extFields":{}}').ext).toEqual({})
  })

  test.each([
    '',
    'null',
    '[]',
    '7',
    '{"code":1',
    '{"code":1}}',
    '{"opaque":9007199254740993}',
    '{"opaque":2147483648}',
    '{"opaque":1.5}',
    '{"code":"x"}',
    '{"code":01}',
    '{"extFields":[]}',
    '{"extFields":"x"}',
    '{"extFields":{"a":"\\x"}}',
    '{"extFields":{"a":"\n"}}',
  ])('refused: %s', json => {
    expect(() => read(json)).toThrow(FrameError)
  })

  test('the fast reader reads as the thorough one', () => {
    const plain = new PlainJsonReader()
    const compare = (bytes: Buffer): boolean => {
      const fast = plain.read(bytes, 0, bytes.length, null)
      if (fast === null) return false
      const thorough = readAnyJsonHeader(bytes, 0, bytes.length, null)
      expect({ ...fast, ext: plainFields(fast.ext) }).toEqual({ ...thorough, ext: plainFields(thorough.ext) })
      return true
    }
    fc.assert(
      fc.property(
        int32,
        int32,
        text,
        ext,
        fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 3 }),
        (code, opaque, remark, extFields, changes) => {
          const header = Buffer.from(
            JSON.stringify({
              code,
              extFields,
              flag: 1,
              language: 'JAVA',
              opaque,
              remark,
              serializeTypeCurrentRPC: 'JSON',
              version: 479,
            }),
          )
          if (!Object.keys(extFields).some(key => /[^ -~]|["\\]/.test(key)) && code > -0x8000_0000 && opaque > -0x8000_0000)
            expect(compare(header)).toBe(true)
          for (const [at, byte] of changes) header[at % header.length] = byte
          try {
            compare(header)
          } catch (error) {
            if (!(error instanceof FrameError)) throw error
            expect.fail('the fast reader took what the thorough one refuses')
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('ROCKETMQ headers of others', () => {
  const fixed = '0069' + '00' + '01df' + '00000007' + '00000000'
  const read = (hex: string): Command => decoded(frame(Buffer.from(hex, 'hex'), Buffer.alloc(0), 1))

  test('remark, negative numbers, repeated keys: the last one wins', () => {
    expect(read('ffff' + '63' + '8000' + 'ffffffff' + '00000003' + '00000002c3bc' + '00000000')).toMatchObject({
      code: -1,
      language: 'OTHER',
      version: -32_768,
      opaque: -1,
      flag: 3,
      remark: 'ü',
      ext: null,
    })
    expect(read(fixed + '00000000' + '00000010' + '000161' + '0000000131' + '000161' + '0000000132').ext).toEqual({ a: '2' })
  })

  test.each([
    ['too short', fixed],
    ['remark beyond the header', fixed + '00000005' + '00000000'],
    ['negative remark', fixed + 'ffffffff' + '00000000'],
    ['fields beyond the header', fixed + '00000000' + '00000001'],
    ['negative fields', fixed + '00000000' + 'ffffffff'],
    ['key beyond the fields', fixed + '00000000' + '00000003' + '000561'],
    ['negative key length', fixed + '00000000' + '00000007' + 'ffff6100000000'],
    ['value beyond the fields', fixed + '00000000' + '00000007' + '0001617fffffff'],
    ['half a key length', fixed + '00000000' + '00000001' + '00'],
  ])('refused: %s', (_name, hex) => {
    expect(() => read(hex)).toThrow(FrameError)
  })

  test('an unknown serialization is refused', () => {
    expect(() => decoded(frame('{}', Buffer.alloc(0), 2))).toThrow('serialization 2 is unknown')
  })
})
