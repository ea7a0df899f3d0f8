/** Stable codes of everything that can go wrong between a client and a cluster, with advice per code. */
export type ClusterErrorCode =
  | 'E_NO_NAME_SERVER'
  | 'E_NO_ROUTE'
  | 'E_NO_QUEUE'
  | 'E_NO_BROKER'
  | 'E_CONNECT'
  | 'E_CLOSED'
  | 'E_TIMEOUT'
  | 'E_OVERLOADED'
  | 'E_ABORTED'
  | 'E_BUSY'
  | 'E_STORE'
  | 'E_PERMISSION'
  | 'E_TOPIC_NOT_FOUND'
  | 'E_GROUP_NOT_FOUND'
  | 'E_NOT_FOUND'
  | 'E_OFFLINE'
  | 'E_MESSAGE'
  | 'E_ARGUMENT'
  | 'E_UNSUPPORTED'
  | 'E_PROTOCOL'
  | 'E_BROKER'

/** What became of the request: 'not-executed' is certain, 'unknown' means it may have taken effect. */
export type Outcome = 'not-executed' | 'unknown'

export interface ClusterErrorDetails {
  /** One line: why it failed, in the words of whoever refused when there are any. */
  why: string
  /** One line: what to try. Default: the advice for the code. */
  whatToDo?: string
  outcome: Outcome
  /** Response code of the broker or name server, when there was an answer. */
  brokerCode?: number
  /** `ip:port` that answered or failed to. */
  address?: string
  cause?: unknown
}

/** The one error this package throws. `message` is the one-line "what"; `why` and `whatToDo` are one line each. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError'
  readonly code: ClusterErrorCode
  readonly why: string
  readonly whatToDo: string
  readonly outcome: Outcome
  readonly brokerCode: number | undefined
  readonly address: string | undefined

  constructor(code: ClusterErrorCode, what: string, details: ClusterErrorDetails) {
    super(what, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.why = details.why
    this.whatToDo = details.whatToDo ?? adviceFor[code]
    this.outcome = details.outcome
    this.brokerCode = details.brokerCode
    this.address = details.address
  }
}

/** Advice per code, one line each; `comet explain` prints them too. */
export const adviceFor: Readonly<Record<ClusterErrorCode, string>> = {
  E_NO_NAME_SERVER: 'check the name server address (-n, NAMESRV_ADDR) and that one is running there',
  E_NO_ROUTE: 'create the topic, or check that a broker is registered at this name server',
  E_NO_QUEUE: 'give the topic queues with the needed permission',
  E_NO_BROKER: 'check the broker name, and that its master is registered at the name server',
  E_CONNECT: 'check that the broker runs and that the address it registered is reachable from here (brokerIP1)',
  E_CLOSED: 'try again; if it repeats, look into the log of the other end',
  E_TIMEOUT: 'try again, or allow more time; look at the load of the broker',
  E_OVERLOADED: 'send less at once, or wait for earlier requests to finish',
  E_ABORTED: 'nothing: the caller cancelled the request',
  E_BUSY: 'wait and try again; the broker takes less than it is given',
  E_STORE: 'look at the disk of the broker: it may be full, read-only, or the broker may be a slave or shutting down',
  E_PERMISSION: 'check the permission of topic, group and broker, and the credentials',
  E_TOPIC_NOT_FOUND: 'create the topic, or allow autoCreateTopicEnable on the broker',
  E_GROUP_NOT_FOUND: 'create the group, or allow autoCreateSubscriptionGroup on the broker',
  E_NOT_FOUND: 'check the id, the key, and that the message is not older than the retention time',
  E_OFFLINE: 'start a client of this group',
  E_MESSAGE: 'correct the message: the reason names what is wrong',
  E_ARGUMENT: 'correct the argument: the reason names it',
  E_UNSUPPORTED: 'the other end does not know this request: use a newer broker, or do without',
  E_PROTOCOL: 'check that the address is that of a RocketMQ-compatible server, and not of a proxy or a web server',
  E_BROKER: 'look into the log of the broker',
}

/** A refusal that happened on this side: nothing was sent. */
export const refused = (code: ClusterErrorCode, what: string, why: string): ClusterError =>
  new ClusterError(code, what, { why, outcome: 'not-executed' })
