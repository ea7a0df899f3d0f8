import type { Receipt } from '@cometmq/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeptReceipts } from '../../src/core/kept-receipts.ts'

const plain = fc.tuple(fc.nat(), fc.constant(0), fc.constant(null), fc.integer({ min: 0 }), fc.maxSafeNat())
const other = fc.oneof(
  fc.tuple(fc.nat(), fc.constant(40000), fc.constant(null), fc.constant(-1), fc.constant(-1), fc.record({ text: fc.string() })),
  fc.tuple(fc.nat(), fc.constant(0), fc.string(), fc.nat(), fc.nat()),
)

describe('kept receipts', () => {
  it('gives back what was kept last, whole', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.oneof(plain, other)), (max, drawn) => {
        const kept = new KeptReceipts(max)
        const receipts = drawn.map((receipt, index) => [index + 1, ...receipt.slice(1)] as unknown as Receipt)
        for (const receipt of receipts) kept.add(receipt)
        const from = Math.max(0, receipts.length - max)
        receipts.forEach((receipt, index) => expect(kept.get(receipt[0])).toEqual(index < from ? undefined : receipt))
        expect(kept.get(0)).toBeUndefined()
      }),
    )
  })
})
