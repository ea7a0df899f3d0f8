import type { Logger } from '@cometmq/remoting'
import type { Disk, DiskEntry, DiskFile } from '../disk.ts'
import { IndexFile } from './index-file.ts'
import { decodeHeader, entriesStart, fileBytes, type Geometry, type Header, headerBytes } from './layout.ts'
import { scanEntries } from './scan.ts'
import { SlotTable } from './slot-table.ts'

export interface LoadOptions {
  disk: Disk
  folder: string
  geometry: Geometry
  logger: Logger
  /** The last exit was clean: files are taken as they are. */
  clean: boolean
  /** After an unclean exit: entries of messages before this log position are known to be on disk, the others are given up. */
  trustedPosition: number
}

export interface Loaded {
  /** Oldest first. Only the last, or full ones, have a slot table in memory. */
  files: IndexFile[]
  /** Log position from which entries of trusted messages may be missing; null when none are. */
  missingFrom: number | null
}

/** Thrown when the files cannot be used with this configuration, or are broken after a clean exit. They can be built again from the log. */
export class KeyIndexError extends Error {
  override readonly name = 'KeyIndexError'
}

/** Loads the folder. Names that are not numbers are left alone. */
export async function loadFiles(options: LoadOptions): Promise<Loaded> {
  const entries = await options.disk.list(options.folder)
  const found = entries.filter(entry => entry.isFile && /^\d+$/.test(entry.name))
  for (const entry of found) checkSize(options, entry)
  return options.clean ? loadClean(options, found) : loadUnclean(options, found)
}

function checkSize({ folder, geometry, clean }: LoadOptions, entry: DiskEntry): void {
  const expected = fileBytes(geometry)
  if (entry.size === expected || (!clean && entry.size < expected)) return
  throw new KeyIndexError(
    `${folder}/${entry.name} has ${entry.size} bytes, but maxHashSlotNum=${geometry.slots} and maxIndexNum=${geometry.entries} make ${expected}: ` +
      'set both as they were when the file was made, or remove the index folder and have it built again',
  )
}

async function loadClean(options: LoadOptions, found: readonly DiskEntry[]): Promise<Loaded> {
  const { disk, folder, geometry } = options
  const files: IndexFile[] = []
  for (const [index, { name }] of found.entries()) {
    const path = `${folder}/${name}`
    await reading(disk, path, async file => {
      const header = await readHeader(file)
      if (header.count > geometry.entries)
        throw new KeyIndexError(`${path} claims ${header.count} entries, it can hold ${geometry.entries}`)
      let slots: SlotTable | null = null
      if (index === found.length - 1 && header.count < geometry.entries) {
        slots = new SlotTable(geometry.slots)
        await slots.read(file, headerBytes)
      }
      files.push(new IndexFile(disk, path, geometry, { header, slots, onDisk: true }))
    })
  }
  return { files, missingFrom: null }
}

/**
 * After a crash only entries before the trusted position count. Full files before it stay as they are; of the file that holds it the slot
 * table is made from its entries again; what came later is removed: re-dispatch brings it back.
 */
async function loadUnclean(options: LoadOptions, found: readonly DiskEntry[]): Promise<Loaded> {
  const { disk, folder, trustedPosition } = options
  const files: IndexFile[] = []
  let missingFrom: number | null = null
  let removed = 0
  for (const entry of found) {
    const path = `${folder}/${entry.name}`
    const previous = files.at(-1)
    // Behind a file that was cut short or lost nothing is trusted: entries are only added behind the last one.
    const kept: Kept =
      missingFrom === null && (previous === undefined || previous.isFull)
        ? await keepTrusted(options, path, entry.size)
        : nothingKept
    if (!kept.isWhole) missingFrom ??= kept.file?.endPhy ?? previous?.endPhy ?? 0
    if (kept.file !== null) {
      files.push(kept.file)
    } else {
      await disk.remove(path)
      removed++
    }
  }
  if (removed > 0) await disk.syncFolder(folder)
  const entries = files.reduce((sum, file) => sum + file.count - 1, 0)
  options.logger.info('loaded the key index after an unclean exit', { files: files.length, entries, removed, missingFrom })
  return { files, missingFrom: missingFrom !== null && missingFrom < trustedPosition ? missingFrom : null }
}

interface Kept {
  /** Null: nothing in it can be trusted. */
  file: IndexFile | null
  /** False when the header promises trusted entries that are not there. */
  isWhole: boolean
}

const nothingKept: Kept = { file: null, isWhole: true }

async function keepTrusted(options: LoadOptions, path: string, size: number): Promise<Kept> {
  if (size < entriesStart(options.geometry)) return { file: null, isWhole: false } // made shortly before the crash
  return reading(options.disk, path, file => keepTrustedEntries(options, file))
}

async function keepTrustedEntries(options: LoadOptions, file: DiskFile): Promise<Kept> {
  const { disk, geometry, trustedPosition } = options
  const { path } = file
  const header = await readHeader(file)
  if (header.count === geometry.entries && header.beginTimestamp > 0 && header.endPhy < trustedPosition) {
    return { file: new IndexFile(disk, path, geometry, { header, slots: null, onDisk: true }), isWhole: true }
  }
  const slots = new SlotTable(geometry.slots)
  const scan = await scanEntries(file, geometry, { header, slots, trustedPosition })
  if (scan.count === 1) return { file: null, isWhole: header.count > 1 && header.beginPhy >= trustedPosition }
  const isWhole = scan.stoppedAt !== 'damage' || header.count <= scan.count
  await clearFrom(file, entriesStart(geometry) + scan.bytes, fileBytes(geometry))
  return { file: new IndexFile(disk, path, geometry, { header: corrected(header, scan), slots, onDisk: true }), isWhole }
}

/** Leftovers behind the last entry could pass for trusted ones after another crash. */
async function clearFrom(file: DiskFile, position: number, size: number): Promise<void> {
  if (position < size) await file.truncate(position)
  await file.truncate(size)
}

function corrected(header: Header, scan: { count: number; lastPhy: number; lastSeconds: number }): Header {
  const { count, lastPhy, lastSeconds } = scan
  const isExact = header.count === count && header.endPhy === lastPhy
  // Entries know only whole seconds: the end is put late rather than early, so that no query passes over the file.
  const endTimestamp = isExact ? header.endTimestamp : header.beginTimestamp + lastSeconds * 1000 + 999
  return { ...header, count, endPhy: lastPhy, endTimestamp }
}

async function readHeader(file: DiskFile): Promise<Header> {
  const bytes = new Uint8Array(headerBytes)
  await file.read(bytes, 0)
  return decodeHeader(bytes)
}

async function reading<T>(disk: Disk, path: string, use: (file: DiskFile) => Promise<T>): Promise<T> {
  const file = await disk.open(path, { create: false })
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}
