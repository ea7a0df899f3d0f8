import type { Principal } from '../principal.ts'
import type { Connection } from './connection.ts'
import type { ResumeClaims } from './resume-token.ts'
import { Session, type SessionEvents } from './session.ts'
import type { Shared } from './shared.ts'

/** The sessions of this node: with a socket, or waiting for one. */
export class SessionRegistry implements SessionEvents {
  readonly #shared: Shared
  readonly #sessions = new Map<string, Session>()
  /** In the order in which they lost their sockets; the timers that end the wait. */
  readonly #detached = new Map<Session, { cancel(): void }>()
  /** Sockets at a time by subject. */
  readonly #sockets = new Map<string, number>()
  readonly #closing = new Set<Promise<void>>()
  #draining = false

  constructor(shared: Shared) {
    this.#shared = shared
  }

  connected(): Session[] {
    return [...this.#sessions.values()].filter(session => session.attached)
  }

  counts(): { connected: number; detached: number } {
    return { connected: this.#sessions.size - this.#detached.size, detached: this.#detached.size }
  }

  /** Sockets of the subject that stay when `resumed` (if any) takes over its own. */
  socketsOf(subject: string, resumed: Session | undefined): number {
    return (this.#sockets.get(subject) ?? 0) - (resumed?.attached ? 1 : 0)
  }

  /**
   * The state that the claims speak of, when it is here. State that is older than the claims (the client was at another node meanwhile) knows too
   * little: it is ended.
   */
  find(claims: ResumeClaims): Session | undefined {
    const session = this.#sessions.get(claims.session)
    if (!session || session.principal.subject !== claims.subject) return undefined
    if (claims.epoch <= session.epoch) return session
    session.leaving = true
    if (session.attached) session.disconnect(4408, '4408 this session went on at another node')
    else session.end()
    return undefined
  }

  create(id: string, epoch: number, principal: Principal): Session {
    const session = new Session({ shared: this.#shared, id, epoch, principal, events: this })
    this.#sessions.set(id, session)
    return session
  }

  /** A name that no session has. */
  newId(): string {
    return Buffer.from(this.#shared.randomBytes(10)).toString('hex').toUpperCase()
  }

  attach(session: Session, connection: Connection, principal: Principal): void {
    this.#detached.get(session)?.cancel()
    this.#detached.delete(session)
    session.attach(connection, principal)
    connection.session = session
    connection.subject = principal.subject
    this.#sockets.set(principal.subject, (this.#sockets.get(principal.subject) ?? 0) + 1)
  }

  /** A socket that had been attached is gone. */
  socketEnded(connection: Connection): void {
    const { subject } = connection
    if (subject === undefined) return
    const left = (this.#sockets.get(subject) ?? 1) - 1
    if (left > 0) this.#sockets.set(subject, left)
    else this.#sockets.delete(subject)
  }

  detached(session: Session): void {
    const { keepMs } = session
    if (this.#draining || keepMs <= 0) return session.end()
    this.#detached.set(
      session,
      this.#shared.clock.setTimeout(() => session.end(), keepMs),
    )
    if (this.#detached.size > this.#shared.limits.maxDetached) this.#detached.keys().next().value?.end()
  }

  ended(session: Session, closing: Promise<void>): void {
    this.#detached.get(session)?.cancel()
    this.#detached.delete(session)
    if (this.#sessions.get(session.id) === session) this.#sessions.delete(session.id)
    this.#closing.add(closing)
    void closing.finally(() => this.#closing.delete(closing))
  }

  /** From now on a session ends with its socket; those that wait for one end now. */
  drain(): void {
    this.#draining = true
    for (const session of [...this.#detached.keys()]) session.end()
    for (const session of this.#sessions.values()) session.leaving = true
  }

  /** The leases of everything that has ended are released. */
  async settled(): Promise<void> {
    await Promise.all(this.#closing)
  }
}
