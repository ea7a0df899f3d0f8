import { checkClientFrame, checkServerFrame, decode, encode, ProtocolError, type Value } from '@cometmq/protocol'
import { createRandom, type Random } from '@cometmq/testkit'
import { expect, it } from 'vitest'
import { kindsOf, sampleFrame, tables } from './samples.ts'

const nightly = process.env['COMETMQ_NIGHTLY'] === '1'
const rounds = nightly ? 10_000_000 : 200_000
const seed = Number(process.env['COMETMQ_FUZZ_SEED'] ?? (nightly ? Date.now() % 2 ** 31 : 20_261_124))

/** Bytes that begin something: more likely to lead far than any byte. */
const heads = [
  0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xca, 0xcb, 0xcc, 0xcf, 0xd0, 0xd3, 0xd9, 0xdb, 0xdc, 0xdd,
  0xde, 0xdf, 0xff,
]

function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  let result = bytes.slice()
  for (let changes = 1 + random.int(4); changes > 0; changes--) {
    const at = random.int(result.length + 1)
    switch (random.int(6)) {
      case 0:
        if (result.length > 0) result[at % result.length]! ^= 1 << random.int(8)
        break
      case 1:
        if (result.length > 0) result[at % result.length] = random.pick(heads)
        break
      case 2:
        result = result.slice(0, at)
        break
      case 3:
        result = new Uint8Array([...result.subarray(0, at), ...random.bytes(1 + random.int(9)), ...result.subarray(at)])
        break
      case 4:
        result = new Uint8Array([...result.subarray(0, at), ...result.subarray(at + 1 + random.int(9))])
        break
      default:
        result = new Uint8Array([...result.subarray(0, at), ...result.subarray(random.int(at + 1))])
    }
  }
  return result
}

const odd: readonly Value[] = [
  null,
  undefined,
  -1,
  1.5,
  NaN,
  2 ** 60,
  '',
  'text',
  true,
  [],
  [[]],
  {},
  { 1: {} },
  new Uint8Array(2),
]

/** One value somewhere within the frame becomes another. */
function disturbed(frame: Value[], random: Random): Value[] {
  let place = frame as unknown as Record<string, unknown>
  while (true) {
    const keys = Object.keys(place)
    if (keys.length === 0) return frame
    const key = random.pick(keys)
    const inner = place[key]
    if (typeof inner === 'object' && inner !== null && !(inner instanceof Uint8Array) && random.chance(0.7))
      place = inner as Record<string, unknown>
    else {
      place[key] = random.pick(odd)
      return frame
    }
  }
}

function onlyProtocolErrors(task: () => void, input: () => string): boolean {
  try {
    task()
    return true
  } catch (error) {
    if (error instanceof ProtocolError) return false
    throw new Error(`seed ${seed}: ${input()} ended with something else`, { cause: error })
  }
}

it(
  `${rounds} generated and mutated frames, seed ${seed}: nothing is thrown but ProtocolError`,
  { timeout: nightly ? 3_600_000 : 120_000 },
  () => {
    console.log(`fuzz seed ${seed}, ${rounds} frames`)
    const random = createRandom(seed)
    const counts = { decoded: 0, refusedBytes: 0, client: 0, server: 0 }
    for (let round = 0; round < rounds; round++) {
      const table = random.chance() ? tables.client : tables.server
      let frame = sampleFrame(table, random.pick(kindsOf(table)), random)
      if (random.chance(0.4)) frame = disturbed(frame, random)
      let bytes = random.chance(0.02) ? random.bytes(random.int(40)) : encode(frame)
      if (random.chance(0.6)) bytes = mutated(bytes, random)
      const input = (): string => Buffer.from(bytes).toString('hex')
      let value: unknown
      if (!onlyProtocolErrors(() => (value = decode(bytes)), input)) {
        counts.refusedBytes++
        continue
      }
      counts.decoded++
      if (onlyProtocolErrors(() => checkClientFrame(value), input)) counts.client++
      if (onlyProtocolErrors(() => checkServerFrame(value), input)) counts.server++
      // What was decoded can be sent.
      onlyProtocolErrors(() => encode(value as Value), input)
    }
    // All ways are taken, or the test shows nothing.
    for (const [name, count] of Object.entries(counts)) expect(count, name).toBeGreaterThan(rounds / 20)
  },
)
