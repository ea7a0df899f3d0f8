import type { Peer } from '@cometmq/remoting'
import type { ClientChannel } from './types.ts'

/** One client of one group; `seenAt` is Clock.monotonic of its last heartbeat (`lastUpdate` is for people: the wall clock may jump). */
export interface Member extends ClientChannel {
  seenAt: number
}

/** Members of one group, by connection. Two connections with one client id are two members, as in RocketMQ. */
export class Membership {
  readonly #byPeer = new Map<number, Member>()
  /** Made when asked for after a change. */
  #list: readonly Member[] | null = null

  get channels(): readonly Member[] {
    return (this.#list ??= [...this.#byPeer.values()])
  }

  get size(): number {
    return this.#byPeer.size
  }

  get(peer: Peer): Member | undefined {
    return this.#byPeer.get(peer.id)
  }

  /** Adds or renews; returns whether the membership has changed. */
  renew(member: Member): boolean {
    const old = this.#byPeer.get(member.peer.id)
    if (old !== undefined && old.clientId === member.clientId) {
      old.lastUpdate = member.lastUpdate
      old.seenAt = member.seenAt
      old.version = member.version
      old.language = member.language
      return false
    }
    this.#byPeer.set(member.peer.id, member)
    this.#list = null
    return true
  }

  remove(peer: Peer): Member | undefined {
    const member = this.#byPeer.get(peer.id)
    if (member === undefined) return undefined
    this.#byPeer.delete(peer.id)
    this.#list = null
    return member
  }

  /** The newest connection of a client id. */
  find(clientId: string): Member | undefined {
    return this.channels.findLast(member => member.clientId === clientId)
  }
}
