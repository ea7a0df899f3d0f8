import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CaseResult, conformanceCases, type Target } from '@cometmq/testkit/conformance'
import { type Host, type HostOptions, startHost } from './host.ts'
import { bunRunner, denoRunner } from './runners/programs.ts'
import { chromiumRunner } from './runners/chromium.ts'
import { nodeRunner } from './runners/node.ts'
import type { Runner } from './runners/types.ts'
import { workerdRunner } from './runners/workerd.ts'

export const runners: readonly Runner[] = [nodeRunner, chromiumRunner, workerdRunner, denoRunner, bunRunner]

const suiteTimeoutMs = 240_000
/** Of all cases; each skip says why. */
const mostSkipped = 0.05

export interface More {
  /** Share of the cases that may be skipped. Default 5 %. */
  readonly mostSkipped?: number
  /** Starts the cluster behind the bridge. Default: an own `comet serve`. */
  cluster?(): Promise<{ nameServer: string; stop(): Promise<void> }>
}

/** One test per case: the whole suite in one runtime against one bridge. */
export function describeConformance(runner: Runner, options: HostOptions, more: More = {}): void {
  describe(`${runner.name}, ${options.engine}, ${options.backend}`, () => {
    const missing = runner.missing()
    if (missing !== undefined) {
      it.skip(`skipped: ${missing}`, () => {})
      return
    }
    let host: Host | undefined
    let cluster: Awaited<ReturnType<NonNullable<More['cluster']>>> | undefined
    let results = new Map<string, CaseResult>()
    beforeAll(async () => {
      cluster = await more.cluster?.()
      host = await startHost({ ...options, ...(cluster && { nameServer: cluster.nameServer }) })
      const folder = join(host.folder, 'bundles')
      mkdirSync(folder)
      const target: Target = {
        ...host.target,
        runtime: runner.name,
        ...(process.env['CONFORMANCE_FILTER'] && { filter: process.env['CONFORMANCE_FILTER'] }),
      }
      results = new Map((await runner.run(target, folder)).map(result => [result.name, result]))
    }, suiteTimeoutMs)
    afterAll(async () => {
      await host?.close()
      await cluster?.stop()
    })

    for (const { name } of conformanceCases) {
      if (!name.includes(process.env['CONFORMANCE_FILTER'] ?? '')) continue
      it(name, () => {
        const result = results.get(name)
        if (result?.status === 'failed') throw new Error(result.detail)
        expect(result?.status).toMatch(/passed|skipped/)
      })
    }

    it('skips few cases, each with a reason', () => {
      const skipped = [...results.values()].filter(result => result.status === 'skipped')
      for (const { name, detail } of skipped) console.log(`not run in ${runner.name}: ${name}: ${detail}`)
      expect(skipped.length).toBeLessThanOrEqual(conformanceCases.length * (more.mostSkipped ?? mostSkipped))
    })
  })
}
