import type { Random } from '@cometmq/testkit'
import { clientFrames, isBatch, isMeta } from '../src/check-client.ts'
import { isEntries, isReceipts } from '../src/check-server.ts'
import type { Value } from '../src/frames.ts'
import { isResults, serverFrames } from '../src/server-frames.ts'
import type { FrameTable, Shape } from '../src/shape.ts'

export const tables: Readonly<Record<'client' | 'server', FrameTable>> = { client: clientFrames, server: serverFrames }

const texts = ['', 'a', 'TopicTest', 'schlüssel', '価格', '😀', '__proto__', '17', 'x'.repeat(40), 'y'.repeat(300)]

const count = (random: Random): number => random.int(random.pick([4, 128, 300, 70_000, 2 ** 33, 2 ** 53]))
const some = (random: Random, make: () => Value): Value[] => Array.from({ length: random.int(4) }, make)

function ranges(random: Random): number[] {
  const found: number[] = []
  for (let at = random.int(100), left = random.int(5); left > 0; left--) {
    const lo = at + 1
    at = lo + random.int(300)
    found.push(lo, at)
  }
  return found
}

function scalar(shape: string, random: Random): Value {
  if (shape[1] === '=') {
    const chosen = random.pick(shape.slice(2).split('|'))
    return shape[0] === 'u' ? Number(chosen) : chosen
  }
  switch (shape[0]) {
    case 'u':
      return count(random)
    case 'i':
      return random.chance() ? count(random) : -count(random)
    case 's':
      return random.pick(texts)
    case 'U':
      return random.chance() ? null : count(random)
    case 'S':
      return random.chance() ? null : random.pick(texts)
    case 'b':
      return random.bytes(random.pick([0, 1, 40, 300]))
    case 'y':
      return random.chance()
    case 'm':
      return { a: 1, b: ['c', null], 3: 'd' }
    case 'r':
      return ranges(random)
    default:
      return random.pick<Value>([null, 1.5, -1, 'text', [1, [2, {}]], { deep: { deeper: true } }])
  }
}

function meta(random: Random): Value {
  return random.pick<Value>([
    {},
    { 1: random.pick(texts) },
    { 1: 'tag', 2: ['k1', 'k2'], 3: { region: 'eu', 12: 'x', 999: 'y' } },
    { 4: 'group', 5: count(random), 8: 'id', 12: count(random), 99: [1, 2] },
  ])
}

const made = new Map<Shape, (random: Random) => Value>([
  [isMeta, meta],
  [isBatch, random => some(random, () => [meta(random), random.bytes(5), random.chance() ? undefined : 8])],
  [
    isEntries,
    random =>
      some(random, () => [
        0,
        count(random),
        count(random),
        random.pick(texts),
        count(random),
        1,
        0,
        meta(random),
        random.bytes(random.int(60)),
      ]),
  ],
  [isReceipts, random => some(random, () => [count(random), 0, null, 3, -1, random.chance() ? undefined : { duplicate: true }])],
  [isResults, random => some(random, () => (random.chance() ? [9, 1, { limit: [1, 2] }] : [10, 2, 40402, 'no topic', {}]))],
])

/** A value that fits. */
export function sample(shape: Shape, random: Random): Value {
  if (typeof shape === 'string') return shape[1] === '?' && random.chance() ? undefined : scalar(shape, random)
  if (typeof shape === 'function') return made.get(shape)!(random)
  if (Array.isArray(shape)) {
    const shapes = shape as readonly Shape[]
    return shapes.length === 1 ? some(random, () => sample(shapes[0]!, random)) : shapes.map(item => sample(item, random))
  }
  const members = Object.entries(shape as Readonly<Record<string, Shape>>)
  const found: Record<string, Value> = {}
  for (const [key, member] of members) {
    if (key === '') {
      if (random.chance()) return sample(member, random)
    } else if (!key.endsWith('?') || random.chance()) found[key.replace('?', '')] = sample(member, random)
  }
  return found
}

/** A frame of this kind that fits. */
export const sampleFrame = (table: FrameTable, kind: number, random: Random): Value[] => [
  kind,
  ...table[kind]!.map(shape => sample(shape, random)),
]

export const kindsOf = (table: FrameTable): number[] => Object.keys(table).map(Number)
