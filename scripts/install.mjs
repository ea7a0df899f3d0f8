import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/**
 * True when node_modules is missing, or older than package-lock.json and not made from it. A checkout that only
 * touched the lock file's time is not a reason to install everything again.
 */
function needsInstall(root) {
  const installed = join(root, 'node_modules/.package-lock.json')
  const wanted = join(root, 'package-lock.json')
  if (!existsSync(installed)) return true
  if (statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return false
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages
  const want = JSON.parse(readFileSync(wanted, 'utf8')).packages
  return Object.keys(want).some(
    path => path.includes('node_modules/') && !want[path].optional && !isThere(root, path, want[path], have[path]),
  )
}

/** Links to the workspace's own folders are only looked for; their content is not npm's. */
const isThere = (root, path, want, have) =>
  want.link
    ? existsSync(join(root, path))
    : have !== undefined && have.version === want.version && have.resolved === want.resolved

/** Runs `npm ci` when it is needed; returns false when that failed. */
export function ensureInstalled(root) {
  if (!needsInstall(root)) return true
  console.error('installing packages (npm ci) …')
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  return result.status === 0
}
