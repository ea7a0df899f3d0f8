import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { calibrationRow } from './lib/calibration.ts'
import { createContext } from './lib/context.ts'
import { printTable, type Row, writeReport } from './lib/report.ts'
import type { BenchContext } from './lib/context.ts'
import { bridgeRows, bridgeSocketRows } from './rows/bridge.ts'
import { directRows } from './rows/direct.ts'
import { pullDrainRows } from './rows/pull-drain.ts'
import { queueRows } from './rows/queues.ts'
import { recoveryRows } from './rows/recovery.ts'
import { remotingSendRows } from './rows/remoting-send.ts'
import { startupRows } from './rows/startup.ts'
import { storeAppendRows } from './rows/store-append.ts'

const groups: Record<string, (context: BenchContext) => Promise<Row[]>> = {
  store: storeAppendRows,
  send: remotingSendRows,
  drain: pullDrainRows,
  queues: queueRows,
  recovery: recoveryRows,
  startup: startupRows,
  bridge: bridgeRows,
  sockets: bridgeSocketRows,
  direct: directRows,
}

const HELP = `npm run bench -- [options]
  --only a,b       groups: ${Object.keys(groups).join(', ')}
  --quick          short measurements: to see that things work, not to quote
  --profile        writes a CPU profile per row to test/bench/results/profiles
  --work DIR       folder on the disk to be measured (default: the system's temporary folder)
  --out FILE       JSON report (default: test/bench/results/bench-<time>.json)`

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    work: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) {
  console.log(HELP)
} else {
  const wanted = values.only?.split(',') ?? Object.keys(groups)
  const unknown = wanted.filter(name => !(name in groups))
  if (unknown.length > 0) {
    console.error(`unknown group ${unknown.join(', ')}\n${HELP}`)
    process.exit(2)
  }
  const results = resolve('test/bench/results')
  const context = createContext({
    quick: values.quick,
    profileFolder: values.profile ? resolve(results, 'profiles') : undefined,
    work: values.work,
  })
  const rows: Row[] = [calibrationRow('before')]
  for (const name of wanted) {
    console.error(`measuring ${name} …`)
    rows.push(...(await groups[name]!(context)))
  }
  rows.push(calibrationRow('after'))
  printTable(rows)
  const out = values.out ?? resolve(results, `bench-${new Date().toISOString().replace(/[:.]/g, '-')}.json`)
  writeReport(out, rows)
  console.error(`report: ${out}`)
}
