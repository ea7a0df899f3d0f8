/** What the store needs of a file system. `node-disk.ts` is the real one; testkit has one that fails on purpose. */
export interface Disk {
  /** Opens for reading and writing; creates the file when `create`. `syncEachWrite` (O_DSYNC): a finished write is durable. */
  open(path: string, options: { create: boolean; syncEachWrite?: boolean }): Promise<DiskFile>
  /** Entries of a folder, sorted by name; [] when it does not exist. */
  list(path: string): Promise<DiskEntry[]>
  /** Null when nothing is there. */
  stat(path: string): Promise<DiskEntry | null>
  /** With parents; no error when it exists. */
  makeFolder(path: string): Promise<void>
  /** A file, or a folder with all in it; no error when it is missing. */
  remove(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Makes creations, renames and removals in a folder durable. */
  syncFolder(path: string): Promise<void>
  /** Of the partition that holds `path`. */
  usage(path: string): Promise<{ totalBytes: number; freeBytes: number }>
  /** Takes an exclusive lock that ends with the process, however it ends. Null when another process holds it. */
  lock(path: string): Promise<DiskLock | null>
}

export interface DiskEntry {
  name: string
  size: number
  isFile: boolean
  /** Epoch ms. */
  modifiedAt: number
}

export interface DiskFile {
  readonly path: string
  /** Fills `target` from `position`; returns the bytes read, fewer than asked only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>
  /** Writes all buffers back to back from `position`; rejects when not all bytes were written. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Optional: the same at once, blocking; for small writes into the page cache, where a trip to the thread pool costs more. */
  writeNow?(buffers: readonly Uint8Array[], position: number): void
  /** Cuts or extends (sparse) to `size`. */
  truncate(size: number): Promise<void>
  /** Makes written data, and the size, durable (fdatasync). */
  sync(): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface DiskLock {
  release(): Promise<void>
}

/** Error codes that mean "no room": ENOSPC, EDQUOT, EFBIG. */
export function isDiskFull(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG'
}

/** A whole small file; null when it is missing. */
export async function readWholeFile(disk: Disk, path: string): Promise<Buffer | null> {
  if ((await disk.stat(path)) === null) return null
  const file = await disk.open(path, { create: false })
  try {
    const bytes = Buffer.alloc(await file.size())
    const length = await file.read(bytes, 0)
    return bytes.subarray(0, length)
  } finally {
    await file.close()
  }
}

/** Replaces a small file so that a crash leaves the old or the new one: X.tmp, sync, X → X.bak, X.tmp → X (spec store, 1.2). */
export async function replaceWholeFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')))
  await disk.makeFolder(folder)
  const file = await disk.open(path + '.tmp', { create: true })
  try {
    await file.truncate(0)
    await file.write([bytes], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  if ((await disk.stat(path)) !== null) await disk.rename(path, path + '.bak')
  await disk.rename(path + '.tmp', path)
  await disk.syncFolder(folder)
}
