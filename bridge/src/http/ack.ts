import type { ClusterError, PopReceipt } from '@cometmq/cluster'
import { codeOf } from '@cometmq/protocol'
import { allows, type Fault, faultOf, leaseTimes, nackDelayMs, type Principal } from '@cometmq/session'
import { type HttpParts } from '../options.ts'
import { type Operation } from './door.ts'
import { badRequest, Fields } from './fields.ts'
import { deadMessage, type Handle, type Handles } from './handles.ts'
import { type HttpLimits } from './limits.ts'
import { answerOf, type Result } from './results.ts'

export interface AckParts extends HttpParts {
  readonly handles: Handles
  readonly http: HttpLimits
}

const maxLeaseMs = 12 * 3_600_000
const minLeaseMs = 1_000
/** Requests to brokers about single messages, of one request, under way at a time. */
const maxAtOnce = 32

/** `POST /v1/ack`: settles deliveries, or makes their leases longer. One result for each handle, in order. */
export function ackOperation(parts: AckParts): Operation {
  const { handles, http, clock } = parts
  return async ({ body, principal }) => {
    const fields = new Fields(body, 'the request', ['handles', 'action', 'afterMs', 'leaseMs', 'reason'])
    const action = fields.choice('action', ['ack', 'nack', 'extend', 'dead']) ?? 'ack'
    const list = fields.list('handles', http.maxHandles)
    if (list === undefined) throw badRequest('`handles` is missing: a list of handles from `receive`')
    const work = workOf(parts, action, fields)
    const now = clock.now()
    const opened = list.map(text => open(handles, text, principal, now))
    const good = opened.filter((item): item is Handle => 'receipt' in item)
    const results = await work(good)
    let next = 0
    return answerOf(
      'results',
      opened.map(item => ('receipt' in item ? results[next++]! : { value: {}, fault: item })),
    )
  }
}

function open(handles: Handles, text: unknown, { subject, scopes }: Principal, now: number): Handle | Fault {
  const handle = typeof text === 'string' ? handles.open(text) : undefined
  if (handle === undefined) return fault('INVALID_RECEIPT', 'this is no handle of a delivery of this bridge')
  const { receipt, deadline } = handle
  const { topic, group } = receipt
  if (handle.subject !== subject) return fault('SCOPE_DENIED', 'the message was delivered to another user')
  if (!allows(scopes, { type: 'group', topic, group }))
    return fault('SCOPE_DENIED', `the token does not allow group ${group} to read topic ${topic}`)
  if (now >= deadline) return fault('LEASE_LOST', 'the lease of this message has ended; it comes again')
  return handle
}

const fault = (name: string, text: string): Fault => ({ code: codeOf(name), text, outcome: 'not-executed' })

/** Checks what the action needs; returns what does it. */
function workOf(parts: AckParts, action: string, fields: Fields): (handles: readonly Handle[]) => Promise<readonly Result[]> {
  const popper = parts.cluster.popper()
  const afterMs = fields.count('afterMs', 0, maxLeaseMs)
  const leaseMs = fields.count('leaseMs', minLeaseMs, maxLeaseMs)
  if (afterMs !== undefined && action !== 'nack') throw badRequest('`afterMs` goes with the action "nack" only')
  if (leaseMs !== undefined && action !== 'extend') throw badRequest('`leaseMs` goes with the action "extend" only')
  fields.text('reason')
  switch (action) {
    case 'nack':
      return each(async ({ receipt, attempt }) => {
        await popper.changeInvisible(receipt, afterMs ?? nackDelayMs(attempt))
        return {}
      })
    case 'dead':
      return each(async handle => {
        await popper.deadLetter(deadMessage(handle))
        return {}
      })
    case 'extend': {
      const wanted = leaseMs ?? parts.sessionLimits.leaseMs
      const { invisibleMs, holdMs } = leaseTimes(wanted)
      return each(async handle => {
        const deadline = parts.clock.now() + holdMs
        const receipt = await popper.changeInvisible(handle.receipt, invisibleMs)
        return { handle: parts.handles.seal({ ...handle, receipt, deadline }), leaseMs: wanted }
      })
    }
    default:
      return async handles => {
        const failed = await popper.ack(handles.map(({ receipt }) => receipt))
        const errors = new Map<PopReceipt, ClusterError>(failed.map(({ receipt, error }) => [receipt, error]))
        return handles.map(({ receipt }) => resultOf({}, errors.get(receipt)))
      }
  }
}

function each(one: (handle: Handle) => Promise<Result['value']>) {
  return async (handles: readonly Handle[]): Promise<readonly Result[]> => {
    const results: Result[] = []
    for (let at = 0; at < handles.length; at += maxAtOnce) {
      const some = handles.slice(at, at + maxAtOnce)
      results.push(
        ...(await Promise.all(
          some.map(handle =>
            one(handle).then(
              value => resultOf(value, undefined),
              (error: unknown) => resultOf({}, error),
            ),
          ),
        )),
      )
    }
    return results
  }
}

/** A broker that does not know the delivery has given the message to somebody else. */
function resultOf(value: Result['value'], error: unknown): Result {
  if (error === undefined) return { value }
  const found = faultOf(error)
  return { value, fault: found.code === codeOf('MESSAGE_NOT_FOUND') ? { ...found, code: codeOf('LEASE_LOST') } : found }
}
