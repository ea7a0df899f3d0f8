import type { DiskFile } from '../disk.ts'
import { entriesStart, entryBytes, type Geometry, getInt64, type Header, viewOf } from './layout.ts'
import type { SlotTable } from './slot-table.ts'

/** Entries read at once; 1.25 MiB. */
const blockEntries = 65_536

export interface Scan {
  /** Number of the entry after the last good one; 1 when there is none. */
  count: number
  /** Bytes of the entries region up to there. */
  bytes: number
  lastPhy: number
  lastSeconds: number
  stoppedAt: 'end' | 'untrusted position' | 'damage'
}

/**
 * Reads the entries that are whole and belong to messages before the trusted position, and fills the (empty) slot table from them. Entries are only
 * ever added at the end, in log order, and each names the one before it in its slot, so the first that does not fit ends the trusted part.
 */
export async function scanEntries(
  file: DiskFile,
  geometry: Geometry,
  known: { header: Header; slots: SlotTable; trustedPosition: number },
): Promise<Scan> {
  const { header, slots, trustedPosition } = known
  const scan: Scan = { count: 1, bytes: entryBytes, lastPhy: 0, lastSeconds: 0, stoppedAt: 'damage' }
  if (header.beginTimestamp <= 0) return scan // seconds of entries would mean nothing
  const block = new Uint8Array(Math.min(blockEntries, geometry.entries) * entryBytes)
  const view = viewOf(block)
  while (scan.count < geometry.entries) {
    const wanted = Math.min(blockEntries, geometry.entries - scan.count)
    const length = await file.read(block.subarray(0, wanted * entryBytes), entriesStart(geometry) + scan.count * entryBytes)
    const first = scan.count
    for (let at = 0; at + entryBytes <= length; at += entryBytes) {
      const phy = getInt64(view, at + 4)
      const slot = fittingSlot(view, at, scan, { header, slots, geometry })
      if (slot < 0) return scan
      if (phy >= trustedPosition) return { ...scan, stoppedAt: 'untrusted position' }
      slots.exchange(slot, scan.count)
      scan.lastPhy = phy
      scan.lastSeconds = view.getInt32(at + 12)
      scan.count++
      scan.bytes += entryBytes
    }
    if (scan.count - first < wanted) return scan
  }
  return { ...scan, stoppedAt: 'end' }
}

/** The slot of an entry that can follow on those scanned; -1 when it cannot. */
function fittingSlot(
  view: DataView,
  at: number,
  scan: Scan,
  known: { header: Header; slots: SlotTable; geometry: Geometry },
): number {
  const keyHash = view.getInt32(at)
  const phy = getInt64(view, at + 4)
  const seconds = view.getInt32(at + 12)
  const previous = view.getInt32(at + 16)
  if (keyHash < 0 || seconds < 0 || phy < scan.lastPhy) return -1
  if (scan.count === 1 && (phy !== known.header.beginPhy || known.header.count <= 1)) return -1
  if (scan.count > 1 && keyHash === 0 && phy === 0 && seconds === 0 && previous === 0) return -1 // never written
  const slot = keyHash % known.geometry.slots
  return known.slots.newest(slot) === previous ? slot : -1
}
