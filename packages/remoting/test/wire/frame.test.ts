import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FrameError, FrameReader, MAX_FRAME_BYTES } from '@cometmq/remoting'
import { frame } from './tools.ts'

const anyFrame = fc
  .tuple(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 10_000 }))
  .map(([header, body]) => frame(Buffer.from(header), Buffer.from(body)))

function readAll(reader: FrameReader, chunks: Buffer[]): Buffer[] {
  const frames: Buffer[] = []
  for (const chunk of chunks) {
    reader.push(chunk)
    while (reader.next()) frames.push(reader.bytes.subarray(reader.start, reader.end))
  }
  return frames
}

function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = [0, ...places.map(place => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end))
}

const lengthWord = (length: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeInt32BE(length, 0)
  return bytes
}

function failure(bytes: Buffer): string {
  try {
    readAll(new FrameReader(), [bytes])
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError)
    return (error as Error).message
  }
  return 'no failure'
}

describe('frame reader', () => {
  test('gives back the frames however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.nat(100_000), { maxLength: 30 }), (frames, places) => {
        const reader = new FrameReader()
        const found = readAll(reader, cut(Buffer.concat(frames), places))
        expect(found.map(bytes => bytes.toString('hex'))).toEqual(frames.map(bytes => bytes.toString('hex', 4)))
        expect(reader.pendingBytes).toBe(0)
      }),
    )
  })

  test('byte by byte, and with chunks pushed before the ones before were read', () => {
    const bytes = Buffer.concat([frame('{"a":1}', Buffer.from('body')), frame('{}')])
    expect(readAll(new FrameReader(), cut(bytes, [...bytes.keys()]))).toHaveLength(2)
    const reader = new FrameReader()
    for (const chunk of cut(bytes, [3, 9, 25])) reader.push(chunk)
    expect(readAll(reader, [Buffer.alloc(0)])).toHaveLength(2)
  })

  test('does not copy a frame that lies inside its chunk', () => {
    const chunk = Buffer.concat([frame('{}'), frame('{}')])
    const reader = new FrameReader()
    reader.push(chunk)
    expect(reader.next() && reader.bytes === chunk).toBe(true)
    expect(reader.next() && reader.bytes === chunk).toBe(true)
  })

  test('an announced length costs nothing until the bytes come', () => {
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 100 }, () => new FrameReader())
    const start = Buffer.concat([lengthWord(MAX_FRAME_BYTES - 4), Buffer.alloc(1000)])
    for (const reader of readers) readAll(reader, [start])
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MAX_FRAME_BYTES)
    expect(readers.every(reader => reader.pendingBytes === start.length)).toBe(true)
  })

  test('takes the largest frame and refuses one byte more', () => {
    const largest = frame('{}', Buffer.alloc(MAX_FRAME_BYTES - 10))
    expect(readAll(new FrameReader(), cut(largest, [70_000, 5_000_000]))).toHaveLength(1)
    expect(failure(lengthWord(MAX_FRAME_BYTES - 3))).toContain('announce a frame of 16777213 bytes')
  })

  test.each([
    ['2 GiB', lengthWord(0x7fff_ffff), 'announce a frame of 2147483647 bytes'],
    ['negative', lengthWord(-1), 'announce a frame of -1 bytes'],
    ['shorter than its own prefix', lengthWord(3), 'announce a frame of 3 bytes'],
    ['header beyond the frame', Buffer.from('0000000400000001', 'hex'), 'header of 1 bytes but has only 0'],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'HTTP message'],
    ['HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\n'), 'HTTP message'],
    ['TLS', Buffer.from('16030100f8010000f4', 'hex'), 'TLS handshake'],
    ['PROXY protocol', Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n'), 'PROXY protocol'],
    ['garbage', Buffer.from('deadbeefdeadbeef', 'hex'), 'begin with deadbeefdeadbeef'],
  ])('says what is wrong: %s', (_name, bytes, message) => {
    expect(failure(bytes)).toContain(message)
  })

  test('the length word alone is enough to refuse', () => {
    expect(failure(Buffer.from('7fffffff', 'hex'))).toContain('2147483647')
  })

  test('random bytes: frames or a FrameError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.array(fc.nat(200)), (bytes, places) => {
        try {
          readAll(new FrameReader(), cut(Buffer.from(bytes), places))
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError)
        }
      }),
    )
  })
})
