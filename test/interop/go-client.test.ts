import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Checks, goChecks } from './support/checks.ts'
import { type Server, startServer } from './support/server.ts'

/** Scenario → its checks (test/interop/go). */
const scenarios: Record<string, readonly string[]> = {
  send: [
    'sync is SendOK',
    'async calls back',
    'batch is SendOK',
    'compressed is SendOK',
    'everything arrives once, unchanged',
    'ids are those of the answers',
  ],
  tags: ['exactly the subscribed tags arrive, once in the group'],
  broadcasting: ['the first member gets everything once', 'the second member gets everything once'],
  rebalance: [
    'two members own four each',
    'a third joins, every queue has one owner',
    'the others take over from a killed member',
    'no message is lost',
  ],
  pull: [
    'from the beginning',
    'from the middle, limited',
    'past the end answers',
    'past the end corrects to the end',
    'polling a subscription',
  ],
  admin: ['route of a new topic', 'its queues', 'it is in the list', 'delete', 'it is gone from the list'],
}

const why = inject('available').go

describe.skipIf(why !== '')('the official Go client', () => {
  let server: Server
  let checks: Checks
  beforeAll(async () => {
    server = await startServer()
    checks = await goChecks(server, 'go', Object.keys(scenarios))
  })
  afterAll(() => server.stop('SIGTERM'))

  for (const [scenario, names] of Object.entries(scenarios)) {
    for (const name of [...names, 'no panic']) {
      it(`${scenario}: ${name}`, () => expect(checks.get(`${scenario}: ${name}`) ?? 'was not reported').toBe(''))
    }
  }
})
