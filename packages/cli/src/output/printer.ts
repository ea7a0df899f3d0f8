import { CliError } from '../errors.ts'
import { type Io } from '../io.ts'
import { type Column, type Noun } from './columns.ts'
import { printable, textTable } from './text-table.ts'
import { type TimeStyle, timeText } from './times.ts'
import { toYaml } from './yaml.ts'

export const formats = ['table', 'wide', 'json', 'ndjson', 'yaml', 'csv', 'tsv', 'name'] as const
export type Format = (typeof formats)[number]

export interface OutputOptions {
  /** Default: table on a terminal, tsv otherwise. */
  output?: Format
  /** `--json a,b`: only these fields; `--json` alone (true): names the fields. */
  json?: string | true
  quiet?: boolean
  utc?: boolean
  epoch?: boolean
}

type Json = Record<string, unknown>

/** Prints rows of a noun in the format asked for. */
export class Printer<Row> {
  readonly #io: Io
  readonly #noun: Noun<Row>
  readonly #format: Format
  readonly #times: TimeStyle
  readonly #columns: readonly Column<Row>[]
  #headerPrinted = false

  constructor(io: Io, noun: Noun<Row>, options: OutputOptions) {
    this.#io = io
    this.#noun = noun
    this.#format = formatOf(io, options)
    this.#times = options.epoch ? 'epoch' : options.utc ? 'utc' : 'local'
    this.#columns = typeof options.json === 'string' ? pick(noun, options.json) : noun.columns
  }

  get format(): Format {
    return this.#format
  }

  /** All rows of a list. */
  list(rows: readonly Row[]): void {
    const { kind, version } = this.#noun
    const objects = (): Json[] => rows.map(row => this.#object(row))
    switch (this.#format) {
      case 'json':
        return this.#io.out(`${JSON.stringify({ v: version, kind, items: objects() }, null, 2)}\n`)
      case 'yaml':
        return this.#io.out(toYaml({ v: version, kind, items: objects() }))
      case 'table':
      case 'wide':
        return this.#table(rows)
      default:
        if (this.#format === 'csv' || this.#format === 'tsv') this.#header()
        for (const row of rows) this.row(row)
    }
  }

  /** One thing; `sections` are what a table shows below its fields. */
  one(row: Row, sections: () => void = () => {}): void {
    const { kind, version } = this.#noun
    const object = (): Json => ({ v: version, kind, ...this.#object(row) })
    if (this.#format === 'json') return this.#io.out(`${JSON.stringify(object(), null, 2)}\n`)
    if (this.#format === 'yaml') return this.#io.out(toYaml(object()))
    if (this.#format === 'ndjson') return this.#io.out(`${JSON.stringify(object())}\n`)
    if (this.#format === 'name' || this.#format === 'csv') return this.list([row])
    this.#fields(row)
    sections()
  }

  /** One row of a stream, as soon as it is there. Tables are printed as lines without alignment. */
  row(row: Row): void {
    const { version } = this.#noun
    switch (this.#format) {
      case 'name':
        return this.#io.out(`${this.#noun.nameOf(row)}\n`)
      case 'json':
      case 'ndjson':
        return this.#io.out(`${JSON.stringify({ v: version, ...this.#object(row) })}\n`)
      case 'yaml':
        return this.#io.out(`---\n${toYaml({ v: version, ...this.#object(row) })}`)
      case 'csv':
        if (!this.#headerPrinted) this.#header()
        return this.#io.out(`${this.#columns.map(column => csvCell(this.#text(column, row))).join(',')}\n`)
      case 'tsv':
        if (!this.#headerPrinted) this.#header()
        return this.#io.out(
          `${this.#shown()
            .map(column => tsvCell(this.#text(column, row)))
            .join('\t')}\n`,
        )
      default:
        return this.#io.out(
          `${this.#shown()
            .map(column => printable(this.#text(column, row)))
            .join('  ')}\n`,
        )
    }
  }

  #header(): void {
    this.#headerPrinted = true
    if (this.#format === 'csv') this.#io.out(`${this.#columns.map(column => csvCell(column.name)).join(',')}\n`)
    else
      this.#io.out(
        `${this.#shown()
          .map(column => column.name)
          .join('\t')}\n`,
      )
  }

  #shown(): Column<Row>[] {
    return this.#columns.filter(column => !column.detail && (!column.wide || this.#format === 'wide'))
  }

  #table(rows: readonly Row[]): void {
    const columns = this.#shown()
    const cells = rows.map(row => columns.map(column => printable(this.#text(column, row))))
    const right = new Set(columns.flatMap((column, index) => (column.kind === 'count' ? index : [])))
    for (const line of textTable(
      columns.map(column => title(column.name)),
      cells,
      right,
    ))
      this.#io.out(`${line}\n`)
  }

  #fields(row: Row): void {
    const columns = this.#columns.filter(column => !column.detail)
    const separator = this.#format === 'tsv' ? '\t' : undefined
    const width = Math.max(...columns.map(column => column.name.length)) + 2
    for (const column of columns) {
      const value = this.#text(column, row)
      this.#io.out(separator ? `${column.name}\t${tsvCell(value)}\n` : `${`${column.name}:`.padEnd(width)}${printable(value)}\n`)
    }
  }

  #text(column: Column<Row>, row: Row): string {
    const value = column.value(row)
    if (value === null || value === undefined) return ''
    if (column.kind === 'time') return timeText(Number(value), this.#times)
    if (Array.isArray(value)) return value.every(item => typeof item === 'string') ? value.join(',') : JSON.stringify(value)
    return typeof value === 'object' ? JSON.stringify(value) : String(value)
  }

  #object(row: Row): Json {
    const object: Json = {}
    for (const column of this.#columns) {
      const value = column.value(row)
      if (value === undefined) continue
      object[column.name] = column.kind === 'time' ? this.#timeValue(Number(value)) : exact(value)
    }
    return object
  }

  #timeValue(epochMs: number): unknown {
    if (this.#times === 'epoch') return epochMs
    return timeText(epochMs, this.#times) || null
  }
}

/** Numbers that JSON readers would round travel as text. */
const exact = (value: unknown): unknown =>
  typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER ? String(value) : value

const title = (name: string): string => name.replace(/([a-z])([A-Z])/g, '$1 $2').toUpperCase()
const csvCell = (value: string): string => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value)
const tsvCell = (value: string): string => printable(value)

function formatOf(io: Io, options: OutputOptions): Format {
  if (options.quiet) return 'name'
  if (options.output) return options.output
  if (options.json !== undefined) return 'json'
  return io.outIsTerminal ? 'table' : 'tsv'
}

function pick<Row>(noun: Noun<Row>, fields: string): Column<Row>[] {
  return fields.split(',').map(field => {
    const column = noun.columns.find(candidate => candidate.name === field.trim())
    if (column) return column
    const known = noun.columns.map(candidate => candidate.name).join(', ')
    throw new CliError('E_USAGE', `${noun.kind} have no field ${field}`, `known fields: ${known}`)
  })
}

/** For `--json` without a list: prints the names of the fields and returns true. */
export function printedFieldNames<Row>(io: Io, noun: Noun<Row>, options: OutputOptions): boolean {
  if (options.json !== true) return false
  for (const column of noun.columns) io.out(`${column.name}\n`)
  return true
}
