import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { defaultBridgeLimits } from '@cometmq/bridge'
import { defaultLimits } from '@cometmq/session'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { documents, fencesOf, read, root } from './support/extract.ts'
import { runComet, type Server, startServer } from './support/server.ts'

// What documents say about links, options, limits, metrics and error codes is compared with what is there.

const comet = join(root, 'packages/cli/bin/comet.js')
const docs = documents()
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replace(/ /g, '-')
const anchorsOf = (doc: string): string[] =>
  [...read(doc).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchorOf(heading!.replace(/[`*]/g, '')))

describe('links', () => {
  for (const doc of docs)
    it(doc, () => {
      const broken = [...withoutCode(read(doc)).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(match => match[1]!)
        .filter(target => !/^https?:/.test(target))
        .filter(target => {
          const [path = '', anchor] = target.split('#')
          const file = path === '' ? join(root, doc) : resolve(root, dirname(doc), path)
          if (!existsSync(file)) return true
          return anchor !== undefined && file.endsWith('.md') && !anchorsOf(file.slice(root.length)).includes(anchor)
        })
      expect(broken).toEqual([])
    })
})

describe('commands', { timeout: 60_000 }, () => {
  /** The words before the first option or argument that is no command. */
  const helps = new Map<string, string>()
  const helpOf = (command: string): string => {
    const known =
      helps.get(command) ?? spawnSync(process.execPath, [comet, ...command.split(' '), '--help'], { encoding: 'utf8' }).stdout
    helps.set(command, known)
    return known
  }
  const lines = docs.flatMap(doc =>
    fencesOf(read(doc))
      .concat(
        [...read(doc).matchAll(/^```\n([\s\S]*?)^```$/gm)].map(match => ({ code: match[1]! }) as ReturnType<typeof fencesOf>[0]),
      )
      .flatMap(({ code }) => code.split('\n'))
      .concat([...read(doc).matchAll(/`((?:npx )?comet [^`]+)`/g)].map(match => match[1]!))
      .map(line => line.replace(/^npx /, ''))
      .filter(line => /^comet (serve|bridge|broker|nameserver|shutdown|topic|group|msg|token) ?/.test(line))
      .map(line => ({ doc, line })),
  )

  it('options are those of the command', () => {
    expect(lines.length).toBeGreaterThan(10)
    const unknown = lines.filter(({ line }) => {
      const [, first = '', second = ''] = line.split(/\s+/)
      const help = helpOf(['topic', 'group', 'msg'].includes(first) && /^\w+$/.test(second) ? `${first} ${second}` : first)
      return help === '' || (line.match(/(?<=\s)--[a-z-]+/g) ?? []).some(option => !help.includes(option))
    })
    expect(unknown).toEqual([])
  })

  it('docs/bridge.md has all options of comet bridge', () => {
    const text = read('docs/bridge.md')
    const options = (helpOf('bridge').match(/--[a-z-]+/g) ?? []).filter(option => !['--debug', '--help'].includes(option))
    expect([...new Set(options)].filter(option => !text.includes(`\`${option}\``))).toEqual([])
  })
})

it('docs/security.md has all limits with their defaults', () => {
  const section = read('docs/security.md').split('<!-- limits -->')[1] ?? ''
  const written: Record<string, number> = {}
  for (const [, name = '', value] of section.matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)) written[name] = Number(value)
  expect(written).toEqual({ ...defaultBridgeLimits, ...defaultLimits })
})

it('error codes are in the catalogue', () => {
  const catalogue = new Set([...read('docs/errors.md').matchAll(/\| (COMET_\w+) /g)].map(match => match[1]!))
  expect(catalogue.size).toBeGreaterThan(50)
  const unknown = docs.flatMap(doc =>
    [...read(doc).matchAll(/COMET_[A-Z_]+/g)]
      .map(([code]) => code)
      .filter(code => !catalogue.has(code) && !code.startsWith('COMET_BRIDGE_PORT'))
      .map(code => `${doc}: ${code}`),
  )
  expect(unknown).toEqual([])
})

describe('a running server', () => {
  let server: Server
  beforeAll(async () => void (server = await startServer('README.md')))
  afterAll(() => server.stop())

  it('docs/bridge.md has the metrics that are there', async () => {
    const text = await (await fetch(`${server.httpUrl}/metrics`)).text()
    const there = [...text.matchAll(/^# TYPE cometmq_bridge_(\w+) /gm)].map(match => match[1]!).sort()
    const section = read('docs/bridge.md').split('## Metrics')[1]!.split('\n## ')[0]!
    const rows = section.split('\n').filter(line => line.startsWith('| `'))
    const written = rows.flatMap(row => [...row.split(' | ')[0]!.matchAll(/`(\w+)`/g)].map(match => match[1]!)).sort()
    expect(written).toEqual(there)
  })

  it('docs/bridge.md: health', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await fetch(server.httpUrl + path)).status).toBe(200)
  })

  it('README.md: the command line', async () => {
    await runComet(`comet msg send Hello 'first message' --tag greeting --key order-1`, server.nameServer)
    expect(await runComet('comet msg tail Hello --since earliest --limit 1', server.nameServer)).toContain('first message')
  })
})
