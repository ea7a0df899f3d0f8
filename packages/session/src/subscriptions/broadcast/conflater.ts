import type { Entry } from '@cometmq/protocol'
import { entryOverheadBytes } from '../window.ts'

interface Node {
  readonly key: string
  entry: Entry
  isOwn: boolean
  /** First offset skipped between the entry before and this one; -1: none. */
  skippedFrom: number
  before: Node | undefined
  after: Node | undefined
}

/** The newest message per key of one queue, in order of offset, and what was skipped for it. Bounded: the oldest go first. */
export class Conflater {
  readonly #maxMessages: number
  readonly #maxBytes: number
  readonly #byKey = new Map<string, Node>()
  #first: Node | undefined
  #last: Node | undefined
  #bytes = 0

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#byKey.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** In ascending order of offset. The key is the first of KEYS, else the tag. */
  add(entry: Entry): void {
    const key = entry[7][2]?.[0] ?? entry[7][1] ?? ''
    const node: Node = { key, entry, isOwn: false, skippedFrom: -1, before: this.#last, after: undefined }
    if (this.#last === undefined) this.#first = node
    else this.#last.after = node
    this.#last = node
    const older = this.#byKey.get(key)
    this.#byKey.set(key, node)
    this.#bytes += sizeOf(entry)
    if (older !== undefined) this.#skip(older)
    while (this.#first !== node && (this.#byKey.size > this.#maxMessages || this.#bytes > this.#maxBytes)) {
      const first = this.#first!
      this.#byKey.delete(first.key)
      this.#skip(first)
    }
  }

  /** What comes next, and the first offset that is skipped right before it (-1: none). */
  peek(): { readonly entry: Entry; readonly skippedFrom: number } | undefined {
    return this.#first
  }

  shift(): void {
    const first = this.#first
    if (first === undefined) return
    this.#byKey.delete(first.key)
    this.#bytes -= sizeOf(first.entry)
    this.#first = first.after
    if (this.#first === undefined) this.#last = undefined
    else this.#first.before = undefined
  }

  /** What stays for longer must not keep alive the answers it came in. */
  own(): void {
    for (let node = this.#first; node !== undefined; node = node.after) {
      if (node.isOwn) continue
      node.isOwn = true
      const [topicIx, queue, offset, id, born, attempt, flags, meta, body] = node.entry
      node.entry = [topicIx, queue, offset, id, born, attempt, flags, meta, Uint8Array.from(body)]
    }
  }

  /** The lowest offset in it, skipped ones included; undefined when it is empty. */
  get lowest(): number | undefined {
    if (this.#first === undefined) return undefined
    return this.#first.skippedFrom === -1 ? this.#first.entry[2] : this.#first.skippedFrom
  }

  clear(): void {
    this.#byKey.clear()
    this.#first = undefined
    this.#last = undefined
    this.#bytes = 0
  }

  /** There is always one after it. */
  #skip(node: Node): void {
    const { before } = node
    const after = node.after!
    after.before = before
    if (before === undefined) this.#first = after
    else before.after = after
    after.skippedFrom = node.skippedFrom === -1 ? node.entry[2] : node.skippedFrom
    this.#bytes -= sizeOf(node.entry)
  }
}

const sizeOf = (entry: Entry): number => entry[8].length + entryOverheadBytes
