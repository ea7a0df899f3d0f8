import { describe, expect, it } from 'vitest'
import { delayLevels } from '../../src/delivery/delay-levels.ts'
import { delayOffsetsJson, parseDelayOffsets } from '../../src/delivery/delay-offsets.ts'

describe('delay levels', () => {
  it('reads levels and caps what messages ask for', () => {
    const levels = delayLevels('1s 5m 2h 1d')
    expect([1, 2, 3, 4].map(level => levels.delayMs(level))).toEqual([1000, 300_000, 7_200_000, 86_400_000])
    expect(['', '0', '-1', 'x', '1', '4', '5', '99'].map(value => levels.parse(value))).toEqual([0, 0, 0, 0, 1, 4, 4, 4])
    expect(() => delayLevels('1s 5x')).toThrow(/5x/)
  })

  it('reads delayOffset.json as Java writes it, and as we do', () => {
    const java = '{\n\t"dataVersion":{"counter":2,"stateVersion":0,"timestamp":1763980000000},\n\t"offsetTable":{3:412,4:90}\n}'
    const parsed = parseDelayOffsets(java)!
    expect([...parsed.offsetTable]).toEqual([
      [3, 412],
      [4, 90],
    ])
    expect(parsed).toMatchObject({ counter: 2, timestamp: 1_763_980_000_000 })
    expect(parseDelayOffsets(delayOffsetsJson(parsed))).toEqual(parsed)
    expect([...parseDelayOffsets('{"offsetTable":{"1":5}}')!.offsetTable]).toEqual([[1, 5]])
    expect(parseDelayOffsets('rubbish')).toBeNull()
  })
})
