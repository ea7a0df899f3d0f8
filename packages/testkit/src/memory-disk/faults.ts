export type DiskOperation =
  | 'open'
  | 'list'
  | 'stat'
  | 'makeFolder'
  | 'remove'
  | 'rename'
  | 'syncFolder'
  | 'usage'
  | 'lock'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'size'
  | 'close'

/** Which calls a fault or a gate is for. */
export interface CallMatch {
  operation: DiskOperation | readonly DiskOperation[]
  /** A path as given to the disk, made absolute, or a pattern of it. Absent: any. */
  path?: string | RegExp
  /** The first call it is for, counting matching calls from 1 (default) since it was planned. */
  nth?: number
  /** How many calls; default 1. */
  times?: number
}

export interface Fault extends CallMatch {
  /** The error's code, such as EIO. */
  code: string
  /** For a write: bytes that are written all the same, from the first on. Default 0. */
  bytes?: number
}

/** A fault in the plan. */
export interface PlannedFault {
  /** Calls it was applied to. */
  readonly hits: number
  cancel(): void
}

/** Holds calls back, until released, before they have any effect. */
export interface Gate {
  /** Calls held at the moment. */
  readonly waiting: number
  /** Resolves when `count` calls (default 1) are held at the same time. */
  arrived(count?: number): Promise<void>
  /** Lets the call through that has waited longest. */
  releaseOne(): void
  /** Lets all through and holds no more. */
  open(): void
}

interface Entry {
  match: CallMatch
  code: string | null
  bytes: number
  seen: number
  hits: number
}

/** What a call meets. `code` null: a short read of at most `bytes`. */
export interface Verdict {
  code: string | null
  bytes: number
}

/** The accidents planned for one disk. */
export class FaultPlan {
  #entries: Entry[] = []
  #gates: HoldingGate[] = []

  /** Nothing planned: the disk takes its short way. */
  get isEmpty(): boolean {
    return this.#entries.length === 0 && this.#gates.length === 0
  }

  fail(fault: Fault): PlannedFault {
    return this.#add({ match: fault, code: fault.code, bytes: fault.bytes ?? 0, seen: 0, hits: 0 })
  }

  /** Makes reads return at most `bytes`, as if the file ended there. */
  shortRead(match: Omit<CallMatch, 'operation'> & { bytes: number }): PlannedFault {
    return this.#add({ match: { ...match, operation: 'read' }, code: null, bytes: match.bytes, seen: 0, hits: 0 })
  }

  hold(match: CallMatch): Gate {
    const gate = new HoldingGate({ times: Infinity, ...match }, () => {
      this.#gates = this.#gates.filter(each => each !== gate)
    })
    this.#gates.push(gate)
    return gate
  }

  /** Lets go of everything held; for a disk that died. */
  openAllGates(): void {
    for (const gate of [...this.#gates]) gate.open()
  }

  /** Null: no gate holds this call. */
  gateFor(operation: DiskOperation, path: string): Promise<void> | null {
    const waits = this.#gates.filter(gate => gate.holds(operation, path)).map(gate => gate.wait())
    return waits.length === 0 ? null : Promise.all(waits).then(() => undefined)
  }

  verdictFor(operation: DiskOperation, path: string): Verdict | null {
    let verdict: Verdict | null = null
    for (const entry of this.#entries) {
      if (!matches(entry.match, operation, path)) continue
      entry.seen++
      if (verdict !== null || !isTurn(entry.match, entry.seen)) continue
      entry.hits++
      verdict = entry
    }
    return verdict
  }

  #add(entry: Entry): PlannedFault {
    this.#entries.push(entry)
    return {
      get hits() {
        return entry.hits
      },
      cancel: () => {
        this.#entries = this.#entries.filter(each => each !== entry)
      },
    }
  }
}

class HoldingGate implements Gate {
  readonly #match: CallMatch
  readonly #remove: () => void
  #seen = 0
  #held: (() => void)[] = []
  #arrivals: { count: number; resolve: () => void }[] = []

  constructor(match: CallMatch, remove: () => void) {
    this.#match = match
    this.#remove = remove
  }

  get waiting(): number {
    return this.#held.length
  }

  holds(operation: DiskOperation, path: string): boolean {
    return matches(this.#match, operation, path) && isTurn(this.#match, ++this.#seen)
  }

  wait(): Promise<void> {
    const held = new Promise<void>(resolve => this.#held.push(resolve))
    this.#arrivals = this.#arrivals.filter(arrival => {
      if (this.#held.length < arrival.count) return true
      arrival.resolve()
      return false
    })
    return held
  }

  async arrived(count = 1): Promise<void> {
    if (this.#held.length >= count) return
    await new Promise<void>(resolve => this.#arrivals.push({ count, resolve }))
  }

  releaseOne(): void {
    this.#held.shift()?.()
  }

  open(): void {
    this.#remove()
    for (const resolve of this.#held.splice(0)) resolve()
  }
}

function matches(match: CallMatch, operation: DiskOperation, path: string): boolean {
  const { operation: wanted, path: pattern } = match
  if (typeof wanted === 'string' ? wanted !== operation : !wanted.includes(operation)) return false
  if (pattern === undefined) return true
  return typeof pattern === 'string' ? pattern === path : pattern.test(path)
}

function isTurn(match: CallMatch, seen: number): boolean {
  const first = match.nth ?? 1
  return seen >= first && seen < first + (match.times ?? 1)
}
