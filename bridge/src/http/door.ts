import type { Clock } from '@cometmq/cluster'
import { codeOf, decode, type Value } from '@cometmq/protocol'
import { type Principal, RefusedError, verify } from '@cometmq/session'
import { type HttpRequest, type HttpResponse } from '../engine/types.ts'
import { type HttpParts } from '../options.ts'
import { type HttpHandler } from '../routes.ts'
import { badRequest } from './fields.ts'
import { type HttpLimits } from './limits.ts'
import { SubjectRates } from './rates.ts'
import { checkOrigin, isMessagePack, Reply, requestFault } from './reply.ts'

/** One request that was let in. */
export interface Call {
  readonly principal: Principal
  /** The token it came with, and where from. */
  readonly token: string | undefined
  readonly origin: string | undefined
  readonly body: unknown
  /** Byte strings are possible in the answer. */
  readonly binary: boolean
  /** Fires when the client is gone, or the bridge closes. */
  readonly signal: AbortSignal
  readonly isGone: () => boolean
}

export interface Answer {
  /** Default 200. */
  readonly status?: number
  readonly value: Value
}

/** Returns what the client gets; rejects with what it is told. */
export type Operation = (call: Call) => Promise<Answer>

/** The way of a request to its operation: origin, size, token, rate, form. */
export class Door {
  readonly #parts: HttpParts
  readonly #limits: HttpLimits
  readonly #rates: SubjectRates
  readonly #running = new Set<AbortController>()
  #inboundBytes = 0

  constructor(parts: HttpParts, limits: HttpLimits) {
    this.#parts = parts
    this.#limits = limits
    this.#rates = new SubjectRates(parts.sessionLimits, parts.clock, limits.maxSubjects)
  }

  /** Requests that wait are answered with what there is. */
  close(): void {
    for (const controller of this.#running) controller.abort()
  }

  post(maxBytes: number, operation: Operation): HttpHandler {
    return (request, response) => {
      const reply = new Reply(request, response)
      try {
        this.#admit(request)
        const size = this.#reserve(request, maxBytes)
        const controller = new AbortController()
        response.onAbort(() => controller.abort())
        // The body has to be asked for before this returns.
        const body = request.body(maxBytes)
        this.#running.add(controller)
        return this.#serve(request, response, { reply, controller, body: this.#inTime(body, reply), operation }).finally(() => {
          this.#running.delete(controller)
          // All of it was there, or its connection has been ended.
          this.#inboundBytes -= size
        })
      } catch (error) {
        this.#failed(reply, error)
      }
    }
  }

  /** Throws ORIGIN_DENIED or DRAINING. */
  #admit(request: HttpRequest): void {
    checkOrigin(this.#parts.admission, request)
    if (this.#parts.sessions.draining)
      throw new RefusedError(codeOf('DRAINING'), 'this node is leaving; try again', { retryAfter: 1_000 })
  }

  /** Bytes that the body may take. */
  #reserve({ headers }: HttpRequest, maxBytes: number): number {
    const told = headers['content-length']
    if (told !== undefined && Number(told) > maxBytes)
      throw new RefusedError(codeOf('BODY_TOO_LARGE'), `the request has ${told} bytes; the limit here is ${maxBytes}`)
    const size = told === undefined ? maxBytes : Number(told)
    if (this.#inboundBytes + size > this.#limits.maxInboundBytes)
      throw new RefusedError(codeOf('CONNECTION_RATE'), 'this node is busy with other requests', {
        outcome: 'not-executed',
        retryAfter: 1_000,
      })
    this.#inboundBytes += size
    return size
  }

  #inTime(body: Promise<Uint8Array>, reply: Reply): Promise<Uint8Array> {
    const { bodyMs } = this.#limits
    reply.endsConnection = true
    return new Promise((resolve, reject) => {
      const late = (): void =>
        reject(new RefusedError(codeOf('TIMEOUT'), `the body did not come within ${bodyMs} ms`, { outcome: 'not-executed' }))
      const timer = this.#parts.clock.setTimeout(late, bodyMs)
      body
        .finally(() => {
          timer.cancel()
          reply.endsConnection = false
        })
        .then(resolve, reject)
    })
  }

  async #serve(request: HttpRequest, response: HttpResponse, work: Work): Promise<void> {
    const { reply, controller, body, operation } = work
    try {
      const { origin } = request.headers
      // Where the token is refused, nobody asks what became of the body.
      body.catch(() => undefined)
      const token = bearerOf(request)
      const principal = await this.#verify(token, request).catch(async (error: unknown) => {
        // A client that is still sending would not see an answer.
        await within(this.#parts.clock, body, lingerMs)
        throw error
      })
      const bytes = await body
      this.#rates.take(principal, bytes.length)
      const { status = 200, value } = await operation({
        principal,
        token,
        origin,
        body: parsed(bytes, request),
        binary: reply.binary,
        signal: controller.signal,
        isGone: () => response.aborted,
      })
      reply.send(status, value)
    } catch (error) {
      this.#failed(reply, error)
    }
  }

  #verify(token: string | undefined, { remoteAddress, headers }: HttpRequest): Promise<Principal> {
    const { origin } = headers
    return verify(this.#parts, token, { address: remoteAddress, ...(origin === undefined ? {} : { origin }) })
  }

  #failed(reply: Reply, error: unknown): void {
    const fault = requestFault(error)
    if (fault === undefined) return
    if (fault.code === codeOf('INTERNAL')) this.#parts.logger.error('a request failed', { error: String(error) })
    reply.problem(fault)
  }
}

/** How long a request that is refused may still be coming in. */
const lingerMs = 1_000

/** Until it is there or has failed, `ms` at most. */
const within = (clock: Clock, work: Promise<unknown>, ms: number): Promise<void> =>
  new Promise(resolve => {
    const timer = clock.setTimeout(resolve, ms)
    const done = (): void => {
      timer.cancel()
      resolve()
    }
    work.then(done, done)
  })

interface Work {
  readonly reply: Reply
  readonly controller: AbortController
  readonly body: Promise<Uint8Array>
  readonly operation: Operation
}

/** The token of `Authorization: Bearer …`. Throws TOKEN_REFUSED for another scheme. */
export function bearerOf({ headers }: HttpRequest): string | undefined {
  const header = headers['authorization']
  if (header === undefined) return undefined
  const token = /^Bearer +([^\s,]+) *$/i.exec(header)?.[1]
  if (token === undefined) throw new RefusedError(codeOf('TOKEN_REFUSED'), 'the header must be `Authorization: Bearer <token>`')
  return token
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** An empty body is an object without fields. */
function parsed(bytes: Uint8Array, { headers }: HttpRequest): unknown {
  if (bytes.length === 0) return {}
  if (isMessagePack(headers['content-type'])) return decode(bytes)
  try {
    return JSON.parse(utf8.decode(bytes))
  } catch (error) {
    throw badRequest(`the body is not readable as JSON: ${(error as Error).message.slice(0, 200)}`)
  }
}
