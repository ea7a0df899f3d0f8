import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { root } from '../../scripts/packages.mjs'
import { builtBundle, bundleOf, gzipBytes } from './support/bundle.ts'
import { namesUsed } from './support/names-used.ts'
import { runNode } from './support/run.ts'
import { load } from './support/traps.ts'

// Compilers and package managers: slow where everything else is tested at the same time.
vi.setConfig({ testTimeout: 120_000 })

interface Budgets {
  readonly core: { readonly limitBytes: number; readonly goalBytes: number }
  readonly publishOnly: { readonly limitShareOfCore: number; readonly goalShareOfCore: number }
}
const budgets = JSON.parse(readFileSync(join(import.meta.dirname, 'budgets.json'), 'utf8')) as Budgets

let core: string
let script: string
let publishOnly: string
beforeAll(async () => {
  await runNode(root, 'scripts/build.mjs', '--if-stale')
  core = builtBundle('cometmq.min.js')
  script = builtBundle('cometmq.global.js')
  publishOnly = await bundleOf(join(import.meta.dirname, 'consumer/publish-only.js'))
}, 300_000)

describe('sizes, minified, gzip -9', () => {
  it('core: all of @cometmq/web', () => {
    const bytes = gzipBytes(core)
    const { limitBytes, goalBytes } = budgets.core
    console.log(`core: ${bytes} bytes (limit ${limitBytes}, goal ${goalBytes})`)
    expect(bytes).toBeLessThanOrEqual(limitBytes)
  })

  it('an application that only sends', () => {
    const share = gzipBytes(publishOnly) / gzipBytes(core)
    const { limitShareOfCore, goalShareOfCore } = budgets.publishOnly
    const rounded = share.toFixed(3)
    console.log(
      `publish only: ${gzipBytes(publishOnly)} bytes, ${rounded} of core (limit ${limitShareOfCore}, goal ${goalShareOfCore})`,
    )
    expect(share).toBeLessThanOrEqual(limitShareOfCore)
  })
})

describe('bundles for browsers', () => {
  const bundles = (): Record<string, string> => ({ core, script, publishOnly })

  it.each(['core', 'script', 'publishOnly'])('%s has nothing of Node.js, no generated code, no imports', name => {
    const used = namesUsed(bundles()[name]!)
    expect(used.has('WebSocket')).toBe(true)
    expect(['Buffer', 'process', 'require', 'global', 'eval', 'Function', 'import'].filter(bad => used.has(bad))).toEqual([])
  })

  it('the check finds what it looks for', () => {
    const bad = 'import "x"; globalThis.process; new Function("a"); const { Buffer: b } = 1; f({ eval })'
    expect([...namesUsed(bad)]).toEqual(expect.arrayContaining(['import', 'process', 'Function', 'eval']))
    expect(namesUsed('a.process; b = { Buffer: "eval" }').size).toBe(2)
  })

  it('do nothing when they are loaded, and leave one global', () => {
    const { touched, left, world } = load(script)
    expect(touched).toEqual([])
    expect(left).toEqual(['CometMQ'])
    expect(Object.keys(world['CometMQ'] as object).sort()).toEqual([
      'BridgeError',
      'bytes',
      'connect',
      'json',
      'text',
      'topic',
      'version',
    ])
  })

  it('what is trapped is seen', () => {
    expect(load('setTimeout; globalThis.WebSocket').touched).toEqual(['setTimeout', 'WebSocket'])
    expect(() => load('Math.random()')).toThrow('not at import')
    expect(() => load('new Function("return 1")')).toThrow(/Code generation/)
  })
})
