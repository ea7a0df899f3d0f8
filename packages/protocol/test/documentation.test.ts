import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { CloseCode, errorTable, Flag, Kind, mayReconnect, MetaKey } from '@cometmq/protocol'
import { hintOf } from '@cometmq/protocol/hints'
import { format, resolveConfig } from 'prettier'
import { expect, it } from 'vitest'
import { isMeta } from '../src/check-client.ts'
import { closeDocs, flagDocs, frameDocs, memberDocs, metaDocs, tupleDocs } from '../src/docs.ts'
import type { Shape } from '../src/shape.ts'
import { tables } from './samples.ts'

const folder = resolve(import.meta.dirname, '../../../docs')
const scalars: Record<string, string> = {
  u: 'uint',
  i: 'int',
  s: 'text',
  b: 'bytes',
  y: 'boolean',
  m: 'map',
  r: 'ranges',
  x: 'any',
  U: 'uint or nil',
  S: 'text or nil',
}

const escaped = (text: string): string => text.replaceAll('|', '\\|')
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.map(escaped).join(' | ')} |`).join('\n')

function typeOf(shape: Shape): string {
  if (typeof shape === 'function') return shape === isMeta ? 'map' : 'list'
  if (typeof shape === 'string') {
    if (shape[1] !== '=') return scalars[shape[0]!]!
    return shape
      .slice(2)
      .split('|')
      .map(value => `\`${value}\``)
      .join(', ')
  }
  if (!Array.isArray(shape)) return '' in shape ? `${typeOf((shape as Record<string, Shape>)['']!)}, or map` : 'map'
  const shapes = shape as readonly Shape[]
  return shapes.length === 1 ? `list of ${typeOf(shapes[0]!)}` : `[${shapes.map(typeOf).join(', ')}]`
}

const isOptional = (shape: Shape): boolean => typeof shape === 'string' && shape[1] === '?'
const numbered = (table: object): [name: string, value: number][] =>
  Object.entries(table as Record<string, number>).sort((a, b) => a[1] - b[1])
const namesOf = (table: object): string[] => numbered(table).map(([name]) => name)
const kinds = numbered(Kind).filter(([, kind]) => tables.client[kind] ?? tables.server[kind])

function frameRow([name, kind]: [string, number]): string[] {
  const shapes = tables.client[kind] ?? tables.server[kind]!
  const { items, purpose } = frameDocs[name]!
  expect(items.length, name).toBe(shapes.length)
  const from = tables.client[kind] ? (tables.server[kind] ? 'both' : 'client') : 'bridge'
  const shown = items.map((item, index) => `\`${item}\`${isOptional(shapes[index]!) ? '?' : ''} ${typeOf(shapes[index]!)}`)
  return [String(kind), name, from, shown.join('<br>'), purpose]
}

/** Maps by path, with maps in maps. */
function* mapsIn(path: string, shape: Shape): Generator<[path: string, shape: Readonly<Record<string, Shape>>]> {
  if (typeof shape !== 'object' || Array.isArray(shape)) return
  const members = shape as Readonly<Record<string, Shape>>
  yield [path, members]
  for (const [key, member] of Object.entries(members)) yield* mapsIn(`${path}.${key.replace('?', '')}`, member)
}

function maps(): string {
  const found = kinds.flatMap(([name, kind]) =>
    (tables.client[kind] ?? tables.server[kind]!).flatMap((shape, index) => [
      ...mapsIn(`${name}.${frameDocs[name]!.items[index]!}`, shape),
    ]),
  )
  expect(found.map(([path]) => path).sort()).toEqual(Object.keys(memberDocs).sort())
  return found
    .map(([path, members]) => {
      const documented = memberDocs[path]!
      const keys = Object.keys(members).filter(key => key !== '')
      expect(
        keys.map(key => key.replace('?', '')),
        path,
      ).toEqual(Object.keys(documented))
      const rows = keys.map(key => [
        `\`${key.replace('?', '')}\`${key.endsWith('?') ? '?' : ''}`,
        typeOf(members[key]!),
        documented[key.replace('?', '')]!,
      ])
      return `**${path}**\n\n${table(['member', 'type', 'meaning'], rows)}`
    })
    .join('\n\n')
}

const tuples = (): string =>
  Object.entries(tupleDocs)
    .map(
      ([path, rows]) =>
        `**${path}**\n\n${table(
          ['item', 'type', 'meaning'],
          rows.map(([item, type, words]) => [`\`${item}\``, type, words]),
        )}`,
    )
    .join('\n\n')

function metaRows(): string[][] {
  expect(Object.keys(metaDocs)).toEqual(Object.keys(MetaKey))
  return Object.entries(MetaKey).map(([name, key]) => [String(key), name, ...metaDocs[name]!])
}

function flagRows(): string[][] {
  expect(Object.keys(flagDocs)).toEqual(namesOf(Flag))
  return numbered(Flag).map(([name, bit]) => [String(bit), name, flagDocs[name]!])
}

function closeRows(): string[][] {
  expect(Object.keys(closeDocs)).toEqual(namesOf(CloseCode))
  return numbered(CloseCode).map(([name, code]) => [
    String(code),
    name,
    mayReconnect(code) ? 'reconnect' : 'stop',
    closeDocs[name]!,
  ])
}

/** The page with its generated parts as the code has them, between `<!-- name -->` and `<!-- end -->`. */
async function keepInStep(file: string, parts: Readonly<Record<string, string>>): Promise<void> {
  const page = resolve(folder, file)
  let wanted = readFileSync(page, 'utf8')
  for (const [name, text] of Object.entries(parts)) {
    const place = new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- end -->)`)
    expect(wanted, name).toMatch(place)
    wanted = wanted.replace(place, (_, before: string, after: string) => `${before}\n${text}\n${after}`)
  }
  wanted = await format(wanted, { ...(await resolveConfig(page)), parser: 'markdown' })
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(page, wanted)
  expect(readFileSync(page, 'utf8')).toBe(wanted)
}

it('every frame that is checked has words, and no others', () => {
  expect(Object.keys(frameDocs).sort()).toEqual(kinds.map(([name]) => name).sort())
})

/** With UPDATE_DOCS=1 the pages are written anew, otherwise compared. */
it('docs/protocol.md has the frames as they are', async () => {
  await keepInStep('protocol.md', {
    frames: table(['kind', 'name', 'from', 'items after the kind', 'purpose'], kinds.map(frameRow)),
    tuples: tuples(),
    meta: table(['key', 'name', 'type', 'meaning'], metaRows()),
    flags: table(['bit', 'name', 'meaning'], flagRows()),
    maps: maps(),
    'close codes': table(['code', 'name', 'then', 'meaning'], closeRows()),
  })
})

it('docs/errors.md has the catalogue as it is', async () => {
  const rows = errorTable().map(({ code, name, retryable, outcome }) => [
    String(code),
    `COMET_${name}`,
    retryable ? 'yes' : 'no',
    outcome,
    hintOf(code)!,
  ])
  await keepInStep('errors.md', { errors: table(['code', 'name', 'retry', 'outcome', 'what to do'], rows) })
})
