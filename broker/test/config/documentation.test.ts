import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { brokerConfigKeys, nameServerConfigKeys } from '@cometmq/broker'
import { expect, it } from 'vitest'
import type { Environment, Key } from '../../src/config/keys.ts'

const page = resolve(import.meta.dirname, '../../../docs/configuration.md')
const environment: Environment = { hostName: '(host name)', address: '(first address)', home: '(home)', variables: {} }

/** Defaults that follow from other keys or the machine, in words. */
const derived: Record<string, string> = {
  brokerName: 'the host name',
  brokerIP1: '`bindAddress`; for 0.0.0.0 the first address of the machine',
  brokerIP2: 'the first address of the machine',
  namesrvAddr: 'the environment variable NAMESRV_ADDR',
  haListenPort: '`listenPort` + 1',
  storePathRootDir: '`--data` of the command; without it `~/store`',
  storePathCommitLog: '`storePathRootDir`/commitlog',
}

function table(keys: Readonly<Record<string, Key>>): string {
  const values: Record<string, string | number | boolean> = {}
  const rows = Object.entries(keys).map(([name, key]) => {
    const value = typeof key.default === 'function' ? key.default(environment, values) : key.default
    values[name] = value
    const shown =
      derived[name] ?? (typeof key.default === 'function' ? `derived: ${value}` : value === '' ? '(none)' : `\`${value}\``)
    const unit = key.unit === '' ? '' : ` ${key.unit}`
    const notes = [key.change === 'runtime' ? 'can change while it runs' : '', key.differs ?? '']
      .filter(note => note !== '')
      .join('; ')
    return `| \`${name}\` | ${shown}${unit} | ${key.meaning.replaceAll('|', '\\|')}; ${key.kind.allowed.replaceAll('|', '\\|')} | ${notes} |`
  })
  return ['| key | default | what it is; what is allowed | notes |', '|---|---|---|---|', ...rows].join('\n')
}

/** The page is written by this test with UPDATE_DOCS=1, and compared with the tables otherwise. */
it('docs/configuration.md tells every key as it is', () => {
  const text = readFileSync(page, 'utf8')
  const wanted = text
    .replace(/(<!-- broker keys -->\n)[^]*?(\n<!-- end -->)/, `$1\n${table(brokerConfigKeys)}\n$2`)
    .replace(/(<!-- name server keys -->\n)[^]*?(\n<!-- end -->)/, `$1\n${table(nameServerConfigKeys)}\n$2`)
  if (process.env['UPDATE_DOCS'] !== undefined) writeFileSync(page, wanted)
  expect(readFileSync(page, 'utf8')).toBe(wanted)
})
