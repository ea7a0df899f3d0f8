// Builds every package's dist: JavaScript (tsup.config.ts, rollup.config.mjs), or with `--types` the declarations, which take longer.
// `--if-stale`: only when a source changed since the last build.
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'
import { entriesOf, libraries, published, root } from './packages.mjs'

const sources = [
  ...published.map(({ folder }) => `${folder}/src`),
  'docs',
  'examples',
  'scripts',
  'tsup.config.ts',
  'rollup.config.mjs',
  'tsconfig.base.json',
]
const manifests = published.map(({ folder }) => `${folder}/package.json`)
const scripts = [
  ...libraries.map(({ folder }) => `${folder}/dist/index.js`),
  'packages/cli/dist/main.js',
  'sdk-web/dist/cometmq.min.js',
  'sdk-web/dist/cometmq.global.js',
]
const declarations = libraries.flatMap(({ folder }) => Object.keys(entriesOf(folder)).map(name => `${folder}/dist/${name}.d.ts`))
/** Installed, made, or written while it runs: nothing to build from. */
const notSources = new Set(['node_modules', 'dist', 'comet-data'])

/** Names, sizes and times of all sources: also notices a file that went away, or an older one put back. */
function fingerprint() {
  const hash = createHash('sha256')
  const add = path => {
    const stat = statSync(join(root, path))
    if (stat.isDirectory()) {
      for (const name of readdirSync(join(root, path)).sort()) if (!notSources.has(name)) add(`${path}/${name}`)
    } else hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`)
  }
  for (const path of [...sources, ...manifests]) add(path)
  return hash.digest('hex')
}

async function buildScripts() {
  process.chdir(root)
  const { build } = await import('tsup')
  await build({ config: join(root, 'tsup.config.ts') })
  await buildBrowserBundles()
  await buildPages()
}

/** sdk-web/dist/cometmq.min.js and cometmq.global.js. */
async function buildBrowserBundles() {
  const [{ rollup }, { default: config }] = await Promise.all([import('rollup'), import('../rollup.config.mjs')])
  const bundle = await rollup(config)
  for (const output of config.output) await bundle.write(output)
  await bundle.close()
}

/** bridge/dist/pages, and the same beside the command, into which the bridge is bundled. */
async function buildPages() {
  if (!existsSync(join(root, 'scripts/demos.mjs'))) return
  const { buildDemos } = await import('./demos.mjs')
  await buildDemos()
  const pages = join(root, 'bridge/dist/pages')
  const copy = join(root, 'packages/cli/dist/pages')
  rmSync(copy, { recursive: true, force: true })
  if (existsSync(pages)) cpSync(pages, copy, { recursive: true })
}

/** One build at a time; resolves with true when something was built. */
async function once({ stamp, outputs, build }, { ifStale = false } = {}) {
  const stampFile = join(root, '.build', stamp)
  const isStale = () =>
    !existsSync(stampFile) ||
    outputs.some(path => !existsSync(join(root, path))) ||
    readFileSync(stampFile, 'utf8') !== fingerprint()
  mkdirSync(join(root, '.build'), { recursive: true })
  if (ifStale && !isStale()) return false
  return withLock(join(root, '.build/lock'), async () => {
    if (ifStale && !isStale()) return false // another process built while we waited
    const before = fingerprint()
    await build()
    writeFileSync(stampFile, before)
    return true
  })
}

/** @param {{ ifStale?: boolean }} [options] */
export const buildPackages = options => once({ stamp: 'stamp', outputs: scripts, build: buildScripts }, options)

/** @param {{ ifStale?: boolean }} [options] */
export const buildTypes = options =>
  once(
    {
      stamp: 'stamp-types',
      outputs: declarations,
      build: async () => (await import('./package-types.mjs')).writeTypes(),
    },
    options,
  )

/** The benchmark program, its load processes and the SDK they use, in .build/bench. */
export async function buildBench() {
  process.chdir(root)
  const { build } = await import('tsup')
  await build({
    config: false,
    entry: { main: 'test/bench/main.ts', 'bridge-load': 'test/bench/rows/bridge-load.ts', 'ws-sdk': 'test/bench/ws-sdk.ts' },
    outDir: '.build/bench',
    format: 'esm',
    target: 'node20',
    platform: 'node',
    outExtension: () => ({ js: '.js' }),
    sourcemap: true,
    clean: true,
    silent: true,
    noExternal: [/^@cometmq\//],
    external: ['lz4-napi', 'fzstd', 'isomorphic-ws', 'ws'],
    esbuildOptions(esbuild) {
      esbuild.conditions = ['cometmq-source', 'node', 'import']
    },
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = Date.now()
  const build = process.argv.includes('--types') ? buildTypes : buildPackages
  const built = await build({ ifStale: process.argv.includes('--if-stale') })
  console.error(built ? `built in ${Date.now() - started} ms` : 'nothing to build')
}
