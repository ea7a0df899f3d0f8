import { CloseCode, codeOf, errorOf, errorTable, mayReconnect, messageIdOf } from '@cometmq/protocol'
import { hintOf, hints } from '@cometmq/protocol/hints'
import { expect, it } from 'vitest'

const errors = errorTable()

it('every code has a hint, and no hint is without a code', () => {
  expect(Object.keys(hints).map(Number)).toEqual(errors.map(info => info.code))
  for (const { code } of errors) expect(hintOf(code)!.length, String(code)).toBeGreaterThan(30)
  expect(hintOf(1)).toBeUndefined()
})

it('codes and names are unique, ascending, and found both ways', () => {
  expect(new Set(errors.map(info => info.name)).size).toBe(errors.length)
  expect(errors.map(info => info.code)).toEqual([...new Set(errors.map(info => info.code))].sort((a, b) => a - b))
  for (const info of errors) {
    expect(errorOf(info.code)).toEqual(info)
    expect(codeOf(info.name)).toBe(info.code)
  }
  expect(errorOf(1)).toBeUndefined()
  expect(() => codeOf('NO_SUCH_NAME')).toThrow('NO_SUCH_NAME')
})

it('close codes of the upper half are final', () => {
  for (const [name, code] of Object.entries(CloseCode)) expect(mayReconnect(code), name).toBe(code < 4500)
  expect(mayReconnect(1006)).toBe(true)
})

it('a message id is the session and twelve digits', () => {
  expect(messageIdOf('0123456789ABCDEF0123', 255)).toBe('0123456789ABCDEF01230000000000FF')
  expect(messageIdOf('0123456789ABCDEF0123', Number.MAX_SAFE_INTEGER)).toHaveLength(34)
})
