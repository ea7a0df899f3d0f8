import type { PoppedMessage } from '@cometmq/cluster'
import type { SubInfo } from '@cometmq/protocol'
import { isLasting, type Shared, textOf } from '../shared.ts'
import { PopLoop, type PopOwner, type PopSource } from './pop-loop.ts'

/** The subscription that a fetcher works for. */
export interface FetchTarget {
  readonly isFetching: boolean
  /** Messages and bytes that may be fetched on top of what is here already. */
  readonly room: number
  readonly roomBytes: number
  popped(topicIx: number, brokerName: string, messages: readonly PoppedMessage[]): void
  state(info: SubInfo): void
  failed(error: unknown): void
}

/** The pop loops of one subscription: one for each topic and broker. */
export class Fetcher implements PopOwner {
  readonly #shared: Shared
  readonly #target: FetchTarget
  readonly #sources: readonly PopSource[]
  readonly #loops: PopLoop[] = []
  /** Asked for and not answered. */
  #asked = 0
  #askedBytes = 0
  #timer: { cancel(): void } | undefined
  #closed = false
  readonly #troubles = new Set<PopLoop | undefined>()

  constructor(shared: Shared, target: FetchTarget, sources: readonly PopSource[]) {
    this.#shared = shared
    this.#target = target
    this.#sources = sources
  }

  /** `brokers`: of each source. */
  start(brokers: readonly (readonly string[])[]): void {
    if (this.#closed) return
    this.#sources.forEach((source, index) => this.#setBrokers(source, brokers[index] ?? []))
    this.#timer = this.#shared.clock.setTimeout(() => void this.#refresh(), this.#shared.limits.refreshMs)
    this.kick()
  }

  /** No further requests; what is under way still comes. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const loop of this.#loops) loop.close()
  }

  kick(): void {
    if (this.#target.isFetching) for (const loop of this.#loops) loop.kick()
  }

  grant(averageBytes: number, first: boolean): number {
    if (!this.#target.isFetching) return 0
    const { room, roomBytes } = this.#target
    if (room <= 0 || roomBytes <= 0) return 0
    const free = room - this.#asked
    const byBytes = Math.floor((roomBytes - this.#askedBytes) / averageBytes)
    // Each loop may have one message on its way whatever the others asked for: one that waits in vain must not keep them from fetching.
    const share = first ? Math.max(1, Math.min(byBytes, Math.ceil(free / this.#loops.length))) : Math.min(byBytes, free)
    const count = Math.min(this.#shared.limits.popMessages, share)
    if (count < 1) return 0
    this.#asked += count
    this.#askedBytes += count * averageBytes
    return count
  }

  returned(count: number, averageBytes: number): void {
    this.#asked -= count
    this.#askedBytes -= count * averageBytes
  }

  popped(loop: PopLoop, messages: readonly PoppedMessage[]): void {
    this.#target.popped(loop.source.topicIx, loop.brokerName, messages)
  }

  failed(error: unknown): void {
    if (!this.#closed) this.#target.failed(error)
  }

  /** The client is told when the first loop stops working and when the last one works again. */
  trouble(loop: PopLoop | undefined, why: string | undefined): void {
    const before = this.#troubles.size
    if (why === undefined) this.#troubles.delete(loop)
    else this.#troubles.add(loop)
    if (this.#closed) return
    if (before === 0 && why !== undefined) this.#target.state({ state: 'retrying', detail: why })
    else if (before > 0 && this.#troubles.size === 0) this.#target.state({ state: 'running' })
  }

  #setBrokers(source: PopSource, names: readonly string[]): void {
    const there = this.#loops.filter(loop => loop.source === source)
    for (const name of names) {
      if (!there.some(loop => loop.brokerName === name)) this.#loops.push(new PopLoop(this.#shared, this, source, name))
    }
    for (const loop of there) {
      if (names.includes(loop.brokerName)) continue
      loop.close()
      this.#loops.splice(this.#loops.indexOf(loop), 1)
      this.trouble(loop, undefined)
    }
  }

  async #refresh(): Promise<void> {
    let why: string | undefined
    for (const source of this.#target.isFetching ? this.#sources : []) {
      try {
        this.#setBrokers(source, await this.#shared.popper.brokersOf(source.topic))
      } catch (error) {
        if (isLasting(error)) return this.failed(error)
        // The loops that are there go on: a name server that is away is no reason to stop.
        why = textOf(error)
      }
    }
    if (this.#closed) return
    this.trouble(undefined, this.#loops.length === 0 ? why : undefined)
    this.kick()
    this.#timer = this.#shared.clock.setTimeout(() => void this.#refresh(), this.#shared.limits.refreshMs)
  }
}
