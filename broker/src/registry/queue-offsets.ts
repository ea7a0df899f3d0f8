/** group → topic → queue id → offset. No text is put together on the way of a commit. */
export class QueueOffsets {
  readonly #groups = new Map<string, Map<string, Map<number, number>>>()
  #count = 0

  /** Entries. */
  get count(): number {
    return this.#count
  }

  /** -1 when there is none. */
  get(group: string, topic: string, queueId: number): number {
    return this.#groups.get(group)?.get(topic)?.get(queueId) ?? -1
  }

  set(group: string, topic: string, queueId: number, offset: number): void {
    const queues = this.#groups.get(group)?.get(topic) ?? this.#add(group, topic)
    const before = queues.size
    queues.set(queueId, offset)
    this.#count += queues.size - before
  }

  /** The offset that was there, -1 when there was none. */
  take(group: string, topic: string, queueId: number): number {
    const queues = this.#groups.get(group)?.get(topic)
    const offset = queues?.get(queueId)
    if (queues === undefined || offset === undefined) return -1
    queues.delete(queueId)
    this.#count--
    if (queues.size === 0) this.#drop(group, topic)
    return offset
  }

  queues(group: string, topic: string): ReadonlyMap<number, number> | undefined {
    return this.#groups.get(group)?.get(topic)
  }

  topicsOf(group: string): string[] {
    return [...(this.#groups.get(group)?.keys() ?? [])]
  }

  groupsOf(topic: string): string[] {
    const groups: string[] = []
    for (const [group, topics] of this.#groups) if (topics.has(topic)) groups.push(group)
    return groups
  }

  /** Returns whether there was anything. */
  removeGroup(group: string): boolean {
    for (const topic of this.topicsOf(group)) this.#drop(group, topic)
    return this.#groups.delete(group)
  }

  removeTopic(topic: string): boolean {
    const groups = this.groupsOf(topic)
    for (const group of groups) this.#drop(group, topic)
    return groups.length > 0
  }

  *entries(): Iterable<{ group: string; topic: string; queues: ReadonlyMap<number, number> }> {
    for (const [group, topics] of this.#groups) {
      for (const [topic, queues] of topics) yield { group, topic, queues }
    }
  }

  #add(group: string, topic: string): Map<number, number> {
    let topics = this.#groups.get(group)
    if (topics === undefined) this.#groups.set(group, (topics = new Map<string, Map<number, number>>()))
    const queues = new Map<number, number>()
    topics.set(topic, queues)
    return queues
  }

  #drop(group: string, topic: string): void {
    const topics = this.#groups.get(group)
    this.#count -= topics?.get(topic)?.size ?? 0
    topics?.delete(topic)
    if (topics?.size === 0) this.#groups.delete(group)
  }
}
