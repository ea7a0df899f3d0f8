import { decode, ProtocolError } from '@cometmq/protocol'
import { describe, expect, it } from 'vitest'

const frameBytes = 256 * 1024

/** An array of copies of `unit`, as many as fit into a frame. */
function filled(unit: readonly number[], count = Math.floor((frameBytes - 5) / unit.length)): Uint8Array {
  const bytes = new Uint8Array(5 + count * unit.length)
  bytes.set([0xdd, count >>> 24, count >>> 16, count >>> 8, count])
  for (let at = 5; at < bytes.length; at += unit.length) bytes.set(unit, at)
  return bytes
}

/** More than this means that something is reserved by what the input claims instead of what it has. */
const heapLimitBytes = 48 * 1024 * 1024

function growthOf(task: () => void): number {
  const before = process.memoryUsage()
  task()
  const after = process.memoryUsage()
  return after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
}

describe('hostile inputs do not get memory', () => {
  const claims: Record<string, readonly number[]> = {
    'array of 2^32−1': [0xdd, 0xff, 0xff, 0xff, 0xff, 0],
    'array of 2^28': [0xdd, 0x10, 0, 0, 0, 0],
    'map of 2^32−1': [0xdf, 0xff, 0xff, 0xff, 0xff, 0],
    'byte string of 2^32−1': [0xc6, 0xff, 0xff, 0xff, 0xff, 0],
    'text of 2^32−1': [0xdb, 0xff, 0xff, 0xff, 0xff, 0],
  }
  for (const [name, bytes] of Object.entries(claims)) {
    it(name, () => {
      expect(growthOf(() => expect(() => decode(new Uint8Array(bytes))).toThrow(ProtocolError))).toBeLessThan(heapLimitBytes)
    })
  }

  const units: Record<string, readonly number[]> = {
    'empty arrays': [0x90],
    'empty maps': [0x80],
    'empty byte strings': [0xc4, 0],
    'arrays of one': [0x91, 0xc0],
    // Each would reserve 1,516 slots if it were not counted.
    'maps with a high integer key': [0x81, 0xcd, 0x03, 0xe8, 0xc0],
    'maps with a high integer key as text': [0x81, 0xa4, 0x31, 0x30, 0x30, 0x30, 0xc0],
    'maps with the key 127': [0x81, 0x7f, 0xc0],
  }
  for (const [name, unit] of Object.entries(units)) {
    it(name, () => {
      const bytes = filled(unit)
      expect(growthOf(() => expect(() => decode(bytes)).toThrow('too many values'))).toBeLessThan(heapLimitBytes)
    })
  }

  it('what real frames carry is far from the limit', () => {
    const text = (value: string): number[] => [0xa0 | value.length, ...Buffer.from(value)]
    const receipt = [0x95, 0xcd, 1, 1, 0, 0xc0, 3, 0xcd, 9, 9]
    const entry = [
      0x92,
      0x82,
      0x01,
      ...text('tag'),
      0x03,
      0x81,
      ...text('region'),
      ...text('eu'),
      0xc4,
      64,
      ...new Uint8Array(64),
    ]
    // All receipts of 32 producers with full windows.
    expect(decode(filled(receipt, 8192))).toHaveLength(8192)
    expect(decode(filled(entry))).toHaveLength(Math.floor((frameBytes - 5) / entry.length))
  })
})
