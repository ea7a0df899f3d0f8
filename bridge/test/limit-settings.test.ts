import { describe, expect, it } from 'vitest'
import { limitsOf } from '../src/limit-settings.ts'

describe('limits as texts', () => {
  it('sorts them by whose they are', () => {
    expect(limitsOf(['maxSockets=7', 'framesPerSecond=unlimited', 'maxBodyBytes=1048576'])).toEqual({
      limits: { maxSockets: 7 },
      sessionLimits: { framesPerSecond: Infinity, maxBodyBytes: 1_048_576 },
    })
  })

  it.each([
    ['frames=1', /no limit; there are, as name=value: maxSockets, .*framesPerSecond/],
    ['maxSockets', /no limit/],
    ['maxSockets=0', /maxSockets=0: it must be a whole number above 0$/],
    ['maxSockets=-1', /no limit/],
    ['maxBodyBytes=unlimited', /above 0$/],
    ['framesPerSecond=many', /above 0, or unlimited$/],
    ['toString=1', /no limit/],
  ])('refuses %s', (text, why) => {
    expect(() => limitsOf([text])).toThrow(why)
  })
})
