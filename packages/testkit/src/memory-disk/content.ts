import type { Random } from '../random.ts'
import { SparseBytes } from './sparse-bytes.ts'

/** A write (bytes at a position) or a truncate (no bytes: the position is the new size) that is not durable yet. */
interface Change {
  position: number
  bytes: Uint8Array | null
}

/** As a kernel writes back by itself, the older half of more unsynced changes than this becomes durable. */
const unsyncedChangesMax = 200_000
const sectorBytes = 512

/** What a file holds: as processes see it, and as a power cut would leave it. */
export class FileContent {
  readonly seen: SparseBytes
  readonly #durable: SparseBytes
  #unsynced: Change[] = []
  modifiedAt = 0

  constructor(seen = new SparseBytes(), durable = new SparseBytes()) {
    this.seen = seen
    this.#durable = durable
  }

  get unsyncedChanges(): number {
    return this.#unsynced.length
  }

  /** `bytes` is kept: pass a copy unless it cannot change. */
  write(bytes: Uint8Array, position: number): void {
    this.seen.write(bytes, position)
    this.#remember({ position, bytes })
  }

  truncate(size: number): void {
    this.seen.resize(size)
    this.#remember({ position: size, bytes: null })
  }

  /** Durable at once, and only this (O_DSYNC). */
  writeThrough(bytes: Uint8Array, position: number): void {
    this.seen.write(bytes, position)
    // Older changes that are not durable may reach the disk before or after this one, but must not undo it: keep their order.
    if (this.#unsynced.length > 0 && this.#overlaps(position, position + bytes.byteLength)) this.sync()
    this.#durable.write(bytes, position)
  }

  sync(): void {
    for (const change of this.#unsynced) apply(this.#durable, change)
    this.#unsynced = []
  }

  /** What another process would find: everything written. */
  cloneSeen(): FileContent {
    const copy = new FileContent(this.seen.clone(), this.#durable.clone())
    copy.#unsynced = this.#unsynced.slice()
    copy.modifiedAt = this.modifiedAt
    return copy
  }

  /** What a power cut leaves: each unsynced change kept, lost or torn. */
  cloneAfterPowerCut(random: Random): FileContent {
    const bytes = this.#durable.clone()
    const fate = fates[random.int(fates.length)]!
    const cut = random.int(this.#unsynced.length + 1)
    this.#unsynced.forEach((change, index) => {
      const outcome = fate(random, index - cut)
      if (outcome === 'kept') apply(bytes, change)
      else if (outcome === 'torn') applyTorn(bytes, change, random)
    })
    const copy = new FileContent(bytes, bytes.clone())
    copy.modifiedAt = this.modifiedAt
    return copy
  }

  #remember(change: Change): void {
    this.#unsynced.push(change)
    if (this.#unsynced.length <= unsyncedChangesMax) return
    for (const old of this.#unsynced.splice(0, unsyncedChangesMax / 2)) apply(this.#durable, old)
  }

  #overlaps(from: number, to: number): boolean {
    return this.#unsynced.some(({ position, bytes }) => bytes === null || (position < to && position + bytes.byteLength > from))
  }
}

type Outcome = 'kept' | 'lost' | 'torn'

/** How a whole file fares; `distance` counts from a random cut, negative before it. */
const fates: readonly ((random: Random, distance: number) => Outcome)[] = [
  () => 'lost',
  () => 'kept',
  (_, distance) => (distance < 0 ? 'kept' : distance === 0 ? 'torn' : 'lost'), // written back in order
  (_, distance) => (distance < 0 ? 'lost' : distance === 0 ? 'torn' : 'kept'), // newest first
  random => random.pick(['kept', 'lost', 'torn']),
  random => random.pick(['kept', 'lost', 'torn']),
]

function apply(bytes: SparseBytes, change: Change): void {
  if (change.bytes === null) bytes.resize(change.position)
  else bytes.write(change.bytes, change.position)
}

function applyTorn(bytes: SparseBytes, change: Change, random: Random): void {
  if (change.bytes === null) {
    if (random.chance()) bytes.resize(change.position)
    return
  }
  const { position } = change
  const end = position + change.bytes.byteLength
  // The new size may be on disk although the bytes are not: they read as zeros.
  if (random.chance() && end > bytes.size) bytes.resize(end)
  if (random.chance()) {
    bytes.write(change.bytes.subarray(0, random.int(change.bytes.byteLength + 1)), position)
    return
  }
  for (let from = position; from < end; from += sectorBytes - (from % sectorBytes)) {
    const to = Math.min(end, from + sectorBytes - (from % sectorBytes))
    if (random.chance()) bytes.write(change.bytes.subarray(from - position, to - position), from)
  }
}
