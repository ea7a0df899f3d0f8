/** config/delayOffset.json (spec store, 1.4): level → next row of the level's queue. Java writes the level numbers without quotes. */
export interface DelayOffsets {
  offsetTable: Map<number, number>
  counter: number
  timestamp: number
}

export function delayOffsetsJson(offsets: DelayOffsets): string {
  const rows = [...offsets.offsetTable].sort(([a], [b]) => a - b).map(([level, offset]) => `${level}:${offset}`)
  return `{"dataVersion":{"counter":${offsets.counter},"stateVersion":0,"timestamp":${offsets.timestamp}},"offsetTable":{${rows.join(',')}}}`
}

/** Null when the text is not such a file. Takes quoted and bare level numbers. */
export function parseDelayOffsets(text: string): DelayOffsets | null {
  const table = /"offsetTable"\s*:\s*\{([^{}]*)\}/.exec(text)
  if (table === null) return null
  const offsetTable = new Map<number, number>()
  for (const entry of table[1]!.matchAll(/"?(\d{1,5})"?\s*:\s*(\d{1,16})/g)) offsetTable.set(Number(entry[1]), Number(entry[2]))
  const numberOf = (name: string): number => Number(new RegExp(`"${name}"\\s*:\\s*(\\d{1,16})`).exec(text)?.[1] ?? 0)
  return { offsetTable, counter: numberOf('counter'), timestamp: numberOf('timestamp') }
}
