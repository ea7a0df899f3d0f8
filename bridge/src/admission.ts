import type { Clock } from '@cometmq/cluster'
import { SUBPROTOCOL } from '@cometmq/protocol'
import type { ClientContext } from '@cometmq/session'
import { type HttpRequest } from './engine/types.ts'
import { type Problem, problem } from './problem.ts'

export interface AdmissionOptions {
  /** Origins of browsers, as browsers send them: `https://shop.example`, `http://localhost:5173`. `*`: any. */
  readonly origins: readonly string[]
  /** Whether a client without an Origin header may connect; its token decides then. */
  readonly missingOrigin: boolean
  readonly maxSockets: number
  readonly newSocketsPerSecond: number
  readonly newSocketBurst: number
  readonly clock: Clock
}

export type Admitted = { readonly context: ClientContext } | { readonly problem: Problem }

const TOKEN_ITEM = 'bearer.'

/** Decides which handshakes may become sockets (spec bridge, section 8). What a token allows is decided later. */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #origins: Set<string>
  #tokens: number
  #filledAt: number
  refused = 0

  constructor(options: AdmissionOptions) {
    this.#options = options
    this.#origins = new Set(options.origins.map(normalOrigin))
    this.#tokens = options.newSocketBurst
    this.#filledAt = options.clock.monotonic()
  }

  /** Allows a further origin. */
  allow(origin: string): void {
    this.#origins.add(normalOrigin(origin))
  }

  admit(request: HttpRequest, sockets: number, draining: boolean): Admitted {
    const refusal = this.#refusal(request, sockets, draining)
    if (refusal) {
      this.refused++
      return { problem: refusal }
    }
    const origin = request.headers['origin']
    const token = offered(request).find(item => item.startsWith(TOKEN_ITEM))
    return {
      context: {
        address: request.remoteAddress,
        ...(origin === undefined ? {} : { origin }),
        ...(token === undefined ? {} : { token: Buffer.from(token.slice(TOKEN_ITEM.length), 'base64url').toString() }),
      },
    }
  }

  /** Whether pages of this origin may use the bridge; undefined: no Origin header. */
  allowsOrigin(origin: string | undefined): boolean {
    if (origin === undefined) return this.#options.missingOrigin
    return this.#origins.has('*') || this.#origins.has(origin)
  }

  #refusal(request: HttpRequest, sockets: number, draining: boolean): Problem | undefined {
    if (draining) return problem('DRAINING', 'this node is leaving; connect again', { retryAfter: 1_000 })
    if (!this.#takeToken()) return problem('CONNECTION_RATE', 'too many new connections at this node', { retryAfter: 1_000 })
    if (!this.allowsOrigin(request.headers['origin'])) return originProblem(request.headers['origin'])
    if (!offered(request).includes(SUBPROTOCOL))
      return problem('BAD_REQUEST', `the client must offer the WebSocket subprotocol ${SUBPROTOCOL}`)
    if (sockets >= this.#options.maxSockets)
      return problem('TOO_MANY_CONNECTIONS', 'this node has as many connections as it may have', { retryAfter: 5_000 })
    return undefined
  }

  #takeToken(): boolean {
    const { clock, newSocketsPerSecond, newSocketBurst } = this.#options
    const now = clock.monotonic()
    this.#tokens = Math.min(newSocketBurst, this.#tokens + ((now - this.#filledAt) / 1_000) * newSocketsPerSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

const originProblem = (origin: string | undefined): Problem =>
  origin === undefined
    ? problem('ORIGIN_DENIED', 'clients without an Origin header are not accepted here')
    : problem('ORIGIN_DENIED', `pages of ${origin.slice(0, 200)} may not connect`, {
        hint: 'add the origin to the list of the bridge (--origin)',
      })

const offered = ({ headers }: HttpRequest): string[] =>
  (headers['sec-websocket-protocol'] ?? '').split(',').map(item => item.trim())

/** Scheme, host and port as a browser writes them. Throws TypeError for what is no origin. */
export function normalOrigin(text: string): string {
  if (text === '*') return text
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new TypeError(`${text} is no origin; write it like https://shop.example or http://localhost:5173`)
  }
  if (url.pathname.length > 1 || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new TypeError(`${text} is more than an origin; only scheme, host and port count`)
  // Schemes of applications (`app://x`) have the origin "null" in URL, but are sent as they are.
  return url.origin === 'null' ? text : url.origin
}
