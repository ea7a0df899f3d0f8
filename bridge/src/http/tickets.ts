import type { Clock } from '@cometmq/cluster'
import { codeOf } from '@cometmq/protocol'
import { RefusedError } from '@cometmq/session'
import { randomBytes } from 'node:crypto'
import { type HttpLimits } from './limits.ts'
import { Sealer } from './sealer.ts'

/** What a ticket stands for. */
export interface Ticket {
  /** Names the stream that it opened. */
  readonly id: string
  /** The client's token; undefined where none is needed. */
  readonly token: string | undefined
  /** Of the page that asked for it. */
  readonly origin: string | undefined
}

type Sealed = readonly [id: string, usableUntil: number, token: string | null, origin: string | null]

/**
 * Lets a browser open a stream without a token in its address. A ticket opens one stream, soon; after that it is good only together with an
 * event id of that very stream, which never is part of an address: so a browser that reconnects by itself comes back, and whoever finds the
 * address in a log does not get in. Tickets are sealed: any node takes them. That it was used is known to the process that took it.
 */
export class Tickets {
  readonly #sealer: Sealer
  readonly #clock: Clock
  readonly #limits: HttpLimits
  /** Until when each could be used, epoch ms; in about that order. */
  readonly #used = new Map<string, number>()

  constructor(key: Uint8Array, clock: Clock, limits: HttpLimits) {
    this.#sealer = new Sealer(key, 'ticket')
    this.#clock = clock
    this.#limits = limits
  }

  issue(token: string | undefined, origin: string | undefined): string {
    const id = randomBytes(9).toString('base64url')
    const sealed: Sealed = [id, this.#clock.now() + this.#limits.ticketMs, token ?? null, origin ?? null]
    return this.#sealer.seal(sealed)
  }

  /** `resumed`: the stream whose event id came with it. Throws TOKEN_REFUSED. */
  take(text: string, origin: string | undefined, resumed: string | undefined): Ticket {
    const sealed = this.#sealer.open(text) as Sealed | undefined
    if (sealed === undefined) throw refused('this is no ticket of this bridge')
    const [id, usableUntil, token, asked] = sealed
    // A page of the same origin as the bridge sends none with a GET.
    if (origin !== undefined && origin !== asked) throw refused('the ticket was given to another page')
    if (resumed !== id) this.#use(id, usableUntil)
    return { id, token: token ?? undefined, origin: asked ?? undefined }
  }

  #use(id: string, usableUntil: number): void {
    const now = this.#clock.now()
    for (const [old, until] of this.#used) {
      if (until > now) break
      this.#used.delete(old)
    }
    if (usableUntil <= now) throw refused('the ticket is too old; get a new one and use it at once')
    if (this.#used.has(id)) throw refused('the ticket was used before; get a new one')
    if (this.#used.size >= this.#limits.maxUsedTickets)
      throw new RefusedError(codeOf('CONNECTION_RATE'), 'too many streams are being opened here', {
        outcome: 'not-executed',
        retryAfter: 1_000,
      })
    this.#used.set(id, usableUntil)
  }
}

const refused = (text: string): RefusedError => new RefusedError(codeOf('TOKEN_REFUSED'), text)
