import type { Value } from '@cometmq/protocol'
import type { Fault } from '@cometmq/session'
import { type Answer } from './door.ts'
import { problemBody, statusOf } from './reply.ts'

/** What became of one of several items. */
export interface Result {
  readonly value: Readonly<Record<string, Value>>
  readonly fault?: Fault
}

/**
 * The answer about several items: 200 when all were done, 207 when some were, else the status of the first error, which then also stands in
 * the answer itself.
 */
export function answerOf(name: string, results: readonly Result[]): Answer {
  const list = results.map(({ value, fault }) => (fault === undefined ? value : { ...value, error: problemBody(fault) }))
  const failed = results.filter(({ fault }) => fault !== undefined)
  if (failed.length === 0) return { value: { [name]: list } }
  if (failed.length < results.length) return { status: 207, value: { [name]: list } }
  const { fault } = failed[0]!
  return { status: statusOf(fault!.code), value: { ...problemBody(fault!), [name]: list } }
}
