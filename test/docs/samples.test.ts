import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath, launchChromium } from '../conformance/runners/chromium.ts'
import { documents, missingFrom, root, type Sample, samplesOf } from './support/extract.ts'
import { runPages, runVite } from './support/pages.ts'
import { runProgram, write } from './support/processes.ts'
import { type Server, startServer } from './support/server.ts'
import { environmentOf, typeProblems } from './support/types.ts'
import { runWorker } from './support/worker.ts'

// Runs the samples of README.md and docs as they stand there, each document against a `comet serve` of its own. Only addresses are replaced,
// and the names of packages lead to the sources of the workspace.

const folder = mkdtempSync(join(tmpdir(), 'cometmq-samples-'))
const docs = documents()
  .map(doc => ({ doc, samples: samplesOf(doc) }))
  .filter(({ samples }) => samples.length > 0)
const isPage = ({ run }: Sample): boolean => run === 'page' || run === 'vite'
const folderOf = ({ name }: Sample): string => join(folder, name.replace(/\W+/g, '-'))

/** Why a sample cannot run on this machine. */
function missing({ run }: Sample): string | undefined {
  if (isPage({ run } as Sample)) return chromiumPath() === undefined ? 'no Chromium' : undefined
  const program = { deno: 'deno', bun: 'bun', worker: 'workerd' }[run]
  return program !== undefined && !existsSync(join(root, 'node_modules/.bin', program)) ? `no ${program}` : undefined
}

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('there are samples for every runtime', () => {
  const runs = new Set(docs.flatMap(({ samples }) => samples.map(({ run }) => run)))
  expect([...runs].sort()).toEqual(['bun', 'deno', 'node', 'page', 'vite', 'worker'])
  for (const { samples } of docs) for (const { name, prints } of samples) expect(prints, name).not.toEqual([])
})

describe('samples', { timeout: 60_000 }, () => {
  let browser: Browser | undefined
  beforeAll(async () => {
    if (chromiumPath() !== undefined) browser = await launchChromium()
  }, 60_000)
  afterAll(() => browser?.close())

  for (const { doc, samples } of docs)
    describe(doc, () => {
      let server: Server | undefined
      beforeAll(async () => {
        if (samples.some(sample => !isPage(sample))) server = await startServer(doc)
      }, 60_000)
      afterAll(() => server?.stop())

      const run = (sample: Sample): Promise<string> => {
        const at = folderOf(sample)
        if (sample.run === 'page') return runPages(sample, at, doc, browser!)
        if (sample.run === 'vite') return runVite(sample, at, doc, browser!)
        return sample.run === 'worker' ? runWorker(sample, at, server!) : runProgram(sample, at, server!)
      }
      for (const sample of samples) {
        const why = missing(sample)
        it.skipIf(why !== undefined)(
          `${sample.name} in ${sample.run}${why === undefined ? '' : ` (skipped: ${why})`}`,
          async () => {
            const output = await run(sample)
            expect(missingFrom(output, sample.prints), `it printed:\n${output}`).toEqual([])
          },
        )
      }
    })
})

describe('types of samples', { timeout: 60_000 }, () => {
  const typed = docs.flatMap(({ samples }) => samples).filter(({ language }) => language === 'ts')
  for (const environment of ['web', 'node'] as const)
    it(environment, () => {
      const at = join(folder, `types-${environment}`)
      const unchanged = { here: (code: string) => code } as Server
      const files = typed
        .filter(sample => environmentOf(sample) === environment)
        .map(sample => {
          const file = sample.name.replace(/\W+/g, '-') + '.ts'
          return write(join(at, file), { ...sample, file }, unchanged)
        })
      expect(typeProblems(files, environment, files[0] === undefined ? at : join(files[0], '..'))).toEqual([])
    })
})
