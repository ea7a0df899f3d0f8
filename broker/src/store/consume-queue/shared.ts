import type { Logger } from '@cometmq/remoting'
import type { Disk } from '../disk.ts'
import { FileSizeNote } from './file-size-note.ts'
import { OpenFiles } from './open-files.ts'
import type { ConsumeQueue } from './queue.ts'
import { RowCache } from './row-cache.ts'
import { ROW_BYTES } from './rows.ts'

export interface SharedOptions {
  disk: Disk
  /** `<store>/consumequeue`. */
  folder: string
  /** Bytes of a file; rounded up to a multiple of 20 (Java: mappedFileSizeConsumeQueue). Default 6,000,000. */
  fileBytes?: number
  logger: Logger
  /** Files kept open while nobody uses them. Default 1024. */
  openFilesMax?: number
  /** Blocks of rows read from files and kept. Default 8 MiB. */
  cacheBytesMax?: number
  /** Rows that no file has yet, over all queues: with more, all of them are written at once. Default 64 MiB. */
  dirtyBytesMax?: number
}

/** What the queues of one store have in common. */
export class Shared {
  readonly disk: Disk
  readonly folder: string
  readonly rowsPerFile: number
  readonly logger: Logger
  readonly files: OpenFiles
  readonly cache: RowCache
  readonly note: FileSizeNote
  readonly dirtyBytesMax: number
  /** Called when a page is full while there are more dirty bytes than the limit. */
  relieve: () => void = () => {}
  /** Rows in memory that no file has yet, in bytes. */
  dirtyBytes = 0
  /** Memory taken by pages, in bytes. */
  pageBytes = 0
  /** Queues with rows that no file has yet, each once. */
  dirty: ConsumeQueue[] = []
  /** Queues with files that are written and not synced, each once. */
  unsynced: ConsumeQueue[] = []
  /** Queues that keep written pages for readers until the next flush. */
  holding: ConsumeQueue[] = []
  /** Folders with names that are not durable yet. */
  readonly unsyncedFolders = new Set<string>()
  #serial = 0

  constructor(options: SharedOptions) {
    this.disk = options.disk
    this.folder = options.folder
    this.rowsPerFile = Math.ceil((options.fileBytes ?? 6_000_000) / ROW_BYTES)
    this.logger = options.logger
    this.files = new OpenFiles(options.disk, options.openFilesMax ?? 1024)
    this.dirtyBytesMax = options.dirtyBytesMax ?? 64 * 1024 * 1024
    this.cache = new RowCache(options.cacheBytesMax ?? 8 * 1024 * 1024)
    this.note = new FileSizeNote(options.disk, options.folder + '.filesize', this.fileBytes)
  }

  get fileBytes(): number {
    return this.rowsPerFile * ROW_BYTES
  }

  /** A number no other queue has: keys of cached blocks start with it. */
  nextSerial(): number {
    return this.#serial++
  }
}
