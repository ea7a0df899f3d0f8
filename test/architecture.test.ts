import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** Workspace package → packages its sources may import (docs/architecture.md). */
const packages: Record<string, readonly string[]> = {
  'packages/remoting': [],
  'packages/cluster': ['@cometmq/remoting'],
  'packages/protocol': [],
  'packages/client': ['@cometmq/protocol', '@cometmq/protocol/close-code', '@cometmq/protocol/flag', '@cometmq/protocol/kind'],
  'packages/session': ['@cometmq/protocol', '@cometmq/cluster'],
  bridge: ['@cometmq/protocol', '@cometmq/protocol/hints', '@cometmq/session', '@cometmq/cluster', '@cometmq/remoting'],
  'sdk-web': ['@cometmq/protocol', '@cometmq/client'],
  'sdk-node': ['@cometmq/protocol', '@cometmq/client', '@cometmq/session', '@cometmq/cluster'],
  'packages/cli': ['@cometmq/remoting', '@cometmq/cluster', '@cometmq/broker', '@cometmq/bridge', 'commander', 'pino'],
  'packages/testkit': ['@cometmq/remoting', '@cometmq/broker', '@cometmq/broker/store', '@cometmq/protocol', '@cometmq/client'],
  broker: ['@cometmq/remoting'],
}

/** Third-party libraries a package may use besides. */
const libraries: Record<string, readonly string[]> = {
  'packages/remoting': ['fzstd', 'lz4-napi', 'lz4js', '@bokuweb/zstd-wasm'],
  bridge: ['jose', 'ws', 'prom-client', 'uWebSockets.js'],
  'sdk-node': ['ws', 'isomorphic-ws'],
}

/** Folder of broker/src → other folders of broker/src its files may import. '.' is broker/src itself. */
const brokerRooms: Record<string, readonly string[]> = {
  store: [],
  registry: ['store'],
  nameserver: ['store'],
  stats: [],
  delivery: ['store', 'registry'],
  handlers: ['store', 'registry', 'stats', 'delivery', '.'],
}

function sourcesOf(folder: string): string[] {
  const found: string[] = []
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) found.push(...sourcesOf(path))
    else if (/\.tsx?$/.test(name)) found.push(path)
  }
  return found
}

/** Targets of import and re-export statements, and of dynamic imports. */
const importsOf = (file: string): string[] => {
  const text = readFileSync(file, 'utf8')
  const statements = text.matchAll(/^(?:import|export)\s(?:[^'"`;=()]*?\sfrom\s+)?['"]([^'"]+)['"]/gm)
  const dynamic = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)
  return [...statements, ...dynamic].map(match => match[1]!)
}

describe('imports follow docs/architecture.md', () => {
  for (const [folder, allowed] of Object.entries(packages)) {
    it(folder, () => {
      const files = sourcesOf(join(root, folder, 'src'))
      expect(files.length).toBeGreaterThan(0)
      const wrong: string[] = []
      for (const file of files) {
        for (const target of importsOf(file)) {
          if (target.startsWith('node:')) continue
          if (target.startsWith('.')) {
            const inside = relative(join(root, folder), resolve(dirname(file), target))
            if (inside.startsWith('..')) wrong.push(`${relative(root, file)} reaches out to ${target}`)
          } else if (!allowed.includes(target) && !(libraries[folder] ?? []).includes(target)) {
            wrong.push(`${relative(root, file)} imports ${target}`)
          }
        }
      }
      expect(wrong).toEqual([])
    })
  }

  it('rooms of the broker', () => {
    const base = join(root, 'broker/src')
    const wrong: string[] = []
    for (const [room, allowed] of Object.entries(brokerRooms)) {
      for (const file of sourcesOf(join(base, room))) {
        for (const target of importsOf(file)) {
          if (!target.startsWith('.')) continue
          const inside = relative(base, resolve(dirname(file), target))
          const other = inside.includes('/') ? inside.slice(0, inside.indexOf('/')) : '.'
          if (other !== room && !allowed.includes(other)) wrong.push(`${relative(root, file)} imports ${target}`)
        }
      }
    }
    expect(wrong).toEqual([])
  })
})
