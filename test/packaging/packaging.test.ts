import { checkPackage } from '@arethetypeswrong/core'
import { readdirSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { entriesOf, manifestOf, published, root } from '../../scripts/packages.mjs'
import { apiReport } from './support/api-report.ts'
import { complaints, platforms, resolutions, turn } from './support/compile.ts'
import { type Packed, packAll, unpackTypes } from './support/packed.ts'

// Compilers and package managers: slow where everything else is tested at the same time.
vi.setConfig({ testTimeout: 120_000 })

let folder: string
let packages: ReadonlyMap<string, Packed>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cometmq-packaging-'))
  packages = await packAll(folder)
}, 300_000)
afterEach(turn)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const names = published.map(({ folder: source }) => String(manifestOf(source)['name']))
const portable = ['@cometmq/protocol', '@cometmq/client', '@cometmq/web']
/** Those that applications import: a change of what they export has to be wanted. */
const reported = ['packages/protocol', 'packages/client', 'sdk-web', 'sdk-node', 'bridge']

describe.each(names)('%s', name => {
  const own = (): Packed => packages.get(name)!

  it('has its license, a README, one version, and nothing that belongs at home', () => {
    const { manifest, files, text } = own()
    expect(manifest.private).toBeUndefined()
    expect(manifest.version).toBe('0.1.0')
    expect(text('LICENSE')).toBe(readFileSync(join(root, 'LICENSE'), 'utf8'))
    expect(text('README.md')).toMatch(new RegExp(`^# ${name}\n`))
    expect(files.filter(path => !/^(dist|src|bin)\/|^(package\.json|LICENSE|README\.md)$/.test(path))).toEqual([])
  })

  it('exports only what is in it', () => {
    const { manifest, files } = own()
    const targets = [...Object.values(manifest.exports ?? {}), ...Object.values(manifest.bin ?? {})].flatMap(target =>
      typeof target === 'string' ? [target] : [target.types, target.default],
    )
    expect(targets.filter(path => !files.includes(path.replace('./', '')))).toEqual([])
  })

  it('declares every package that it imports, and no other', () => {
    const { manifest, files, text } = own()
    const importedBy = (kind: RegExp): Set<string> =>
      new Set(files.filter(path => kind.test(path)).flatMap(path => packagesIn(text(path), name)))
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })
    const imported = importedBy(/^(bin|dist)\/(?!pages\/).*\.(js|d\.ts)$/)
    expect([...imported].filter(target => !declared.includes(target))).toEqual([])
    // `ws` is what isomorphic-ws wants its users to have.
    const used = new Set([...imported, ...importedBy(/^src\/.*\.ts$/), ...(imported.has('isomorphic-ws') ? ['ws'] : [])])
    expect(declared.filter(target => !used.has(target))).toEqual([])
  })

  it('publint has nothing to say', async () => {
    const { bytes } = own()
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(bytes).buffer } })
    expect(messages.map(message => formatMessage(message, pkg, { color: false }))).toEqual([])
  })

  // The command has nothing to import.
  if (name === 'cometmq') return

  it('its types are right for every resolution of ES modules', async () => {
    const result = await checkPackage(own().content, { excludeEntrypoints: ['./package.json'] })
    if (!result.types) throw new Error('has no types')
    // Older resolutions do not know `exports`; CommonJS gets an ES module, which Node.js 20.19 can require.
    const ignored = new Set(['node10', 'node16-cjs'])
    expect(result.problems.filter(problem => !('resolutionKind' in problem && ignored.has(problem.resolutionKind)))).toEqual([])
  })
})

/** Names of packages in import statements, of JavaScript or declarations; not `own`, which stands in examples. */
function packagesIn(text: string, own: string): string[] {
  const targets = text.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])([@a-zA-Z][^"'\n]*)\1/g)
  return [...targets]
    .map(match => /^(@[^/]+\/)?[^/]+/.exec(match[2]!)![0])
    .filter(target => target !== own && !target.startsWith('node:'))
}

describe('types for users', () => {
  const files: Record<keyof typeof platforms, string[]> = { browser: [], node: [] }
  beforeAll(() => {
    const project = join(folder, 'types')
    unpackTypes(packages, project)
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    const add = (platform: keyof typeof platforms, path: string, text: string): void => {
      const target = join(project, platform, path)
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, text)
      files[platform].push(target)
    }
    for (const [name, { text }] of packages) {
      const platform = portable.includes(name) ? 'browser' : 'node'
      const samples = [...text('README.md').matchAll(/^```ts\n([^]*?)^```/gm)]
      samples.forEach((sample, index) => add(platform, `${name}-${index}.ts`, `${sample[1]}export {}\n`))
    }
    const consumer = join(import.meta.dirname, 'consumer')
    for (const file of readdirSync(consumer).filter(path => path.endsWith('.ts'))) {
      const text = readFileSync(join(consumer, file), 'utf8')
      add('node', file, text.replaceAll('@cometmq/web', '@cometmq/node'))
      add('browser', file, text)
    }
  })

  for (const platform of ['browser', 'node'] as const)
    for (const [resolution, options] of Object.entries(resolutions))
      it(`${platform}, ${resolution}`, async () => {
        expect(files[platform].length).toBeGreaterThan(2)
        expect(await complaints(files[platform], join(folder, 'types'), { ...options, ...platforms[platform] })).toEqual([])
      })
})

describe('what is exported is what etc/api says (npx vitest run test/packaging -u takes it over)', () => {
  for (const source of reported)
    for (const entry of Object.keys(entriesOf(source)))
      it(`${source} ${entry}`, async () => {
        const report = apiReport(source, entry, mkdtempSync(join(folder, 'api-')))
        const short = String(manifestOf(source)['name']).replace('@cometmq/', '')
        const file = entry === 'index' ? short : `${short}-${entry.replace('/index', '')}`
        await expect(report).toMatchFileSnapshot(join(root, 'etc/api', `${file}.api.md`))
      })
})
