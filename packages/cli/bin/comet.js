#!/usr/bin/env node
// Loads as little as possible: the version needs no command line parser.
const [first, ...rest] = process.argv.slice(2)
const only = rest.length === 0 ? first : undefined
try {
  if (only === 'version' || only === '--version' || only === '-V') {
    const { versionText } = await import('../dist/version.js')
    process.stdout.write(`${versionText(only !== 'version')}\n`)
  } else {
    const { start } = await import('../dist/main.js')
    await start()
  }
} catch (error) {
  if (error?.code !== 'ERR_MODULE_NOT_FOUND' || !String(error.message).includes('dist')) throw error
  process.stderr.write('comet is not built\n  why: its dist folder is missing\n  try: npm run build\n')
  process.exitCode = 1
}
