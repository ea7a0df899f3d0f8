import fc from 'fast-check'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  checkRecord,
  crc32,
  decodeBatch,
  decodeRecord,
  decodeRecords,
  encodeBatch,
  encodeRecord,
  MAGIC_V1,
  MAGIC_V2,
  MessageFormatError,
  MIN_RECORD_BYTES,
  readInt16,
  readInt32,
  readInt64,
  writeInt16,
  writeInt32,
  writeInt64,
  type RecordFields,
} from '../../src/index.ts'
import { crc32Sliced } from '../../src/message/crc.ts'

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')
const host = (address: string, port: number): Buffer => {
  const bytes = Buffer.from([...address.split('.').map(Number), 0, 0, 0, 0])
  bytes.writeInt32BE(port, 4)
  return bytes
}

// spec: remoting, section 11
const vector = bytesOf(
  '00000077 daa320a7 3610a686 00000003 00000000 000000000000000a 0000000000001000 00000000 0000018bcfe56800 0a000009 0000c350 ' +
    '0000018bcfe56805 0a000001 00002a9f 00000000 0000000000000000 00000005 68656c6c6f 01 54 0016 554e49515f4b4559 01 4131 02 54414753 01 54616741 02',
)
const vectorFields: RecordFields = {
  queueId: 3,
  flag: 0,
  queueOffset: 10,
  physicalOffset: 4096,
  sysFlag: 0,
  bornTimestamp: 1700000000000,
  bornHost: host('10.0.0.9', 50000),
  storeTimestamp: 1700000000005,
  storeHost: host('10.0.0.1', 10911),
  reconsumeTimes: 0,
  preparedTransactionOffset: 0,
  body: Buffer.from('hello'),
  topic: 'T',
  properties: 'UNIQ_KEY\x01A1\x02TAGS\x01TagA\x02',
}
// spec: store, section 2.1
const storeVector = bytesOf(
  '00000072 daa320a7 58932aac 00000002 00000000 0000000000000007 00000000000003e8 00000000 0000018bcfe56800 7f000001 0000c350 ' +
    '0000018bcfe5687b 7f000001 00002a9f 00000000 0000000000000000 00000002 6869 02 5431 0013 544147530141 02 554e49515f4b4559014b3102',
)

const arbitraryHost = fc.oneof(fc.uint8Array({ minLength: 8, maxLength: 8 }), fc.uint8Array({ minLength: 20, maxLength: 20 }))
const arbitraryRecord: fc.Arbitrary<RecordFields> = fc.record({
  queueId: fc.integer(),
  flag: fc.integer(),
  queueOffset: fc.maxSafeInteger(),
  physicalOffset: fc.maxSafeNat(),
  sysFlag: fc.integer(),
  bornTimestamp: fc.maxSafeInteger(),
  bornHost: arbitraryHost,
  storeTimestamp: fc.maxSafeInteger(),
  storeHost: arbitraryHost,
  reconsumeTimes: fc.integer(),
  preparedTransactionOffset: fc.maxSafeInteger(),
  body: fc.uint8Array({ maxLength: 600 }),
  topic: fc.string({ unit: 'grapheme', maxLength: 60 }),
  properties: fc.string({ unit: 'grapheme', maxLength: 100 }),
})

describe('records', () => {
  it('decode and encode the published vectors', () => {
    const record = decodeRecord(vector)
    expect(record).toEqual({ ...vectorFields, totalSize: 119, magic: MAGIC_V1, bodyCrc: 907060870 })
    expect(encodeRecord(vectorFields).equals(vector)).toBe(true)
    const other = decodeRecord(storeVector)
    expect(other.bodyCrc).toBe(1486039724)
    expect(encodeRecord(other).equals(storeVector)).toBe(true)
  })

  it('follow each other without gaps', () => {
    expect(decodeRecords(Buffer.concat([vector, storeVector, vector])).map(record => record.topic)).toEqual(['T', 'T1', 'T'])
    expect(decodeRecords(Buffer.alloc(0))).toEqual([])
    expect(decodeRecords(Buffer.concat([vector, Buffer.alloc(3)])).length).toBe(1)
  })

  it('use version 2 above 127 topic bytes only', () => {
    expect(decodeRecord(encodeRecord({ ...vectorFields, topic: 'x'.repeat(127) })).magic).toBe(MAGIC_V1)
    const long = encodeRecord({ ...vectorFields, topic: 'ä'.repeat(64) })
    expect(decodeRecord(long)).toMatchObject({ magic: MAGIC_V2, topic: 'ä'.repeat(64) })
  })

  it('round-trip with IPv4 and IPv6 hosts, at any position', () => {
    fc.assert(
      fc.property(arbitraryRecord, fc.nat(20), (fields, offset) => {
        const bytes = Buffer.concat([Buffer.alloc(offset), encodeRecord(fields), Buffer.alloc(offset)])
        const record = decodeRecord(bytes, offset)
        const hosts = (fields.bornHost.length === 20 ? 0x10 : 0) | (fields.storeHost.length === 20 ? 0x20 : 0)
        expect({
          ...record,
          body: [...record.body],
          bornHost: [...record.bornHost],
          storeHost: [...record.storeHost],
        }).toMatchObject({
          ...fields,
          sysFlag: (fields.sysFlag & ~0x30) | hosts,
          body: [...fields.body],
          bornHost: [...fields.bornHost],
          storeHost: [...fields.storeHost],
        })
        expect(checkRecord(bytes, offset, bytes.length, true)).toBeNull()
      }),
    )
  })

  it('are refused when cut anywhere', () => {
    for (let length = 0; length < vector.length; length++) {
      expect(() => decodeRecord(vector.subarray(0, length))).toThrow(MessageFormatError)
      expect(checkRecord(vector, 0, length)).not.toBeNull()
    }
  })

  it('throw only MessageFormatError for flipped bits, and never leave their bytes', () => {
    fc.assert(
      fc.property(arbitraryRecord, fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 3 }), (fields, flips) => {
        const bytes = encodeRecord(fields)
        for (const [at, bit] of flips) bytes[at % bytes.length]! ^= 1 << bit
        try {
          const record = decodeRecord(bytes)
          expect(record.totalSize).toBe(bytes.length)
        } catch (error) {
          expect(error).toBeInstanceOf(MessageFormatError)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('throw only MessageFormatError for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), noise => {
        const bytes = Buffer.from(noise)
        if (bytes.length >= 8) {
          bytes.writeInt32BE(bytes.length, 0)
          bytes.writeInt32BE(MAGIC_V1, 4)
        }
        expect(bytes.length < MIN_RECORD_BYTES ? checkRecord(bytes, 0, bytes.length) : 'x').not.toBeNull()
        try {
          decodeRecords(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(MessageFormatError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('with a changed body do not match their CRC', () => {
    const damaged = Buffer.from(vector)
    damaged[88]! ^= 1
    expect(checkRecord(damaged, 0, damaged.length)).toBeNull()
    expect(checkRecord(damaged, 0, damaged.length, true)).toMatch(/CRC/)
  })

  it('refuse to be encoded when a part does not fit', () => {
    expect(() => encodeRecord({ ...vectorFields, properties: 'x'.repeat(32768) })).toThrow(/properties of 32768 bytes/)
    expect(() => encodeRecord({ ...vectorFields, topic: 'x'.repeat(32768) })).toThrow(/topic of 32768 bytes/)
    expect(() => encodeRecord({ ...vectorFields, bornHost: Buffer.alloc(6) })).toThrow(/host has 8 bytes/)
  })
})

describe('batches', () => {
  // spec: remoting, section 11
  const batch = bytesOf(
    '00000023 00000000 00000000 00000000 00000001 61 000c 554e49515f4b455901413102' +
      '00000023 00000000 00000000 00000000 00000001 62 000c 554e49515f4b455901413202',
  )
  const elements = [
    { flag: 0, body: Buffer.from('a'), properties: 'UNIQ_KEY\x01A1\x02' },
    { flag: 0, body: Buffer.from('b'), properties: 'UNIQ_KEY\x01A2\x02' },
  ]

  it('decode and encode the published vector', () => {
    expect(decodeBatch(batch)).toEqual(elements)
    expect(encodeBatch(elements).equals(batch)).toBe(true)
    expect(decodeBatch(Buffer.alloc(0))).toEqual([])
  })

  it('round-trip', () => {
    const element = fc.record({
      flag: fc.integer(),
      body: fc.uint8Array({ maxLength: 50 }),
      properties: fc.string({ unit: 'grapheme', maxLength: 30 }),
    })
    fc.assert(
      fc.property(fc.array(element, { maxLength: 5 }), list => {
        const decoded = decodeBatch(encodeBatch(list))
        expect(decoded.map(item => ({ ...item, body: [...item.body] }))).toEqual(
          list.map(item => ({ ...item, body: [...item.body] })),
        )
      }),
    )
  })

  it('name the damaged element', () => {
    for (let length = 1; length < batch.length; length++) {
      if (length !== batch.length / 2) expect(() => decodeBatch(batch.subarray(0, length))).toThrow(MessageFormatError)
    }
    const damaged = Buffer.from(batch)
    damaged.writeInt32BE(-1, 35 + 16)
    expect(() => decodeBatch(damaged)).toThrow(/element 1 .* body length -1/)
    damaged.writeInt32BE(0x7fffffff, 35 + 16)
    expect(() => decodeBatch(damaged)).toThrow(/element 1 .* body length/)
    damaged.writeInt32BE(0, 35)
    expect(() => decodeBatch(damaged)).toThrow(/its size 0/)
  })

  it('throw only MessageFormatError for flipped bits', () => {
    fc.assert(
      fc.property(fc.nat(batch.length * 8 - 1), bit => {
        const damaged = Buffer.from(batch)
        damaged[bit >> 3]! ^= 1 << (bit & 7)
        try {
          decodeBatch(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(MessageFormatError)
        }
      }),
    )
  })
})

describe('crc32', () => {
  it('is zlib without the sign bit, at every length and position', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), fc.nat(9), (bytes, start) => {
        const from = Math.min(start, bytes.length)
        const expected = zlibCrc32(bytes.subarray(from)) & 0x7fffffff
        expect(crc32(bytes, from, bytes.length)).toBe(expected)
        expect(crc32Sliced(bytes, from, bytes.length)).toBe(expected)
      }),
    )
    expect(crc32(Buffer.from('hello'))).toBe(907060870)
  })
})

describe('integers in bytes', () => {
  it('are those of Buffer', () => {
    const bytes = Buffer.alloc(12)
    const other = Buffer.alloc(12)
    fc.assert(
      fc.property(fc.integer(), fc.maxSafeInteger(), fc.integer({ min: -32768, max: 32767 }), fc.nat(4), (i32, i64, i16, at) => {
        writeInt32(bytes, at, i32)
        other.writeInt32BE(i32, at)
        expect(bytes.equals(other)).toBe(true)
        expect(readInt32(bytes, at)).toBe(i32)
        writeInt64(bytes, at, i64)
        other.writeBigInt64BE(BigInt(i64), at)
        expect(bytes.equals(other)).toBe(true)
        expect(readInt64(bytes, at)).toBe(i64)
        writeInt16(bytes, at, i16)
        other.writeInt16BE(i16, at)
        expect(bytes.equals(other)).toBe(true)
        expect(readInt16(bytes, at)).toBe(i16)
      }),
    )
  })
})
