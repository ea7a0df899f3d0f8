// npm start, npm test and npm run bench end up here. Needs nothing but Node.js and npm: installs and builds what is missing.
//   serve [comet serve's arguments]     test [interop | conformance | chaos | nightly | vitest's arguments]     bench [its arguments]
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ensureChromium } from './chromium.mjs'
import { ensureInstalled } from './install.mjs'
import { check, skip, summarize, vitest } from './suites.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const [task, ...args] = process.argv.slice(2)

async function prepare() {
  if (!ensureInstalled(root)) throw new Error('npm ci failed: see its messages above')
  const { buildPackages } = await import('./build.mjs')
  const started = Date.now()
  const cwd = process.cwd()
  if (await buildPackages({ ifStale: true })) console.error(`built in ${Date.now() - started} ms`)
  process.chdir(cwd)
}

async function serve() {
  await prepare()
  // In this process, so that signals reach the broker directly.
  const comet = join(root, 'packages/cli/bin/comet.js')
  process.argv.splice(1, process.argv.length, comet, 'serve', ...args)
  await import(pathToFileURL(comet).href)
}

/** Skips by itself, and says why, what needs a tool that is not there. */
function interop(env) {
  const config = 'test/interop/vitest.config.ts'
  if (!existsSync(join(root, config))) return skip('interop', `${config} is not there`)
  return vitest(root, 'interop', ['-c', config], env)
}

/** The suite of the SDKs in every runtime. */
const conformance = env => vitest(root, 'conformance', ['-c', 'test/conformance/vitest.config.ts'], env)

/** Real processes that are cut off, killed and flooded. */
const chaos = env => vitest(root, 'chaos', ['-c', 'test/chaos/vitest.config.ts'], env)

function checks() {
  return [
    check(root, 'format', 'prettier/bin/prettier.cjs', ['--check', '.']),
    check(root, 'lint', 'eslint/bin/eslint.js', ['.', '--max-warnings', '0']),
    check(root, 'types', 'typescript/bin/tsc', ['-p', 'tsconfig.json']),
  ]
}

async function test() {
  try {
    await prepare()
  } catch (error) {
    console.error(error)
    return summarize([{ name: 'build', passed: 0, failed: 1, skipped: 0 }])
  }
  ensureChromium()
  if (args[0] === 'interop') return summarize([interop({})])
  if (args[0] === 'conformance') return summarize([conformance({})])
  if (args[0] === 'chaos') return summarize([chaos({})])
  const nightly = args[0] === 'nightly'
  if (args.length > 0 && !nightly) return summarize([vitest(root, 'tests', args, {})])
  const env = nightly ? { COMETMQ_NIGHTLY: '1' } : {}
  return summarize([...checks(), vitest(root, 'tests', [], env), conformance(env), chaos(env), interop(env)])
}

async function bench() {
  if (!existsSync(join(root, 'test/bench/main.ts'))) throw new Error('test/bench/main.ts is not there: nothing to measure')
  await prepare()
  const { buildBench } = await import('./build.mjs')
  await buildBench()
  const program = join(root, '.build/bench/main.js')
  process.argv.splice(1, process.argv.length, program, ...args)
  await import(pathToFileURL(program).href)
}

if (task === 'serve') await serve()
else if (task === 'test') process.exitCode = await test()
else if (task === 'bench') await bench()
else {
  console.error('usage: node scripts/run.mjs serve | test [interop | conformance | chaos | nightly | FILTER] | bench')
  process.exitCode = 2
}
