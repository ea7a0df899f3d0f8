import { posix } from 'node:path'
import type { Clock } from '@cometmq/remoting'
import type { Disk, DiskEntry, DiskFile, DiskLock } from '@cometmq/broker/store'
import { createRandom, type Random } from '../random.ts'
import { FileContent } from './content.ts'
import { type DiskOperation, FaultPlan, type Verdict } from './faults.ts'
import { diskError, type FileHost, MemoryFile } from './memory-file.ts'
import { folderOf, isIn, Names } from './names.ts'

export interface MemoryDiskOptions {
  /** Decides how things break. Default 1. */
  seed?: number
  /** For modification times; without it they are 0. */
  clock?: Pick<Clock, 'now'>
  /** Room for contents, in bytes, counted in pages of 4096 as they are first written. Default: no limit. */
  capacityBytes?: number
}

/** The size `usage` tells of a disk without limit. */
const unlimitedBytes = 2 ** 40

/**
 * A disk in memory that knows what is durable. `crash` and `kill` end it, as a power cut or a killed process would, and give the disk that is found
 * afterwards; what still uses the old one gets EBADF. Called again they give further possible outcomes of the same moment.
 */
export class MemoryDisk implements Disk {
  readonly faults = new FaultPlan()
  capacityBytes: number
  readonly #random: Random
  readonly #clock: Pick<Clock, 'now'> | undefined
  readonly #names: Names
  readonly #locked = new Set<string>()
  readonly #underWay = new Set<{ content: FileContent; bytes: Uint8Array; position: number }>()
  readonly #host: FileHost
  #alive = true

  constructor(options: MemoryDiskOptions = {}, names = new Names()) {
    this.capacityBytes = options.capacityBytes ?? Infinity
    this.#random = createRandom(options.seed ?? 1)
    this.#clock = options.clock
    this.#names = names
    this.#host = {
      now: () => this.#now(),
      meet: (operation, path) => this.#meet(operation, path),
      fitting: (content, position, length) => this.#fitting(content, position, length),
      underWay: (content, bytes, position) => {
        const write = { content, bytes, position }
        this.#underWay.add(write)
        return () => void this.#underWay.delete(write)
      },
    }
  }

  /** A power cut: synced data stays; each unsynced write is kept, lost or torn, each unsynced name kept or lost. */
  crash(): MemoryDisk {
    this.#stop()
    const copies = new Map<FileContent, FileContent>()
    const copyOnce = (content: FileContent): FileContent => {
      let copy = copies.get(content)
      if (copy === undefined) copies.set(content, (copy = content.cloneAfterPowerCut(this.#random)))
      return copy
    }
    return this.#successor(this.#names.cloneAfterPowerCut(this.#random, copyOnce))
  }

  /** The process ends at once: all that was written stays, handles and locks end. What was not synced may still be lost by a later `crash`. */
  kill(): MemoryDisk {
    this.#stop()
    return this.#successor(this.#names.cloneSeen(content => content.cloneSeen()))
  }

  /** Bytes taken by contents, in pages of 4096. */
  get usedBytes(): number {
    let used = 0
    for (const content of new Set(this.#names.files.values())) used += content.seen.allocatedBytes
    return used
  }

  async open(path: string, options: { create: boolean; syncEachWrite?: boolean }): Promise<DiskFile> {
    const full = await this.#pass('open', path)
    if (this.#names.folders.has(full)) throw diskError('EISDIR', 'open', full)
    let content = this.#names.files.get(full)
    if (content === undefined) {
      if (!options.create || !this.#names.folders.has(folderOf(full))) throw diskError('ENOENT', 'open', full)
      content = new FileContent()
      content.modifiedAt = this.#now()
      this.#names.create(full, content)
    }
    return new MemoryFile(full, this.#host, content, options.syncEachWrite ?? false)
  }

  async list(path: string): Promise<DiskEntry[]> {
    const full = await this.#pass('list', path)
    if (this.#names.files.has(full)) throw diskError('ENOTDIR', 'list', full)
    const entries: DiskEntry[] = []
    for (const [file, content] of this.#names.files) if (folderOf(file) === full) entries.push(fileEntry(file, content))
    for (const folder of this.#names.folders) if (folder !== full && folderOf(folder) === full) entries.push(folderEntry(folder))
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async stat(path: string): Promise<DiskEntry | null> {
    const full = await this.#pass('stat', path)
    const content = this.#names.files.get(full)
    if (content !== undefined) return fileEntry(full, content)
    return this.#names.folders.has(full) ? folderEntry(full) : null
  }

  async makeFolder(path: string): Promise<void> {
    const full = await this.#pass('makeFolder', path)
    for (let each = full; each !== '/'; each = folderOf(each)) {
      if (this.#names.files.has(each)) throw diskError(each === full ? 'EEXIST' : 'ENOTDIR', 'makeFolder', each)
    }
    this.#names.makeFolder(full)
  }

  async remove(path: string): Promise<void> {
    const full = await this.#pass('remove', path)
    for (const file of [...this.#names.files.keys()]) if (isIn(file, full)) this.#names.delete(file)
    for (const folder of [...this.#names.folders]) if (isIn(folder, full)) this.#names.deleteFolder(folder)
  }

  async rename(from: string, to: string): Promise<void> {
    const source = await this.#pass('rename', from)
    const target = absolute(to)
    const { files, folders } = this.#names
    if (!(files.has(source) || folders.has(source)) || !folders.has(folderOf(target))) throw diskError('ENOENT', 'rename', source)
    if (folders.has(source)) {
      if (files.has(target) || folders.has(target)) throw diskError('ENOTEMPTY', 'rename', target)
      this.#names.renameFolder(source, target)
    } else {
      if (folders.has(target)) throw diskError('EISDIR', 'rename', target)
      this.#names.rename(source, target)
    }
  }

  async syncFolder(path: string): Promise<void> {
    const full = await this.#pass('syncFolder', path)
    if (!this.#names.folders.has(full)) throw diskError('ENOENT', 'syncFolder', full)
    this.#names.sync(full)
  }

  async usage(path: string): Promise<{ totalBytes: number; freeBytes: number }> {
    await this.#pass('usage', path)
    const totalBytes = Number.isFinite(this.capacityBytes) ? this.capacityBytes : unlimitedBytes
    return { totalBytes, freeBytes: Math.max(0, totalBytes - this.usedBytes) }
  }

  async lock(path: string): Promise<DiskLock | null> {
    const full = await this.#pass('lock', path)
    if (this.#locked.has(full)) return null
    this.#locked.add(full)
    const file = await this.open(full, { create: true })
    await file.write([Buffer.from('lock')], 0)
    await file.close()
    return { release: async () => void this.#locked.delete(full) }
  }

  #stop(): void {
    if (!this.#alive) return
    this.#alive = false
    for (const { content, bytes, position } of this.#underWay) {
      const done = this.#random.pick([0, bytes.byteLength, this.#random.int(bytes.byteLength + 1)])
      if (done > 0) content.write(bytes.subarray(0, done), position)
    }
    this.faults.openAllGates()
  }

  #successor(names: Names): MemoryDisk {
    const options: MemoryDiskOptions = { seed: this.#random.int(2 ** 32), capacityBytes: this.capacityBytes }
    if (this.#clock !== undefined) options.clock = this.#clock
    return new MemoryDisk(options, names)
  }

  #now(): number {
    return this.#clock?.now() ?? 0
  }

  #fitting(content: FileContent, position: number, length: number): number {
    if (this.capacityBytes === Infinity) return length
    return content.seen.fitting(position, length, this.capacityBytes - this.usedBytes)
  }

  async #pass(operation: DiskOperation, path: string): Promise<string> {
    const full = absolute(path)
    const verdict = await this.#meet(operation, full)
    if (verdict !== null && verdict.code !== null) throw diskError(verdict.code, operation, full)
    return full
  }

  #meet(operation: DiskOperation, path: string): Promise<Verdict | null> | null {
    this.#assertAlive(operation, path)
    return this.faults.isEmpty ? null : this.#meetPlan(operation, path)
  }

  async #meetPlan(operation: DiskOperation, path: string): Promise<Verdict | null> {
    const verdict = this.faults.verdictFor(operation, path)
    const gate = this.faults.gateFor(operation, path)
    if (gate !== null) {
      await gate
      this.#assertAlive(operation, path)
    }
    return verdict
  }

  #assertAlive(operation: DiskOperation, path: string): void {
    if (!this.#alive) throw diskError('EBADF', operation, path)
  }
}

function absolute(path: string): string {
  return posix.resolve('/', path)
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function fileEntry(path: string, content: FileContent): DiskEntry {
  return { name: nameOf(path), size: content.seen.size, isFile: true, modifiedAt: content.modifiedAt }
}

function folderEntry(path: string): DiskEntry {
  return { name: nameOf(path), size: 0, isFile: false, modifiedAt: 0 }
}
