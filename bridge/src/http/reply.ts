import { encode, type Value } from '@cometmq/protocol'
import { hintOf } from '@cometmq/protocol/hints'
import { type Fault, faultOf, RefusedError } from '@cometmq/session'
import { codeOf, errorOf, ProtocolError } from '@cometmq/protocol'
import { BodyError, type Headers, type HttpRequest, type HttpResponse } from '../engine/types.ts'
import { commonHeaders } from '../problem.ts'
import { type Admission } from '../admission.ts'

/** An error as clients get it: the same catalogue as on sockets. */
export interface ProblemBody {
  readonly [key: string]: Value
  readonly code: number
  readonly name: string
  readonly text: string
  readonly retryable: boolean
  readonly outcome: string
}

export function problemBody(fault: Fault): ProblemBody {
  const { code, text, outcome, retryAfter } = fault
  const info = errorOf(code)
  const hint = fault.hint ?? hintOf(code)
  return {
    code,
    name: info?.name ?? 'INTERNAL',
    text,
    retryable: info?.retryable ?? false,
    outcome,
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  }
}

/** 40391 → 403. */
export const statusOf = (code: number): number => Math.floor(code / 100)

/** What a client is told about `error`; undefined: it is gone. */
export function requestFault(error: unknown): Fault | undefined {
  if (error instanceof BodyError) {
    if (error.reason === 'too-large') return { code: codeOf('BODY_TOO_LARGE'), text: error.message, outcome: 'not-executed' }
    return error.reason === 'aborted' ? undefined : faultOf(error)
  }
  if (error instanceof ProtocolError)
    return { code: codeOf('BAD_REQUEST'), text: `the body is not readable: ${error.message}`, outcome: 'not-executed' }
  return faultOf(error)
}

export const isMessagePack = (type: string | undefined): boolean => /^application\/(?:x-|vnd\.)?msgpack\b/i.test(type ?? '')

/** Answers one request in the form the client asked for, with what its browser needs to see of it. */
export class Reply {
  /** The answer is MessagePack: bodies are byte strings. */
  readonly binary: boolean
  readonly headers: Headers
  /** The request is not all there: what still comes of it is of no use. */
  endsConnection = false
  readonly #response: HttpResponse

  constructor({ headers }: HttpRequest, response: HttpResponse) {
    const accept = headers['accept'] ?? ''
    const isOpen = accept === '' || accept === '*/*'
    this.binary = isMessagePack(accept) || (isOpen && isMessagePack(headers['content-type']))
    this.headers = { ...commonHeaders, ...corsHeaders(headers['origin']) }
    this.#response = response
  }

  send(status: number, value: Value, more: Headers = {}): void {
    const type = this.binary ? 'application/msgpack' : 'application/json; charset=utf-8'
    const body = this.binary ? encode(value) : `${JSON.stringify(value)}\n`
    const close = this.endsConnection ? { connection: 'close' } : {}
    this.#response.respond(status, { ...this.headers, ...more, ...close, 'content-type': type }, body)
  }

  problem(fault: Fault, more: Readonly<Record<string, Value>> = {}): void {
    const { retryAfter } = fault
    const status = statusOf(fault.code)
    this.send(
      status,
      { ...problemBody(fault), ...more },
      {
        ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter / 1000)) }),
        ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      },
    )
  }
}

/** Only read by browsers, and only for origins that were let in: what a request of another one says is refused. */
const corsHeaders = (origin: string | undefined): Headers =>
  origin === undefined
    ? { vary: 'origin' }
    : { vary: 'origin', 'access-control-allow-origin': origin, 'access-control-expose-headers': 'retry-after' }

/** Throws ORIGIN_DENIED. */
export function checkOrigin(admission: Admission, { headers }: HttpRequest): void {
  const origin = headers['origin']
  if (admission.allowsOrigin(origin)) return
  throw origin === undefined
    ? new RefusedError(codeOf('ORIGIN_DENIED'), 'clients without an Origin header are not accepted here')
    : new RefusedError(codeOf('ORIGIN_DENIED'), `pages of ${origin.slice(0, 200)} may not use this bridge`)
}

/** Answers a browser that asks whether it may. */
export function preflight(admission: Admission, methods: string) {
  return (request: HttpRequest, response: HttpResponse): void => {
    const { origin } = request.headers
    const allowed = origin !== undefined && admission.allowsOrigin(origin)
    response.respond(
      allowed ? 204 : 403,
      {
        ...commonHeaders,
        vary: 'origin',
        ...(allowed
          ? {
              'access-control-allow-origin': origin,
              'access-control-allow-methods': methods,
              'access-control-allow-headers': 'authorization, content-type, last-event-id',
              'access-control-max-age': '600',
            }
          : {}),
      },
      '',
    )
  }
}
