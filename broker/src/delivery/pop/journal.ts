import { ResponseCode, type Clock, type Logger, type Peer, type Reply, type Timer } from '@cometmq/remoting'
import { readWholeFile, type Disk, type DiskFile } from '../../store/disk.ts'
import { readRecords, RecordKind, RecordWriter, type RecordReader } from './journal-records.ts'

const FILE_PREFIX = 'journal-'
/** Writes up to this size are done at once: a trip to the thread pool costs more. */
const NOW_BYTES_MAX = 256 * 1024
const RETRY_MS = 1000

export interface PopJournalOptions {
  disk: Disk
  /** Folder of the journal; made when missing. */
  folder: string
  clock: Clock
  logger: Logger
  /** A file larger than this, and than twice its first content, is replaced by one with the state of that moment. */
  fileBytesMax: number
  /** Writes the whole state. */
  snapshot: (into: RecordWriter) => void
}

/**
 * The journal of leases (docs/storage.md): what was handed out and settled, in the order in which it happened. Records of one turn are one
 * write into the page cache, and the answers that told of them wait for it: a process that dies loses nothing that was answered. It is
 * synced now and then, not for every write: what a power cut takes is only delivered again.
 */
export class PopJournal {
  readonly #options: PopJournalOptions
  readonly #records = new RecordWriter()
  #file!: DiskFile
  #number = 0
  #position = 0
  /** Size of the file when it had just been made. */
  #baseBytes = 0
  #peers: Peer[] = []
  #opaques: number[] = []
  #replies: Reply[] = []
  #scheduled = false
  #writing: Promise<void> | null = null
  #retry: Timer | null = null
  #failure: string | null = null
  /** The file that is to take over: its state is written, and what happened since lies in `since`. */
  #successor: Successor | null = null
  #compacting: Promise<void> | null = null
  #whenFlushed: (() => void)[] = []
  #closed = false

  private constructor(options: PopJournalOptions) {
    this.#options = options
  }

  /**
   * Opens the newest complete file, reads it into `reader` made by `newReader`, and cuts what is torn behind it. `newReader` is called
   * for each file that is tried.
   */
  static async open<R extends RecordReader>(
    options: PopJournalOptions,
    newReader: () => R,
  ): Promise<{ journal: PopJournal; reader: R }> {
    const journal = new PopJournal(options)
    return { journal, reader: await journal.#open(newReader) }
  }

  /** Takes records; they are written at the end of this turn. */
  get records(): RecordWriter {
    this.#schedule()
    return this.#records
  }

  /** Why nothing can be written at the moment; null when it can. Ask before a change. */
  get failure(): string | null {
    return this.#failure
  }

  /** Answers a request when everything recorded so far is written. */
  answer(peer: Peer, opaque: number, reply: Reply): void {
    this.#peers.push(peer)
    this.#opaques.push(opaque)
    this.#replies.push(reply)
    this.#schedule()
  }

  /** Resolves when everything recorded so far is written. */
  written(): Promise<void> {
    if (this.#records.length === 0 && this.#writing === null) return Promise.resolve()
    return new Promise(resolve => {
      this.#whenFlushed.push(resolve)
      this.#schedule()
    })
  }

  /** Makes what is written durable. */
  async sync(): Promise<void> {
    await this.#file.sync()
  }

  /** Marks a stop in order, writes, syncs and closes. */
  async close(): Promise<void> {
    this.#records.mark(RecordKind.CLOSED)
    await this.#compacting
    this.#flush()
    while (this.#writing !== null) await this.#writing
    await this.#compacting
    this.#closed = true
    this.#retry?.cancel()
    const isWhole = this.#failure === null
    this.#failure ??= 'the broker is shutting down'
    if (isWhole) await this.#file.sync()
    await this.#file.close()
    await this.#successor?.file?.close()
  }

  async #open<R extends RecordReader>(newReader: () => R): Promise<R> {
    const { disk, folder, logger } = this.#options
    await disk.makeFolder(folder)
    const names = (await disk.list(folder)).map(entry => entry.name).filter(name => /^journal-\d{1,15}$/.test(name))
    const numbers = names.map(name => Number(name.slice(FILE_PREFIX.length))).sort((a, b) => b - a)
    let used: R | null = null
    for (const number of numbers) {
      if (used === null) used = await this.#tryFile(number, newReader)
      if (number !== this.#number) await disk.remove(this.#path(number))
    }
    if (used !== null) return used
    if (numbers.length > 0)
      logger.error('the pop journal cannot be read; messages that were in flight are delivered again', { folder })
    this.#number = (numbers[0] ?? 0) + 1
    this.#file = await disk.open(this.#path(this.#number), { create: true })
    const mark = new RecordWriter()
    mark.mark(RecordKind.COMPLETE)
    await this.#file.write([mark.bytes()], 0)
    this.#baseBytes = this.#position = mark.length
    await disk.syncFolder(folder)
    return newReader()
  }

  async #tryFile<R extends RecordReader>(number: number, newReader: () => R): Promise<R | null> {
    const { disk, logger } = this.#options
    const path = this.#path(number)
    const bytes = (await readWholeFile(disk, path)) ?? Buffer.alloc(0)
    const reader = newReader()
    let complete = false
    const finish = reader.complete.bind(reader)
    reader.complete = () => {
      complete = true
      finish()
    }
    const end = readRecords(bytes, reader)
    if (!complete) return null
    this.#number = number
    this.#file = await disk.open(path, { create: false })
    if (end < bytes.length) {
      logger.warn('the pop journal had a torn end, which was cut', { path, kept: end, cut: bytes.length - end })
      await this.#file.truncate(end)
    }
    this.#baseBytes = this.#position = end
    return reader
  }

  #path(number: number): string {
    return `${this.#options.folder}/${FILE_PREFIX}${String(number).padStart(10, '0')}`
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flush)
  }

  readonly #flush = (): void => {
    this.#scheduled = false
    if (this.#writing !== null || this.#failure !== null || this.#closed) return
    if (this.#records.length === 0) return this.#answerAll(this.#takeReplies())
    const successor = this.#successor?.ready === true ? this.#successor : null
    const file = successor?.file ?? this.#file
    const position = successor?.position ?? this.#position
    const replies = this.#takeReplies()
    if (successor === null && file.writeNow !== undefined && this.#records.length <= NOW_BYTES_MAX) {
      const bytes = this.#records.bytes()
      try {
        file.writeNow([bytes], position)
      } catch (error) {
        return this.#failed(error, replies, null)
      }
      this.#successor?.since.push(Buffer.from(bytes))
      this.#records.clear()
      return this.#wrote(bytes.length, replies)
    }
    const bytes = this.#records.detach()
    const complete = new RecordWriter()
    complete.mark(RecordKind.COMPLETE)
    const buffers = successor === null ? [bytes] : [...successor.since, complete.bytes(), bytes]
    this.#writing = file.write(buffers, position).then(
      () => {
        this.#writing = null
        if (successor !== null) this.#switch(successor)
        else this.#successor?.since.push(bytes)
        this.#wrote(
          buffers.reduce((sum, buffer) => sum + buffer.length, 0),
          replies,
        )
      },
      (error: unknown) => {
        this.#writing = null
        this.#failed(error, replies, bytes)
      },
    )
  }

  #wrote(bytes: number, replies: Waiting): void {
    this.#position += bytes
    this.#answerAll(replies)
    // Replies that came meanwhile may have nothing to write themselves.
    if (this.#records.length > 0 || this.#replies.length > 0) this.#schedule()
    if (this.#position > Math.max(this.#options.fileBytesMax, 2 * this.#baseBytes)) this.#compact()
  }

  #failed(error: unknown, replies: Waiting, unwritten: Buffer | null): void {
    const { clock, logger, folder } = this.#options
    const reason = (error as Error).message
    this.#failure = `the pop journal in ${folder} could not be written: ${reason}`
    logger.error('the pop journal could not be written; pops and acknowledgements are refused until it can', {
      folder,
      error: reason,
      retryInMs: RETRY_MS,
    })
    this.#refuse(replies)
    // What is recorded has happened, so it stays in front of what comes.
    if (unwritten !== null) this.#records.putBack(unwritten)
    this.#retry = clock.setTimeout(() => {
      this.#failure = null
      this.#flush()
    }, RETRY_MS)
  }

  #takeReplies(): Waiting {
    const waiting = { peers: this.#peers, opaques: this.#opaques, replies: this.#replies }
    this.#peers = []
    this.#opaques = []
    this.#replies = []
    return waiting
  }

  #answerAll({ peers, opaques, replies }: Waiting): void {
    for (let i = 0; i < peers.length; i++) peers[i]!.respond(opaques[i]!, replies[i]!)
    if (this.#records.length === 0 && this.#writing === null) for (const resolve of this.#whenFlushed.splice(0)) resolve()
  }

  /** With the header fields: clients read those of a pop whatever the code. */
  #refuse({ peers, opaques, replies }: Waiting): void {
    const [code, remark] = [ResponseCode.SYSTEM_ERROR, this.#failure]
    for (let i = 0; i < peers.length; i++) peers[i]!.respond(opaques[i]!, { code, remark, ext: replies[i]!.ext ?? null })
  }

  /**
   * Starts a new file with the state of this moment. What is written until that is on disk goes into both. Records of this turn may be in
   * the state already and come after it once more: reading them twice changes nothing.
   */
  #compact(): void {
    if (this.#successor !== null || this.#closed) return
    const { snapshot, logger, folder } = this.#options
    const state = new RecordWriter()
    snapshot(state)
    const successor: Successor = { file: null, number: this.#number + 1, position: state.length, since: [], ready: false }
    this.#successor = successor
    this.#compacting = this.#writeSuccessor(successor, state.bytes()).catch((error: unknown) => {
      logger.warn('the pop journal could not be compacted and grows on', { folder, error: String(error) })
      this.#successor = null
      this.#baseBytes = this.#position
      return successor.file?.close().catch(() => undefined)
    })
  }

  async #writeSuccessor(successor: Successor, state: Buffer): Promise<void> {
    const { disk, folder } = this.#options
    const file = await disk.open(this.#path(successor.number), { create: true })
    successor.file = file
    await file.truncate(0)
    await file.write([state], 0)
    await file.sync()
    await disk.syncFolder(folder)
    successor.ready = true
    this.#schedule()
  }

  #switch(successor: Successor): void {
    const { disk, logger } = this.#options
    const [oldFile, oldPath] = [this.#file, this.#path(this.#number)]
    this.#file = successor.file!
    this.#number = successor.number
    this.#baseBytes = this.#position = successor.position
    this.#successor = null
    const file = this.#file
    // The old one goes when the new one is durable with its mark: until then a power cut may leave only the old one whole.
    const remove = async (): Promise<void> => {
      await oldFile.close()
      await file.sync()
      await disk.remove(oldPath)
    }
    this.#compacting = remove().catch((error: unknown) =>
      logger.warn('an old pop journal could not be removed', { path: oldPath, error: String(error) }),
    )
  }
}

interface Successor {
  file: DiskFile | null
  readonly number: number
  readonly position: number
  readonly since: Buffer[]
  ready: boolean
}

interface Waiting {
  peers: Peer[]
  opaques: number[]
  replies: Reply[]
}
