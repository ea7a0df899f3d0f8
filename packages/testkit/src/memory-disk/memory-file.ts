import type { DiskFile } from '@cometmq/broker/store'
import type { FileContent } from './content.ts'
import type { DiskOperation, Verdict } from './faults.ts'

/** What a file needs of the disk it lies on. */
export interface FileHost {
  /** Epoch ms. */
  now(): number
  /** Null: nothing planned, go on. Otherwise wait for what the call meets. Throws when the disk is dead. */
  meet(operation: DiskOperation, path: string): Promise<Verdict | null> | null
  /** How many of these bytes there is room for. */
  fitting(content: FileContent, position: number, length: number): number
  /** A write that is held: should the process or the power fail now, some of it may have been done. Returns how to end that. */
  underWay(content: FileContent, bytes: Uint8Array, position: number): () => void
}

const nothing = Promise.resolve()

/** An open file. Methods take effect before they return unless a fault or gate is planned. */
export class MemoryFile implements DiskFile {
  readonly path: string
  readonly #host: FileHost
  readonly #content: FileContent
  readonly #syncEachWrite: boolean
  #closed = false

  constructor(path: string, host: FileHost, content: FileContent, syncEachWrite: boolean) {
    this.path = path
    this.#host = host
    this.#content = content
    this.#syncEachWrite = syncEachWrite
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const verdict = await this.#meet('read')
    if (verdict === null) return this.#content.seen.read(target, position)
    if (verdict.code !== null) throw diskError(verdict.code, 'read', this.path)
    return this.#content.seen.read(target.subarray(0, verdict.bytes), position)
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    try {
      const bytes = joined(buffers)
      const meeting = this.#meet('write')
      if (meeting !== null) return this.#writeLater(bytes, position, meeting)
      this.#put(bytes, position)
      return nothing
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  async truncate(size: number): Promise<void> {
    await this.#pass('truncate')
    this.#content.truncate(size)
    this.#content.modifiedAt = this.#host.now()
  }

  async sync(): Promise<void> {
    await this.#pass('sync')
    this.#content.sync()
  }

  async size(): Promise<number> {
    await this.#pass('size')
    return this.#content.seen.size
  }

  async close(): Promise<void> {
    if (this.#closed) return
    await this.#pass('close')
    this.#closed = true
  }

  async #writeLater(bytes: Uint8Array, position: number, meeting: Promise<Verdict | null>): Promise<void> {
    const over = this.#host.underWay(this.#content, bytes, position)
    let verdict: Verdict | null
    try {
      verdict = await meeting
    } finally {
      over()
    }
    if (verdict === null || verdict.code === null) return this.#put(bytes, position)
    this.#put(bytes.subarray(0, verdict.bytes), position)
    throw diskError(verdict.code, 'write', this.path)
  }

  #put(bytes: Uint8Array, position: number): void {
    const fitting = this.#host.fitting(this.#content, position, bytes.byteLength)
    const part = fitting < bytes.byteLength ? bytes.subarray(0, fitting) : bytes
    if (part.byteLength > 0) {
      if (this.#syncEachWrite) this.#content.writeThrough(part, position)
      else this.#content.write(part, position)
      this.#content.modifiedAt = this.#host.now()
    }
    if (fitting < bytes.byteLength) throw diskError('ENOSPC', 'write', this.path)
  }

  async #pass(operation: DiskOperation): Promise<void> {
    const verdict = await this.#meet(operation)
    if (verdict !== null && verdict.code !== null) throw diskError(verdict.code, operation, this.path)
  }

  #meet(operation: DiskOperation): Promise<Verdict | null> | null {
    if (this.#closed) throw diskError('EBADF', operation, this.path)
    return this.#host.meet(operation, this.path)
  }
}

const arenaBytes = 1_048_576
let arena = new Uint8Array(arenaBytes)
let arenaUsed = 0

/** Memory for one write. Small ones share: millions of them as objects of their own would cost more than the work. */
function take(length: number): Uint8Array {
  if (length > arenaBytes / 16) return new Uint8Array(length)
  if (arenaUsed + length > arenaBytes) {
    arena = new Uint8Array(arenaBytes)
    arenaUsed = 0
  }
  arenaUsed += length
  return arena.subarray(arenaUsed - length, arenaUsed)
}

/** One copy of all buffers: the caller may reuse its own at once. */
function joined(buffers: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const buffer of buffers) length += buffer.byteLength
  const bytes = take(length)
  let at = 0
  for (const buffer of buffers) {
    bytes.set(buffer, at)
    at += buffer.byteLength
  }
  return bytes
}

export function diskError(code: string, operation: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${operation} '${path}'`), { code, syscall: operation, path })
}
