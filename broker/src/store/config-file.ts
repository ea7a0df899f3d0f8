import type { Clock, Logger, Timer } from '@cometmq/remoting'
import { readWholeFile, replaceWholeFile, type Disk } from './disk.ts'

/**
 * Small files of state that are always replaced as a whole: topics.json and the like (spec store, 1.2).
 * Reading falls back to `.bak`; writing is coalesced.
 */
const FILE_BYTES_MAX = 256 * 1024 * 1024

/** A file of the broker's state that cannot be used as it is. The message names it and says what to do. */
export class ConfigFileError extends Error {
  override readonly name = 'ConfigFileError'
}

/**
 * Reads and decodes `path`, or its `.bak` when it is missing, empty or broken; null when there is neither.
 * A broken file is moved to `X.broken`, so that the next save cannot put it over the good `.bak`.
 * Rejects with ConfigFileError when something is there and nothing of it can be read: starting empty would lose it.
 */
export async function loadConfigFile<T>(
  disk: Disk,
  path: string,
  decode: (text: string) => T,
  logger: Logger,
): Promise<T | null> {
  const main = await attempt(disk, path, decode)
  if (main.state === 'good') return main.value
  const backup = await attempt(disk, path + '.bak', decode)
  if (backup.state === 'good') {
    if (main.state !== 'missing') await moveAside(disk, path)
    logger.warn(`${path} is ${main.state}, its backup ${path}.bak is used instead`, {
      reason: main.reason,
      movedTo: `${path}.broken`,
    })
    return backup.value
  }
  if (main.state === 'missing' && backup.state === 'missing') return null
  if (main.state === 'empty' && backup.state === 'missing') {
    logger.warn(`${path} is empty and has no backup, starting without it`)
    return null
  }
  throw new ConfigFileError(
    `${path} is ${main.state} (${main.reason}), and ${path}.bak is ${backup.state} (${backup.reason}). ` +
      `Nothing was changed. Repair one of the two, or restore it from another copy; to start without what it held, move both away.`,
  )
}

type Attempt<T> = { state: 'good'; value: T } | { state: 'missing' | 'empty' | 'broken'; reason: string }

async function attempt<T>(disk: Disk, path: string, decode: (text: string) => T): Promise<Attempt<T>> {
  const entry = await disk.stat(path)
  if (entry === null) return { state: 'missing', reason: 'no such file' }
  if (!entry.isFile) return { state: 'broken', reason: 'not a file' }
  if (entry.size > FILE_BYTES_MAX) return { state: 'broken', reason: `${entry.size} bytes, at most ${FILE_BYTES_MAX} are read` }
  const bytes = await readWholeFile(disk, path)
  if (bytes === null || bytes.length === 0) return { state: 'empty', reason: '0 bytes' }
  try {
    return { state: 'good', value: decode(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) }
  } catch (error) {
    return { state: 'broken', reason: (error as Error).message }
  }
}

async function moveAside(disk: Disk, path: string): Promise<void> {
  await disk.rename(path, path + '.broken')
  await disk.syncFolder(path.slice(0, Math.max(0, path.lastIndexOf('/'))))
}

const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 30_000

export interface ConfigFileOptions {
  disk: Disk
  path: string
  clock: Clock
  logger: Logger
  /** The whole content, asked for at the moment of writing. */
  encode: () => string
}

/** Writer of one state file: one write at a time, the latest state wins, a failed write is tried again. */
export class ConfigFile {
  readonly #options: ConfigFileOptions
  /** Number of changes so far, and of those that are on disk. */
  #changes = 0
  #durable = 0
  #writing: Promise<void> | null = null
  #retry: Timer | null = null
  #retryMs = FIRST_RETRY_MS

  constructor(options: ConfigFileOptions) {
    this.#options = options
  }

  /** The state has changed: writes it soon. Changes of one turn, and those during a write, share the next write. */
  changed(): void {
    this.#changes++
    this.#start()
  }

  /** Resolves when all changes so far are durable. Rejects when a write of them failed; it is tried again without being asked. */
  async saved(): Promise<void> {
    const wanted = this.#changes
    while (this.#durable < wanted) {
      this.#start()
      await this.#writing
    }
  }

  #start(): void {
    if (this.#writing !== null) return
    this.#retry?.cancel()
    this.#retry = null
    this.#writing = this.#write().finally(() => (this.#writing = null))
    this.#writing.then(
      () => this.#succeeded(),
      (error: unknown) => this.#failed(error),
    )
  }

  async #write(): Promise<void> {
    await Promise.resolve() // lets the changes of this turn in
    const { disk, path, encode } = this.#options
    const changes = this.#changes
    await replaceWholeFile(disk, path, Buffer.from(encode()))
    this.#durable = changes
  }

  #succeeded(): void {
    this.#retryMs = FIRST_RETRY_MS
    if (this.#durable < this.#changes) this.#start()
  }

  #failed(error: unknown): void {
    const { path, clock, logger } = this.#options
    logger.error(`${path} could not be written, the last good one is still there; trying again`, {
      error: (error as Error).message,
      retryInMs: this.#retryMs,
    })
    this.#retry?.cancel()
    this.#retry = clock.setTimeout(() => this.#start(), this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS)
  }
}
