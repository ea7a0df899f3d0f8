// Builds every package's dist (tsup.config.ts). `--if-stale`: only when a source changed since the last build.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const stampFile = join(root, '.build/stamp')
const sources = [
  'packages/remoting/src',
  'packages/cluster/src',
  'packages/protocol/src',
  'packages/session/src',
  'packages/cli/src',
  'broker/src',
  'bridge/src',
  'tsup.config.ts',
  'tsconfig.base.json',
]
const manifests = [
  'packages/remoting',
  'packages/cluster',
  'packages/protocol',
  'packages/session',
  'packages/cli',
  'broker',
  'bridge',
].map(folder => `${folder}/package.json`)
const outputs = [
  'packages/remoting/dist/index.js',
  'packages/cluster/dist/index.js',
  'broker/dist/index.js',
  'packages/cli/dist/main.js',
]

/** Names, sizes and times of all sources: also notices a file that went away, or an older one put back. */
function fingerprint() {
  const hash = createHash('sha256')
  const add = path => {
    const stat = statSync(join(root, path))
    if (stat.isDirectory()) for (const name of readdirSync(join(root, path)).sort()) add(`${path}/${name}`)
    else hash.update(`${path}\0${stat.size}\0${stat.mtimeMs}\n`)
  }
  for (const path of [...sources, ...manifests]) add(path)
  return hash.digest('hex')
}

const isStale = () =>
  !existsSync(stampFile) ||
  outputs.some(path => !existsSync(join(root, path))) ||
  readFileSync(stampFile, 'utf8') !== fingerprint()

async function buildAll() {
  process.chdir(root)
  const { build } = await import('tsup')
  const before = fingerprint()
  await build({ config: join(root, 'tsup.config.ts') })
  writeFileSync(stampFile, before)
}

/** @param {{ ifStale?: boolean }} [options] resolves with true when something was built */
export async function buildPackages(options = {}) {
  mkdirSync(join(root, '.build'), { recursive: true })
  if (options.ifStale && !isStale()) return false
  return withLock(join(root, '.build/lock'), async () => {
    if (options.ifStale && !isStale()) return false // another process built while we waited
    await buildAll()
    return true
  })
}

/** The benchmark program: test/bench/main.ts → .build/bench/main.js. */
export async function buildBench() {
  process.chdir(root)
  const { build } = await import('tsup')
  await build({
    config: false,
    entry: { main: 'test/bench/main.ts' },
    outDir: '.build/bench',
    format: 'esm',
    target: 'node20',
    platform: 'node',
    outExtension: () => ({ js: '.js' }),
    sourcemap: true,
    clean: true,
    silent: true,
    noExternal: [/^@cometmq\//],
    external: ['lz4-napi', 'fzstd'],
    esbuildOptions(esbuild) {
      esbuild.conditions = ['cometmq-source', 'node', 'import']
    },
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const started = Date.now()
  const built = await buildPackages({ ifStale: process.argv.includes('--if-stale') })
  console.error(built ? `built in ${Date.now() - started} ms` : 'nothing to build')
}
