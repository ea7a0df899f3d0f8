import { BridgeError } from '@cometmq/client'
import type { Fetch, FetchResponse, HttpClientOptions } from './types.ts'

interface Problem {
  readonly code?: number
  readonly text?: string
  readonly outcome?: 'not-executed' | 'unknown' | 'partial'
  readonly retryAfter?: number
  readonly hint?: string
}
/** Whatever an answer may have. */
export interface AnswerBody extends Problem {
  readonly receipts?: readonly Item[]
  readonly results?: readonly Item[]
  readonly messages?: readonly Delivery[]
}
export interface Item {
  readonly error?: Problem
  readonly id: string
  readonly queue: number
  readonly offset: number
  readonly handle: string
}
export interface Delivery {
  readonly handle: string
  readonly topic: string
  readonly id: string
  readonly body: string
  readonly encoding?: string
  readonly compression?: string
  readonly tag?: string
  readonly keys?: readonly string[]
  readonly props?: Readonly<Record<string, string>>
  readonly group?: string
  readonly attempt: number
  readonly redelivered?: boolean
  readonly queue: number
  readonly offset: number
  readonly bornAt: number
}

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined
  /** May be done again when it is not known whether it was done. */
  readonly repeatable?: boolean
}

export type Request = (path: string, body: object, options: RequestOptions) => Promise<AnswerBody>

export const errorOfProblem = ({ code = 50001, text = 'the bridge gave no reason', ...details }: Problem): BridgeError =>
  new BridgeError(code, text, details)

interface Timers {
  setTimeout(task: () => void, ms: number): unknown
  readonly fetch: Fetch
}

/** One way to the bridge for all requests of a client: token, repetitions, errors. */
export function createRequest({ url, auth, fetch, retries = 2 }: HttpClientOptions): Request {
  const scope = globalThis as unknown as Timers
  const base = url.replace(/\/+$/, '')
  let token: string | undefined

  const tokenFor = async (reason: 'connect' | 'rejected'): Promise<string | undefined> =>
    typeof auth === 'function' ? (token = await auth({ reason })) : auth

  async function attempt(path: string, body: object, signal: AbortSignal | undefined): Promise<AnswerBody> {
    const own = token ?? (await tokenFor('connect'))
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    if (own) headers['authorization'] = `Bearer ${own}`
    let response: FetchResponse
    let answer: AnswerBody
    try {
      const init = { method: 'POST', headers, body: JSON.stringify(body), ...(signal && { signal }) }
      // Not as a method: some runtimes do not take that.
      response = await (fetch ?? scope.fetch)(base + path, init)
      answer = (await response.json()) as AnswerBody
    } catch (cause) {
      if (signal?.aborted) throw new BridgeError(49990, 'cancelled', { cause })
      throw new BridgeError(60003, `no answer from ${base}`, { cause })
    }
    // What became of single items is told item by item.
    if (response.ok || answer.receipts || answer.results) return answer
    throw errorOfProblem(answer)
  }

  return async (path, body, { signal, repeatable }) => {
    let rejected = false
    for (let tries = 0; ; tries++) {
      try {
        return await attempt(path, body, signal)
      } catch (thrown) {
        const error = thrown as BridgeError
        const { status, outcome, retryable, retryAfter } = error
        // Refused: a new token, once.
        if (status >= 40190 && status < 40200 && typeof auth === 'function' && !rejected) {
          rejected = true
          await tokenFor('rejected')
          continue
        }
        if (tries >= retries || !retryable || !(outcome === 'not-executed' || repeatable) || signal?.aborted) throw error
        if (outcome !== 'not-executed' && 'requestId' in body) body = { ...body, resent: true }
        await new Promise<void>(resolve => scope.setTimeout(resolve, retryAfter ?? 200 * 2 ** tries))
      }
    }
  }
}
