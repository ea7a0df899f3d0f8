import { describe, expect, it } from 'vitest'
import { count, detail, type Noun, text, time } from '../src/output/columns.ts'
import { type OutputOptions, printedFieldNames, Printer } from '../src/output/printer.ts'
import { displayWidth, printable, textTable } from '../src/output/text-table.ts'
import { parseDuration, parseTime, timeText } from '../src/output/times.ts'
import { toYaml } from '../src/output/yaml.ts'
import { FakeIo } from './fake-io.ts'

interface Fruit {
  name: string
  price: number
  at: number
  labels: string[]
}
const fruits: Noun<Fruit> = {
  kind: 'fruits',
  version: 1,
  nameOf: row => row.name,
  columns: [
    text('name', row => row.name),
    count('price', row => row.price),
    time('at', row => row.at),
    text('labels', row => row.labels, { wide: true }),
    detail('more', row => ({ length: row.name.length })),
  ],
}
const rows: Fruit[] = [
  { name: 'apple', price: 7, at: 1_700_000_000_000, labels: ['red', 'sweet'] },
  { name: 'with "quotes", comma\tand tab', price: 2 ** 60, at: 0, labels: [] },
]

function list(options: OutputOptions, terminal = false): string {
  const io = new FakeIo()
  io.outIsTerminal = terminal
  new Printer(io, fruits, { utc: true, ...options }).list(rows)
  return io.stdout
}

describe('printer', () => {
  it('prints tab-separated values when piped, a table on a terminal', () => {
    expect(list({})).toMatchInlineSnapshot(`
      "name	price	at
      apple	7	2023-11-14T22:13:20.000Z
      with "quotes", comma\\x09and tab	1152921504606847000	
      "
    `)
    expect(list({}, true)).toMatchInlineSnapshot(`
      "NAME                                           PRICE  AT
      apple                                              7  2023-11-14T22:13:20.000Z
      with "quotes", comma\\x09and tab  1152921504606847000
      "
    `)
    expect(list({ output: 'table' })).toBe(list({}, true))
  })

  it('has wide columns only where asked for', () => {
    expect(list({ output: 'wide' })).toContain('LABELS')
    expect(list({ output: 'csv' })).toMatchInlineSnapshot(`
      "name,price,at,labels,more
      apple,7,2023-11-14T22:13:20.000Z,"red,sweet","{""length"":5}"
      "with ""quotes"", comma	and tab",1152921504606847000,,,"{""length"":28}"
      "
    `)
  })

  it('prints JSON with version and kind, numbers beyond 2^53 as text, no time as null', () => {
    expect(JSON.parse(list({ output: 'json' }))).toEqual({
      v: 1,
      kind: 'fruits',
      items: [
        { name: 'apple', price: 7, at: '2023-11-14T22:13:20.000Z', labels: ['red', 'sweet'], more: { length: 5 } },
        { name: rows[1]!.name, price: '1152921504606847000', at: null, labels: [], more: { length: 28 } },
      ],
    })
    const lines = list({ output: 'ndjson', epoch: true }).trimEnd().split('\n')
    expect(JSON.parse(lines[0]!)).toMatchObject({ v: 1, name: 'apple', at: 1_700_000_000_000 })
    expect(lines).toHaveLength(2)
  })

  it('picks the fields of --json and names them without a list', () => {
    expect(JSON.parse(list({ json: 'price,name' }))).toMatchObject({ items: [{ price: 7, name: 'apple' }, {}] })
    expect(() => list({ json: 'color' })).toThrow(/no field color/)
    const io = new FakeIo()
    expect(printedFieldNames(io, fruits, { json: true })).toBe(true)
    expect(io.stdout).toBe('name\nprice\nat\nlabels\nmore\n')
  })

  it('prints names only with -q and -o name', () => {
    expect(list({ quiet: true })).toBe(list({ output: 'name' }))
    expect(list({ quiet: true }).split('\n')[0]).toBe('apple')
  })

  it('prints one thing as fields, with its sections', () => {
    const io = new FakeIo()
    new Printer(io, fruits, { output: 'table', utc: true }).one(rows[0]!, () => io.out('sections\n'))
    expect(io.stdout).toMatchInlineSnapshot(`
      "name:   apple
      price:  7
      at:     2023-11-14T22:13:20.000Z
      labels: red,sweet
      sections
      "
    `)
  })
})

describe('yaml', () => {
  it('writes nested lists and maps, and quotes what would mean something else', () => {
    expect(toYaml({ v: 1, items: [{ a: 'plain', b: 'no', c: ['x y', ''], d: {}, e: [] }], z: null })).toMatchInlineSnapshot(`
      "v: 1
      items:
        - a: plain
          b: "no"
          c:
            - "x y"
            - ""
          d: {}
          e: []
      z: null
      "
    `)
  })
})

describe('text', () => {
  it('counts wide and combining characters', () => {
    expect(displayWidth('abc')).toBe(3)
    expect(displayWidth('消息')).toBe(4)
    expect(displayWidth('e\u0301')).toBe(1)
  })

  it('never prints control characters', () => {
    expect(printable('a\u001b[31m\nb\u009b')).toBe('a\\x1b[31m\\x0ab\\x9b')
  })

  it('aligns columns', () => {
    expect(textTable(['a', 'n'], [['消息', '5']], new Set([1]))).toEqual(['a     n', '消息  5'])
  })
})

describe('times', () => {
  const now = Date.UTC(2026, 0, 2, 3, 4, 5, 6)

  it('reads durations', () => {
    expect(['500ms', '10s', '5m', '2h', '1d', '1.5s', '7'].map(parseDuration)).toEqual([
      500, 10_000, 300_000, 7_200_000, 86_400_000, 1_500, 7_000,
    ])
    expect(parseDuration('soon')).toBeUndefined()
  })

  it('reads points in time', () => {
    expect(parseTime('-15m', now)).toBe(now - 900_000)
    expect(parseTime('+10s', now)).toBe(now + 10_000)
    expect(parseTime('now', now)).toBe(now)
    expect(parseTime('1700000000000', now)).toBe(1_700_000_000_000)
    expect(parseTime('2026-01-01T10:00Z', now)).toBe(Date.UTC(2026, 0, 1, 10))
    expect(parseTime('today 09:00', now)).toBe(new Date(now).setHours(9, 0, 0, 0))
    expect(parseTime('yesterday-ish', now)).toBeUndefined()
  })

  it('writes what it can read', () => {
    for (const style of ['local', 'utc', 'epoch'] as const) expect(parseTime(timeText(now, style), 0)).toBe(now)
    expect(timeText(0, 'local')).toBe('')
  })
})
