export type Cell = string | number | boolean | null | undefined | readonly string[]

/** `time`: epoch ms, 0 or less when there is none. `count`: aligned to the right. */
export type CellKind = 'text' | 'count' | 'time'

export interface Column<Row> {
  /** Name in JSON and for --json. */
  name: string
  kind: CellKind
  /** Only in `-o wide`, JSON, YAML and CSV. */
  wide?: boolean
  /** Never in tables: too long, or nested. */
  detail?: boolean
  value(row: Row): Cell | Record<string, unknown> | readonly Record<string, unknown>[]
}

/** What a command lists. The columns are its schema; a change of meaning raises `version`. */
export interface Noun<Row> {
  /** Plural, as in `{"kind": "topics"}`. */
  kind: string
  version: 1
  columns: readonly Column<Row>[]
  /** What -q and -o name print. */
  nameOf(row: Row): string
}

export const text = <Row>(name: string, value: (row: Row) => Cell, options: { wide?: boolean } = {}): Column<Row> => ({
  name,
  kind: 'text',
  value,
  ...options,
})
export const count = <Row>(name: string, value: (row: Row) => number, options: { wide?: boolean } = {}): Column<Row> => ({
  name,
  kind: 'count',
  value,
  ...options,
})
export const time = <Row>(
  name: string,
  value: (row: Row) => number | undefined,
  options: { wide?: boolean } = {},
): Column<Row> => ({
  name,
  kind: 'time',
  value,
  ...options,
})
export const detail = <Row>(name: string, value: Column<Row>['value']): Column<Row> => ({
  name,
  kind: 'text',
  detail: true,
  value,
})
