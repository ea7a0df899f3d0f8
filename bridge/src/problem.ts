import { codeOf, type ErrDetails, errorOf } from '@cometmq/protocol'
import { type Headers, type HttpResponse, type Refusal } from './engine/types.ts'

/** Sent with every answer. */
export const commonHeaders: Headers = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' }

export interface Problem {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** An error of the catalogue as an HTTP answer: 40391 → 403, with code, name, text, outcome and what else there is to say. */
export function problem(name: string, text: string, details: ErrDetails = {}, headers: Headers = {}): Problem {
  const code = codeOf(name)
  const info = errorOf(code)
  const { retryAfter } = details
  const body = { code, name, text, retryable: info?.retryable ?? false, outcome: info?.outcome ?? 'unknown', ...details }
  return {
    status: Math.floor(code / 100),
    headers: {
      ...commonHeaders,
      ...headers,
      'content-type': 'application/json; charset=utf-8',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfter / 1000)) }),
    },
    body: `${JSON.stringify(body)}\n`,
  }
}

export const sendProblem = (response: HttpResponse, { status, headers, body }: Problem): void =>
  response.respond(status, headers, body)

export const refusal = ({ status, headers, body }: Problem): Refusal => ({ status, headers, body })
