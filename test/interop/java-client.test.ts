import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { clientVersions } from './support/build.ts'
import { type Checks, javaChecks } from './support/checks.ts'
import { type Server, startServer } from './support/server.ts'

/** Scenario → its checks (test/interop/java). */
const scenarios: Record<string, readonly string[]> = {
  send: [
    'sync is SEND_OK',
    'sync keeps the queue asked for',
    'queue offsets count from 0',
    'async calls back',
    'batch is SEND_OK',
    'batch has an id per message',
    'everything arrives once, unchanged',
    'positions and ids are those of the answers',
    'batch elements are consecutive in one queue',
  ],
  compression: ['zlib, lz4 and zstd bodies arrive unchanged', 'stored compressed, with its type'],
  tags: [
    'two members share four queues',
    'exactly the subscribed tags arrive, once in the group',
    'both members got some',
    "the group's retry topic has a route",
  ],
  broadcasting: ['the first member gets everything once', 'the second member gets everything once'],
  resume: ['the backlog arrives', 'a restarted group goes on where it stopped'],
  rebalance: [
    'one member owns every queue',
    'two members own four each',
    'with two members everything arrives once',
    'a third joins, every queue has one owner',
    'with three members everything arrives once',
    'the others take over from a killed member',
    'after the kill everything arrives once',
    'no message is lost',
    'contents are unchanged',
  ],
  litepull: [
    'seek to the beginning',
    'seek to an offset',
    'offset for a time',
    'seek to a time',
    'committed offset',
    'seek to the end, then only new messages',
    'subscription with a tag',
  ],
  query: [
    'by a key that every message has',
    'by a key of one message',
    'a key that nothing has',
    'by unique id',
    'by offset id',
    'limit',
    'max offsets add up',
    'min offset',
    'offset of a time long ago',
    'earliest store time is recent',
  ],
  orderly: [
    'two members share four queues',
    'everything arrives once, unchanged',
    'in order in each queue',
    'one message was suspended once',
    'one consumer a queue',
  ],
  pop: [
    'everything subscribed to is consumed once in the end, unchanged',
    'the failed ones came again',
    'reconsumeTimes, delay and properties',
    'both members got some',
    'they popped, nobody pulled',
  ],
  retry: ['everything is consumed once in the end, unchanged', 'the failed ones came again', 'reconsumeTimes and delay'],
}

/** Request codes of POP are too large for the ROCKETMQ header, which has 16 bits for them. */
const scenariosOf = (serialization: string): [string, readonly string[]][] =>
  Object.entries(scenarios).filter(([name]) => serialization === 'JSON' || name !== 'pop')

const why = inject('available').java

describe.skipIf(why !== '')('the official Java client', () => {
  let server: Server
  beforeAll(async () => {
    server = await startServer()
  })
  afterAll(() => server.stop('SIGTERM'))

  for (const version of clientVersions) {
    for (const serialization of ['JSON', 'ROCKETMQ']) {
      describe(`${version}, ${serialization} headers`, () => {
        let checks: Checks
        beforeAll(async () => {
          const run = `${version.replaceAll('.', '')}_${serialization}`
          checks = await javaChecks(
            server,
            version,
            run,
            scenariosOf(serialization).map(([name]) => name),
            [`-Drocketmq.serialize.type=${serialization}`],
          )
        })
        for (const [scenario, names] of scenariosOf(serialization)) {
          for (const name of [...names, 'no exception']) {
            it(`${scenario}: ${name}`, () => expect(checks.get(`${scenario}: ${name}`) ?? 'was not reported').toBe(''))
          }
        }
      })
    }
  }
})
