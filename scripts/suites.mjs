import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const bin = (root, name) => join(root, 'node_modules', ...name.split('/'))

/** One line of the summary. @typedef {{ name: string, passed: number, failed: number, skipped: number, note?: string }} Outcome */

/** Runs a node program with its output shown; returns its exit code (1 when it ended by a signal). */
function runNode(root, program, args, env = {}) {
  const result = spawnSync(process.execPath, [program, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
  return result.status ?? 1
}

/** A check that passes or fails as a whole. @returns {Outcome} */
export function check(root, name, program, args) {
  console.log(`\n== ${name}`)
  const failed = runNode(root, bin(root, program), args) === 0 ? 0 : 1
  return { name, passed: 1 - failed, failed, skipped: 0 }
}

/** One vitest run, counted from its JSON report. @returns {Outcome} */
export function vitest(root, name, args, env) {
  console.log(`\n== ${name}`)
  const report = join(root, '.build/results', `${name}.json`)
  mkdirSync(join(root, '.build/results'), { recursive: true })
  rmSync(report, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const status = runNode(root, bin(root, 'vitest/vitest.mjs'), ['run', ...args, ...reporters], env)
  if (!existsSync(report)) return { name, passed: 0, failed: 1, skipped: 0, note: 'ended without a report' }
  return count(name, JSON.parse(readFileSync(report, 'utf8')), status)
}

/** A file that could not even be loaded, and an error outside any test, count as one failure each. */
export function count(name, report, status) {
  const crashed = report.testResults.filter(
    file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'),
  ).length
  const outcome = {
    name,
    passed: report.numPassedTests,
    failed: report.numFailedTests + crashed,
    skipped: report.numPendingTests + report.numTodoTests,
  }
  if (status !== 0 && outcome.failed === 0) return { ...outcome, failed: 1, note: `vitest ended with exit code ${status}` }
  return outcome
}

/** @returns {Outcome} */
export function skip(name, why) {
  console.log(`\n== ${name}\nskipped: ${why}`)
  return { name, passed: 0, failed: 0, skipped: 1, note: why }
}

/** Prints one line a suite, then, as the very last line, the sum. Returns the exit code. */
export function summarize(outcomes) {
  console.log('')
  for (const { name, passed, failed, skipped, note } of outcomes)
    console.log(`${name}: ${passed} passed, ${failed} failed, ${skipped} skipped${note ? ` (${note})` : ''}`)
  const sum = key => outcomes.reduce((total, outcome) => total + outcome[key], 0)
  console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`)
  return sum('failed') === 0 ? 0 : 1
}
