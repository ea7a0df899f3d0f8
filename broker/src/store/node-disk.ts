import * as fs from 'node:fs'
import { dirname, join, resolve as absolute } from 'node:path'
import type { Disk, DiskEntry, DiskFile } from './disk.ts'
import { lockFile } from './node-lock.ts'

/** The real file system. Uses Node's callbacks and raw descriptors: a FileHandle costs more per call and closes itself when collected. */
export function createNodeDisk(): Disk {
  return { open, list, stat, makeFolder, remove, rename, syncFolder, usage, lock: lockFile }
}

/** Absent on Windows, where each write is followed by a sync instead. */
const dsync: number | undefined = (fs.constants as Partial<typeof fs.constants>).O_DSYNC

async function open(path: string, options: { create: boolean; syncEachWrite?: boolean }): Promise<DiskFile> {
  const syncEachWrite = options.syncEachWrite ?? false
  const flags = fs.constants.O_RDWR | (options.create ? fs.constants.O_CREAT : 0) | (syncEachWrite ? (dsync ?? 0) : 0)
  return new Promise((resolve, reject) => {
    fs.open(path, flags, 0o644, (error, descriptor) => {
      if (error) reject(error)
      else resolve(new NodeDiskFile(path, descriptor, syncEachWrite && dsync === undefined))
    })
  })
}

class NodeDiskFile implements DiskFile {
  readonly path: string
  readonly #descriptor: number
  readonly #syncAfterWrite: boolean
  /** A size set by ftruncate is metadata of its own: it takes fsync, fdatasync may leave it out. */
  #sizeChanged = false
  #closed = false

  constructor(path: string, descriptor: number, syncAfterWrite: boolean) {
    this.path = path
    this.#descriptor = descriptor
    this.#syncAfterWrite = syncAfterWrite
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let done = 0
    while (done < target.byteLength) {
      const count = await this.#readOnce(target, done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let rest = buffers.filter(buffer => buffer.byteLength > 0)
    while (rest.length > 0) {
      const count = await this.#writeOnce(rest, position)
      if (count === 0) throw new Error(`${this.path}: the system wrote nothing at ${position}`)
      position += count
      rest = without(rest, count)
    }
    if (this.#syncAfterWrite) await this.sync()
  }

  writeNow(buffers: readonly Uint8Array[], position: number): void {
    if (this.#closed) throw this.#closedError()
    let rest: readonly Uint8Array[] = buffers
    while (rest.length > 0) {
      const first = rest[0]!
      const count =
        rest.length === 1
          ? fs.writeSync(this.#descriptor, first, 0, first.byteLength, position)
          : fs.writevSync(this.#descriptor, rest, position)
      position += count
      rest = without(rest, count)
    }
  }

  async truncate(size: number): Promise<void> {
    await this.#call(done => fs.ftruncate(this.#descriptor, size, done))
    this.#sizeChanged = true
  }

  async sync(): Promise<void> {
    const whole = this.#sizeChanged
    this.#sizeChanged = false
    try {
      await this.#call(done => (whole ? fs.fsync(this.#descriptor, done) : fs.fdatasync(this.#descriptor, done)))
    } catch (error) {
      this.#sizeChanged ||= whole
      throw error
    }
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closedError())
      fs.fstat(this.#descriptor, (error, status) => (error ? reject(error) : resolve(status.size)))
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true // first: the number may belong to another file as soon as the system has it back
    await new Promise<void>((resolve, reject) => fs.close(this.#descriptor, error => (error ? reject(error) : resolve())))
  }

  #readOnce(target: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closedError())
      fs.read(this.#descriptor, target, offset, target.byteLength - offset, position, (error, count) =>
        error ? reject(error) : resolve(count),
      )
    })
  }

  #writeOnce(buffers: readonly Uint8Array[], position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closedError())
      const done = (error: Error | null, count: number): void => (error ? reject(error) : resolve(count))
      const first = buffers[0]!
      if (buffers.length === 1) fs.write(this.#descriptor, first, 0, first.byteLength, position, done)
      else fs.writev(this.#descriptor, buffers, position, done)
    })
  }

  #call(start: (done: (error: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closedError())
      start(error => (error ? reject(error) : resolve()))
    })
  }

  #closedError(): Error {
    return Object.assign(new Error(`EBADF: ${this.path} is closed`), { code: 'EBADF' })
  }
}

/** What remains of `buffers` after the first `count` bytes. */
function without(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let index = 0
  while (index < buffers.length && count >= buffers[index]!.byteLength) count -= buffers[index++]!.byteLength
  const rest = buffers.slice(index)
  if (count > 0) rest[0] = rest[0]!.subarray(count)
  return rest
}

async function list(path: string): Promise<DiskEntry[]> {
  const names = await fs.promises.readdir(path).catch(nullWhenMissing)
  if (names === null) return []
  const entries = await Promise.all(names.sort().map(name => stat(join(path, name))))
  return entries.filter(entry => entry !== null)
}

async function stat(path: string): Promise<DiskEntry | null> {
  const status = await fs.promises.stat(path).catch(nullWhenMissing)
  if (status === null) return null
  const isFile = status.isFile()
  const name = absolute(path)
    .slice(dirname(absolute(path)).length)
    .replace(/^[/\\]/, '')
  return { name, size: isFile ? status.size : 0, isFile, modifiedAt: Math.floor(status.mtimeMs) }
}

async function makeFolder(path: string): Promise<void> {
  await fs.promises.mkdir(path, { recursive: true })
}

async function remove(path: string): Promise<void> {
  await fs.promises.rm(path, { recursive: true, force: true })
}

async function rename(from: string, to: string): Promise<void> {
  await fs.promises.rename(from, to)
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return // a folder cannot be opened there; NTFS logs names itself
  const handle = await fs.promises.open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * As Java's UtilAll.getDiskPartitionSpaceUsedPercent counts: the space reserved for root is neither used nor free, so that
 * (total − free) / total is used / (used + usable). A path that does not exist yet counts for its nearest parent.
 */
async function usage(path: string): Promise<{ totalBytes: number; freeBytes: number }> {
  for (let folder = absolute(path); ; folder = dirname(folder)) {
    const partition = await fs.promises.statfs(folder).catch((error: unknown) => {
      if (folder === dirname(folder)) throw error
      return nullWhenMissing(error)
    })
    if (partition === null) continue
    const usedBlocks = partition.blocks - partition.bfree
    return { totalBytes: (usedBlocks + partition.bavail) * partition.bsize, freeBytes: partition.bavail * partition.bsize }
  }
}

function nullWhenMissing(error: unknown): null {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
  throw error
}
