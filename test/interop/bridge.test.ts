import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { type Host, startHost } from '../conformance/host.ts'
import { chromiumRunner, inPage } from '../conformance/runners/chromium.ts'
import type { Exchange } from '../conformance/runners/entries/exchange.ts'
import { inWorker, workerdRunner } from '../conformance/runners/workerd.ts'
import { clientVersions } from './support/build.ts'
import { type Checks, javaChecks } from './support/checks.ts'

const why = inject('available').java || chromiumRunner.missing() || workerdRunner.missing() || ''

interface Exchanged {
  id: string
  seen: { value: string; tag: string; keys: string[]; props: Record<string, string> }[]
}

const fromJava = { value: 'grüße from Java', tag: 'java', keys: ['k1', 'k2'], props: { region: 'eu' } }

describe.skipIf(why !== '')(`the official Java client, a page and a Worker${why === '' ? '' : ` (skipped: ${why})`}`, () => {
  let host: Host
  let checks: Checks
  const results: Record<string, Exchanged> = {}

  beforeAll(async () => {
    host = await startHost({ engine: 'uws', backend: 'comet' })
    const run = host.target.run
    const ask = async (method: string, args: unknown[]): Promise<string> => {
      const response = await fetch(`${host.target.control}/${method}`, { method: 'POST', body: JSON.stringify(args) })
      return JSON.parse(await response.text()) as string
    }
    const [toJavaTopic, fromJavaTopic] = [`T_toJava_${run}`, `T_fromJava_${run}`]
    for (const topic of [toJavaTopic, fromJavaTopic]) await ask('createTopic', [topic])
    const token = await ask('token', [{ publish: [toJavaTopic], subscribe: [{ topic: fromJavaTopic, group: '*' }] }])
    const of = (runtime: string): Exchange => ({
      url: host.target.url,
      token,
      runtime,
      toJava: toJavaTopic,
      fromJava: fromJavaTopic,
      group: `${run}-${runtime}`,
    })
    const server = { nameServer: host.nameServer, broker: '', brokerName: '', cluster: '', stop: () => Promise.resolve() }
    ;[checks, results['chromium'], results['workerd']] = await Promise.all([
      javaChecks(server, clientVersions[0], run, ['bridge']),
      inPage('exchange-page', host.target.pagePort, host.folder, async page => {
        await page.waitForFunction(() => 'exchange' in globalThis)
        return page.evaluate(
          given => (globalThis as unknown as { exchange(what: Exchange): Promise<Exchanged> }).exchange(given),
          of('chromium'),
        )
      }),
      inWorker('exchange-worker', host.folder, of('workerd')) as Promise<Exchanged>,
    ])
  })
  afterAll(() => host?.close())

  for (const runtime of ['chromium', 'workerd']) {
    it(`Java consumes what ${runtime} sent, with tag, keys and properties`, () => {
      expect(checks.get(`bridge: a message from ${runtime} arrives with body, tag, keys and properties`)).toBe('')
    })

    it(`${runtime} consumes what Java sent, as a group and as a broadcast`, () => {
      expect(results[runtime]!.seen).toEqual([fromJava, fromJava])
    })
  }
})
