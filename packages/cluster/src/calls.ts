import { type Caller, type Clock, type Command, RemotingError, type Request, ResponseCode, type Timer } from '@cometmq/remoting'
import { ClusterError, type ClusterErrorCode, type Outcome, refused } from './errors.ts'

export interface CallOptions {
  /** Deadline of the whole operation in milliseconds; each operation names its default. */
  timeoutMs?: number
  /** Ends the wait. The request may still take effect when it was sent already. */
  signal?: AbortSignal
}

/** An answer of one of these codes proves that nothing was changed. 1 (SYSTEM_ERROR) proves nothing. */
const codeOf = new Map<number, ClusterErrorCode>([
  [ResponseCode.SYSTEM_BUSY, 'E_BUSY'],
  [ResponseCode.REQUEST_CODE_NOT_SUPPORTED, 'E_UNSUPPORTED'],
  [ResponseCode.MESSAGE_ILLEGAL, 'E_MESSAGE'],
  [ResponseCode.SERVICE_NOT_AVAILABLE, 'E_STORE'],
  [ResponseCode.NO_PERMISSION, 'E_PERMISSION'],
  [ResponseCode.TOPIC_NOT_EXIST, 'E_TOPIC_NOT_FOUND'],
  [ResponseCode.QUERY_NOT_FOUND, 'E_NOT_FOUND'],
  [ResponseCode.SUBSCRIPTION_PARSE_FAILED, 'E_ARGUMENT'],
  [ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, 'E_GROUP_NOT_FOUND'],
  [ResponseCode.INVALID_PARAMETER, 'E_ARGUMENT'],
  [ResponseCode.CONSUMER_NOT_ONLINE, 'E_OFFLINE'],
  [ResponseCode.CONSUME_MSG_TIMEOUT, 'E_TIMEOUT'],
  [ResponseCode.FLOW_CONTROL, 'E_BUSY'],
  [ResponseCode.GO_AWAY, 'E_CLOSED'],
])

/** The error for an answer whose code says no. */
export function errorOfAnswer(what: string, address: string, answer: Command): ClusterError {
  const known = codeOf.get(answer.code)
  const outcome: Outcome = known === undefined || answer.code === ResponseCode.CONSUME_MSG_TIMEOUT ? 'unknown' : 'not-executed'
  const remark = firstLine(answer.remark)
  return new ClusterError(known ?? 'E_BROKER', what, {
    why: `${address} answered with code ${answer.code}${remark ? `: ${remark}` : ''}`,
    outcome,
    brokerCode: answer.code,
    address,
  })
}

/** Java servers put stack traces into remarks. */
function firstLine(remark: string | null): string {
  const line = remark?.split('\n', 1)[0]?.trim() ?? ''
  return line.length > 300 ? line.slice(0, 300) + '…' : line
}

const codeOfKind = {
  connect: 'E_CONNECT',
  closed: 'E_CLOSED',
  timeout: 'E_TIMEOUT',
  overloaded: 'E_OVERLOADED',
  protocol: 'E_PROTOCOL',
} as const

/** The error for a call that got no answer. */
export function errorOfCall(what: string, address: string, cause: unknown): ClusterError {
  if (cause instanceof ClusterError) return cause
  if (cause instanceof RemotingError) {
    const outcome = cause.sent ? 'unknown' : 'not-executed'
    return new ClusterError(codeOfKind[cause.kind], what, { why: cause.message, outcome, address, cause })
  }
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ClusterError('E_BROKER', what, { why, outcome: 'unknown', address, cause })
}

const aborted = (what: string, outcome: Outcome): ClusterError =>
  new ClusterError('E_ABORTED', what, { why: 'the caller cancelled it', outcome })

/** Settles with `promise`, or rejects with E_ABORTED as soon as `signal` fires. */
export async function abortable<T>(promise: Promise<T>, what: string, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  if (signal.aborted) {
    promise.catch(() => {})
    throw aborted(what, 'unknown')
  }
  let stop: () => void = () => {}
  const cancelled = new Promise<never>((_resolve, reject) => {
    stop = () => reject(aborted(what, 'unknown'))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, cancelled])
  } finally {
    signal.removeEventListener('abort', stop)
    promise.catch(() => {}) // its late failure is nobody's any more
  }
}

/** Settles with `promise` unless the time or the signal of `options` ends the wait: for work that is shared and goes on. */
export async function within<T>(promise: Promise<T>, what: string, options: CallOptions, clock: Clock): Promise<T> {
  const { signal, timeoutMs } = options
  if (timeoutMs === undefined) return abortable(promise, what, signal)
  let timer: Timer | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = clock.setTimeout(() => reject(refused('E_TIMEOUT', what, `no answer within ${Math.ceil(timeoutMs)} ms`)), timeoutMs)
  })
  try {
    return await abortable(Promise.race([promise, late]), what, signal)
  } finally {
    timer?.cancel()
  }
}

/** One request to one address, with errors in this package's terms. */
export class Calls {
  readonly #caller: Caller

  constructor(caller: Caller) {
    this.#caller = caller
  }

  /** The answer, whatever its code. */
  async ask(what: string, address: string, request: Request, timeoutMs: number, signal?: AbortSignal): Promise<Command> {
    if (signal?.aborted) throw aborted(what, 'not-executed')
    if (timeoutMs <= 0) throw refused('E_TIMEOUT', what, 'the time allowed was over before the request could be sent')
    try {
      return await abortable(this.#caller.call(address, request, Math.ceil(timeoutMs)), what, signal)
    } catch (cause) {
      throw errorOfCall(what, address, cause)
    }
  }

  /** The answer when its code is 0, else a ClusterError. */
  async demand(what: string, address: string, request: Request, timeoutMs: number, signal?: AbortSignal): Promise<Command> {
    const answer = await this.ask(what, address, request, timeoutMs, signal)
    if (answer.code !== ResponseCode.SUCCESS) throw errorOfAnswer(what, address, answer)
    return answer
  }

  async oneway(what: string, address: string, request: Request): Promise<void> {
    try {
      await this.#caller.oneway(address, request)
    } catch (cause) {
      throw errorOfCall(what, address, cause)
    }
  }
}
