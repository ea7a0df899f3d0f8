import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** Libraries, each after those that it imports. What is `portable` runs everywhere: nothing of Node.js. */
export const libraries = [
  { folder: 'packages/protocol', portable: true },
  { folder: 'packages/remoting' },
  { folder: 'packages/client', portable: true },
  { folder: 'packages/cluster' },
  { folder: 'packages/session' },
  { folder: 'broker' },
  { folder: 'bridge' },
  { folder: 'sdk-web', portable: true },
  { folder: 'sdk-node' },
]

export const cli = { folder: 'packages/cli' }

/** Everything that is published. */
export const published = [...libraries, cli]

/** @returns {Record<string, any>} */
export const manifestOf = folder => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))

/**
 * What tsup builds, by the `exports` of the manifest: name in dist without `.js` → source file from the root. A source that is not there is left out.
 * @returns {Record<string, string>}
 */
export function entriesOf(folder) {
  const entries = {}
  for (const target of Object.values(manifestOf(folder).exports)) {
    const source = target['cometmq-source']?.default
    if (source === undefined || !existsSync(join(root, folder, source))) continue
    entries[target.default.replace(/^\.\/dist\/|\.js$/g, '')] = join(folder, source)
  }
  return entries
}
