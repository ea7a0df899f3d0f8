import type { Clock, Cluster } from '@cometmq/cluster'
import { commonHeaders, problem, sendProblem } from './problem.ts'
import { type HttpHandler } from './routes.ts'

const CHECK_TIMEOUT_MS = 2_000
/** Answers are good for this long: a probe must not become load of the cluster. */
const CACHE_MS = 1_000

const text = { ...commonHeaders, 'content-type': 'text/plain; charset=utf-8' }

/** The process answers. */
export const healthz: HttpHandler = (_request, response) => response.respond(200, text, 'ok\n')

interface Answer {
  readonly cause: string | undefined
  readonly at: number
}

/** Whether clients should be sent here: the cluster can be reached, and the node is not leaving. */
export function readyz(parts: { cluster: Cluster; clock: Clock; draining: () => boolean }): HttpHandler {
  let last: Promise<Answer> | undefined
  let checkedAt = -Infinity
  const check = (): Promise<Answer> => {
    const now = parts.clock.monotonic()
    if (!last || now - checkedAt > CACHE_MS) {
      checkedAt = now
      last = parts.cluster.brokers.list({ timeoutMs: CHECK_TIMEOUT_MS }).then(
        brokers => ({ cause: brokers.length > 0 ? undefined : 'the name server lists no broker', at: now }),
        (error: unknown) => ({ cause: error instanceof Error ? error.message : String(error), at: now }),
      )
    }
    return last
  }
  return async (_request, response) => {
    if (parts.draining()) return sendProblem(response, problem('DRAINING', 'this node is leaving', { retryAfter: 1_000 }))
    const { cause } = await check()
    if (cause === undefined) response.respond(200, text, 'ready\n')
    else sendProblem(response, problem('BROKER_UNREACHABLE', `the cluster cannot be reached: ${cause}`, { retryAfter: 1_000 }))
  }
}
