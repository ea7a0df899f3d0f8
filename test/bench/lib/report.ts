import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { cpus, totalmem } from 'node:os'
import { type Histogram } from 'hdr-histogram-js'

/** One measured line. Rates are per second, latencies in microseconds. */
export interface Row {
  name: string
  /** What the row is about, such as `messages/s` or `ms`. */
  unit: string
  value: number
  /** The figure asked for by the project's goals, when there is one; `lower` says which side of it is good. */
  goal?: { value: number; lower?: boolean }
  latency?: { p50: number; p99: number; p999: number; max: number }
  detail?: Record<string, number | string>
}

export const latencyOf = (histogram: Histogram): NonNullable<Row['latency']> => ({
  p50: histogram.getValueAtPercentile(50),
  p99: histogram.getValueAtPercentile(99),
  p999: histogram.getValueAtPercentile(99.9),
  max: histogram.maxValue,
})

const number = (value: number): string => (value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2))

function verdict(row: Row): string {
  if (row.goal === undefined) return ''
  const met = row.goal.lower === true ? row.value <= row.goal.value : row.value >= row.goal.value
  return `${row.goal.lower === true ? '<=' : '>='} ${number(row.goal.value)} ${met ? 'met' : 'MISSED'}`
}

export function printTable(rows: readonly Row[]): void {
  const cells = rows.map(row => [
    row.name,
    number(row.value),
    row.unit,
    row.latency === undefined ? '' : `${row.latency.p50} / ${row.latency.p99} / ${row.latency.max}`,
    verdict(row),
    Object.entries(row.detail ?? {})
      .map(([key, value]) => `${key} ${typeof value === 'number' ? number(value) : value}`)
      .join(', '),
  ])
  const head = ['row', 'value', 'unit', 'p50 / p99 / max µs', 'goal', 'detail']
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map(line => line[i]!.length)))
  for (const line of [head, ...cells]) {
    console.log(
      line
        .map((cell, i) => (i === 1 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
  }
}

export function writeReport(path: string, rows: readonly Row[]): void {
  const machine = {
    at: new Date().toISOString(),
    node: process.version,
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    memoryMb: Math.round(totalmem() / 2 ** 20),
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, JSON.stringify({ machine, rows }, null, 2) + '\n')
}
