import fc from 'fast-check'
import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  compressBody,
  compressionFlags,
  compressionTypeOf,
  decompressBody,
  MessageFormatError,
  SysFlag,
  type CompressionType,
} from '../../src/index.ts'
import { decompressInScript } from '../../src/message/zstd.ts'

const bodies = [
  Buffer.from(''),
  Buffer.from('x'),
  Buffer.from('hello '.repeat(2000)),
  Buffer.alloc(300_000, 7),
  randomLooking(100_000),
]

function randomLooking(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = 1
  for (let i = 0; i < length; i++) bytes[i] = (state = (Math.imul(state, 1103515245) + 12345) | 0) >>> 16
  return bytes
}

describe.each<CompressionType>(['ZLIB', 'LZ4'])('%s', type => {
  const flags = compressionFlags(type)

  it('round-trips', () => {
    for (const body of bodies) expect(decompressBody(compressBody(body, type), flags).equals(body)).toBe(true)
  })

  it('stops at the limit', () => {
    const bomb = compressBody(Buffer.alloc(1_000_000), type)
    expect(bomb.length).toBeLessThan(10_000)
    expect(() => decompressBody(bomb, flags, 999_999)).toThrow(MessageFormatError)
    expect(decompressBody(bomb, flags, 1_000_000).length).toBe(1_000_000)
  })

  it('throws only MessageFormatError when cut or flipped', () => {
    const good = compressBody(Buffer.from('some body that is compressed, some body that is compressed'), type)
    for (let length = 1; length < good.length; length++) {
      expect(() => decompressBody(good.subarray(0, length), flags), `cut to ${length}`).toThrow(MessageFormatError)
    }
    fc.assert(
      fc.property(fc.nat(good.length * 8 - 1), bit => {
        const bad = Buffer.from(good)
        bad[bit >> 3]! ^= 1 << (bit & 7)
        try {
          expect(decompressBody(bad, flags, 100_000).length).toBeLessThanOrEqual(100_000)
        } catch (error) {
          expect(error).toBeInstanceOf(MessageFormatError)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('throws only MessageFormatError for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), noise => {
        for (const prefix of ['', '04224d1864', '04224d1860']) {
          try {
            decompressBody(Buffer.concat([Buffer.from(prefix, 'hex'), noise]), flags, 100_000)
          } catch (error) {
            expect(error).toBeInstanceOf(MessageFormatError)
          }
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('LZ4 frames', () => {
  const flags = compressionFlags('LZ4')
  it('of several parts are joined, skippable ones left out', () => {
    const skippable = Buffer.from('502a4d1803000000616263', 'hex')
    const body = Buffer.concat([compressBody(Buffer.from('one '), 'LZ4'), skippable, compressBody(Buffer.from('two'), 'LZ4')])
    expect(decompressBody(body, flags).toString()).toBe('one two')
  })
})

describe('ZSTD', () => {
  const flags = compressionFlags('ZSTD')
  /** A frame of one block that repeats a byte 128 KiB times. */
  const repeated = (count: number): Buffer =>
    Buffer.concat([
      Buffer.from('28b52ffd0050', 'hex'),
      ...Array.from({ length: count }, (_, i) => {
        const block = Buffer.alloc(4, 0x61)
        block.writeUIntLE((131_072 << 3) | 2 | (i === count - 1 ? 1 : 0), 0, 3)
        return block
      }),
    ])

  it('is decompressed by the script decoder and the default one', () => {
    for (const decompress of [decompressInScript, (body: Buffer, max: number) => decompressBody(body, flags, max)]) {
      const body = decompress(repeated(3), 1_000_000)
      expect(body.length).toBe(3 * 131_072)
      expect(body.every(byte => byte === 0x61)).toBe(true)
    }
  })

  it('stops at the limit', () => {
    expect(() => decompressBody(repeated(100), flags, 1_000_000)).toThrow(MessageFormatError)
    expect(() => decompressInScript(repeated(100), 1_000_000)).toThrow(MessageFormatError)
  })

  it('refuses a window of 2 GiB before a decoder sees it', () => {
    const wide = repeated(1)
    wide[5] = 21 << 3
    expect(() => decompressBody(wide, flags)).toThrow(/window of 2147483648 bytes/)
  })

  it('throws only MessageFormatError when cut or flipped', () => {
    const good = repeated(2)
    for (let length = 1; length < good.length; length++)
      expect(() => decompressBody(good.subarray(0, length), flags)).toThrow(MessageFormatError)
    fc.assert(
      fc.property(fc.nat(good.length * 8 - 1), bit => {
        const bad = Buffer.from(good)
        bad[bit >> 3]! ^= 1 << (bit & 7)
        try {
          decompressBody(bad, flags, 500_000)
        } catch (error) {
          expect(error).toBeInstanceOf(MessageFormatError)
        }
      }),
    )
  })
})

describe('the type', () => {
  it('0 and 3 are ZLIB, as old and new clients send it', () => {
    const body = deflateSync(Buffer.from('old'))
    expect(decompressBody(body, 0x1).toString()).toBe('old')
    expect(decompressBody(body, 0x301).toString()).toBe('old')
    expect(compressionFlags('ZLIB')).toBe(0x301)
  })
  it('may be unknown', () => {
    expect(compressionTypeOf(0x501)).toBeNull()
    expect(() => decompressBody(Buffer.from('x'), 0x501)).toThrow(/unknown compression type in sysFlag 0x501/)
  })
  it('does not matter without the compressed bit', () => {
    const body = Buffer.from('as it is')
    expect(decompressBody(body, SysFlag.COMPRESSION_ZSTD)).toBe(body)
  })
})
