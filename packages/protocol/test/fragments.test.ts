import { checkServerFrame, decode, encode, fragment, type FragFrame, ProtocolError, Reassembler } from '@cometmq/protocol'
import { createRandom } from '@cometmq/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const frames = (encoded: readonly Uint8Array[]): FragFrame[] => encoded.map(bytes => checkServerFrame(decode(bytes)) as FragFrame)

describe('fragments', () => {
  it('come together again and keep the limit', () => {
    fc.assert(
      fc.property(fc.nat(3000), fc.integer({ min: 64, max: 2000 }), fc.maxSafeInteger(), (length, maxFrame, seed) => {
        const bytes = createRandom(seed).bytes(length)
        const id = Math.abs(seed)
        const encoded = fragment(bytes, maxFrame, id)
        for (const frame of encoded) expect(frame.length).toBeLessThanOrEqual(maxFrame)
        const reassembler = new Reassembler(3000, 1)
        const results = frames(encoded).map(frame => reassembler.add(frame))
        expect(results.pop()).toEqual(bytes)
        expect(results.every(result => result === null)).toBe(true)
      }),
    )
  })

  it('of several frames may mix', () => {
    const random = createRandom(7)
    const sent = [0, 1, 2].map(() => random.bytes(1000))
    const waiting = sent.map((bytes, id) => frames(fragment(bytes, 100 + id, id)))
    const reassembler = new Reassembler(3000, 3)
    const received: Uint8Array[] = []
    while (waiting.some(list => list.length > 0)) {
      const list = random.pick(waiting)
      const whole = list.length > 0 ? reassembler.add(list.shift()!) : null
      if (whole) received.push(whole)
    }
    expect(received).toHaveLength(3)
    expect(received).toEqual(expect.arrayContaining(sent))
    // All is free again.
    const [last] = frames(fragment(new Uint8Array(2900), 3000, 0))
    expect(reassembler.add(last!)).toHaveLength(2900)
  })

  it('beyond the bytes are refused, alone and together', () => {
    const large = frames(fragment(new Uint8Array(1001), 200, 1))
    const reassembler = new Reassembler(1000, 2)
    expect(() => large.forEach(frame => reassembler.add(frame))).toThrow(ProtocolError)
    const both = new Reassembler(1000, 2)
    both.add([12, 1, 0, false, new Uint8Array(600)])
    expect(() => both.add([12, 2, 0, false, new Uint8Array(600)])).toThrow('too large')
  })

  it('of too many frames at a time are refused', () => {
    const reassembler = new Reassembler(1000, 2)
    reassembler.add([12, 1, 0, false, new Uint8Array(1)])
    reassembler.add([12, 2, 0, false, new Uint8Array(1)])
    expect(() => reassembler.add([12, 3, 0, false, new Uint8Array(1)])).toThrow('too many')
  })

  it('missing, repeated and out of order are refused', () => {
    for (const second of [0, 2, 5]) {
      const reassembler = new Reassembler(1000, 2)
      reassembler.add([12, 1, 0, false, new Uint8Array(1)])
      expect(() => reassembler.add([12, 1, second, true, new Uint8Array(1)])).toThrow('out of order')
    }
    expect(() => new Reassembler(1000, 2).add([12, 1, 1, true, new Uint8Array(1)])).toThrow(ProtocolError)
  })

  it('are copied: the buffer of a transport may be used again', () => {
    const buffer = new Uint8Array([1, 2, 3])
    const reassembler = new Reassembler(1000, 2)
    reassembler.add([12, 1, 0, false, buffer])
    buffer.fill(9)
    expect(reassembler.add([12, 1, 1, true, buffer])).toEqual(new Uint8Array([1, 2, 3, 9, 9, 9]))
  })

  it('need room', () => {
    expect(() => fragment(encode('x'), 63, 1)).toThrow(RangeError)
  })
})
