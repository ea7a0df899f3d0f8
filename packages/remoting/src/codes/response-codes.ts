/**
 * What a caller should do after an answer with this code:
 * - `other-broker`: another broker may succeed (the Java producer's retry list);
 * - `refresh-route`: ask the name server again first, then another broker;
 * - `backoff`: the same call may succeed later;
 * - `no`: repeating the call gives the same answer.
 */
export type RetryAdvice = 'other-broker' | 'refresh-route' | 'backoff' | 'no'

/** Number and advice together (spec: remoting, section 2; Java: org.apache.rocketmq.remoting.protocol.ResponseCode). */
const table = {
  SUCCESS: [0, 'no'],
  SYSTEM_ERROR: [1, 'other-broker'],
  SYSTEM_BUSY: [2, 'other-broker'],
  REQUEST_CODE_NOT_SUPPORTED: [3, 'no'],
  TRANSACTION_FAILED: [4, 'no'],
  // 10 to 12: the message is stored. They are send statuses, sending again would duplicate it.
  FLUSH_DISK_TIMEOUT: [10, 'no'],
  SLAVE_NOT_AVAILABLE: [11, 'no'],
  FLUSH_SLAVE_TIMEOUT: [12, 'no'],
  MESSAGE_ILLEGAL: [13, 'no'],
  SERVICE_NOT_AVAILABLE: [14, 'other-broker'],
  VERSION_NOT_SUPPORTED: [15, 'no'],
  NO_PERMISSION: [16, 'other-broker'],
  TOPIC_NOT_EXIST: [17, 'refresh-route'],
  TOPIC_EXIST_ALREADY: [18, 'no'],
  PULL_NOT_FOUND: [19, 'backoff'],
  PULL_RETRY_IMMEDIATELY: [20, 'backoff'],
  PULL_OFFSET_MOVED: [21, 'no'],
  QUERY_NOT_FOUND: [22, 'no'],
  SUBSCRIPTION_PARSE_FAILED: [23, 'no'],
  SUBSCRIPTION_NOT_EXIST: [24, 'backoff'],
  SUBSCRIPTION_NOT_LATEST: [25, 'backoff'],
  SUBSCRIPTION_GROUP_NOT_EXIST: [26, 'no'],
  FILTER_DATA_NOT_EXIST: [27, 'backoff'],
  FILTER_DATA_NOT_LATEST: [28, 'backoff'],
  INVALID_PARAMETER: [29, 'no'],
  TRANSACTION_SHOULD_COMMIT: [200, 'no'],
  TRANSACTION_SHOULD_ROLLBACK: [201, 'no'],
  TRANSACTION_STATE_UNKNOW: [202, 'no'],
  TRANSACTION_STATE_GROUP_WRONG: [203, 'no'],
  NO_BUYER_ID: [204, 'other-broker'],
  NOT_IN_CURRENT_UNIT: [205, 'other-broker'],
  CONSUMER_NOT_ONLINE: [206, 'no'],
  CONSUME_MSG_TIMEOUT: [207, 'backoff'],
  NO_MESSAGE: [208, 'no'],
  POLLING_FULL: [209, 'backoff'],
  POLLING_TIMEOUT: [210, 'backoff'],
  BROKER_NOT_EXIST: [211, 'refresh-route'],
  BROKER_DISPATCH_NOT_COMPLETE: [212, 'backoff'],
  BROADCAST_CONSUMPTION: [213, 'no'],
  FLOW_CONTROL: [215, 'backoff'],
  NOT_LEADER_FOR_QUEUE: [501, 'refresh-route'],
  ILLEGAL_OPERATION: [604, 'no'],
  RPC_UNKNOWN: [-1000, 'no'],
  RPC_ADDR_IS_NULL: [-1002, 'refresh-route'],
  RPC_SEND_TO_CHANNEL_FAILED: [-1004, 'other-broker'],
  RPC_TIME_OUT: [-1006, 'other-broker'],
  GO_AWAY: [1500, 'other-broker'],
  LMQ_QUOTA_EXCEEDED: [2017, 'no'],
  LITE_SUBSCRIPTION_QUOTA_EXCEEDED: [2018, 'no'],
  USER_NOT_EXIST: [3001, 'no'],
  POLICY_NOT_EXIST: [3002, 'no'],
} as const satisfies Record<string, readonly [number, RetryAdvice]>

export type ResponseCodeName = keyof typeof table

export const ResponseCode = Object.fromEntries(Object.entries(table).map(([name, row]) => [name, row[0]])) as {
  readonly [Name in ResponseCodeName]: (typeof table)[Name][0]
}

const byCode = new Map<number, { name: string; advice: RetryAdvice }>(
  Object.entries(table).map(([name, [code, advice]]) => [code, { name, advice }]),
)

/** `TOPIC_NOT_EXIST` for 17; the number in words for an unknown code. */
export function responseCodeName(code: number): string {
  return byCode.get(code)?.name ?? `response code ${code}`
}

/** 'no' for unknown codes. */
export function retryAdvice(code: number): RetryAdvice {
  return byCode.get(code)?.advice ?? 'no'
}
