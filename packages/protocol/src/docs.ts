/** Words for docs/protocol.md. Only the test that writes it imports this file: nothing of it is in a bundle. */

export interface FrameDoc {
  /** Names of the items behind the kind, in order. */
  readonly items: readonly string[]
  readonly purpose: string
}

/** By name of `Kind`. */
export const frameDocs: Readonly<Record<string, FrameDoc>> = {
  HELLO: {
    items: ['rid', 'options'],
    purpose: 'First frame, within 5 s. Opens producers and subscriptions in the same round trip.',
  },
  WELCOME: { items: ['rid', 'info'], purpose: 'Answer to HELLO: limits and clock are told, not guessed.' },
  AUTH: { items: ['rid', 'token'], purpose: 'A fresh token for the running session; OK or ERR follows.' },
  AUTHREQ: {
    items: ['reason', 'deadlineMs'],
    purpose: 'The bridge wants an AUTH within `deadlineMs`. `reason` is `expiring` or `revoked`.',
  },
  PING: { items: ['n', 'position'], purpose: 'Answer with PONG and the same `n`. `position`: see section 7.' },
  PONG: { items: ['n', 'position', 'resumeToken'], purpose: 'A bridge adds the newest resume token when it has changed.' },
  GOAWAY: {
    items: ['code', 'graceMs', 'url', 'spreadMs'],
    purpose:
      'The node leaves. Wait a random part of `spreadMs`, connect to `url` (nil: the same address), resume there, then close the old socket.',
  },
  BYE: {
    items: ['mode'],
    purpose: 'Clean leave: nothing is kept. 0: at once. 1: no more deliveries, the rest goes on until the socket ends.',
  },
  OK: { items: ['rid', 'result'], purpose: 'The request succeeded. `result` depends on the request.' },
  ERR: {
    items: ['rid', 'code', 'text', 'details'],
    purpose: 'The request failed. `rid` 0: about the producer or subscription in `details`, or about the connection.',
  },
  CANCEL: {
    items: ['rid'],
    purpose: 'The client has lost interest. The request is answered all the same, perhaps with success.',
  },
  FRAG: { items: ['fragId', 'index', 'last', 'bytes'], purpose: 'A piece of a frame that is larger than the other side takes.' },
  POPEN: {
    items: ['rid', 'pid', 'topic', 'spec'],
    purpose: 'Opens a producer: permission is checked once. OK has `{limit: [maxCount, maxBytes]}`, see section 5.',
  },
  SEND: {
    items: ['rid', 'pid', 'flags', 'meta', 'body'],
    purpose: 'One message. A receipt follows, unless the flag `oneway` is set.',
  },
  SENDB: {
    items: ['rid', 'pid', 'flags', 'entries'],
    purpose: 'Several messages: entry i has the request id `rid` + i and a receipt of its own.',
  },
  RECEIPT: { items: ['receipts'], purpose: 'What became of sends. Receipts of one turn come in one frame.' },
  PLIMIT: { items: ['pid', 'maxCount', 'maxBytes'], purpose: 'Cumulative publish allowance.' },
  TXEND: { items: ['rid', 'txId', 'decision'], purpose: 'Ends a transaction: 1 commit, 2 roll back.' },
  TXCHECK: {
    items: ['checkId', 'pid', 'txId', 'msgId', 'meta', 'attempt'],
    purpose: 'What has become of this transaction? Answer with TXSTATE.',
  },
  TXSTATE: { items: ['checkId', 'state'], purpose: '0 unknown, 1 commit, 2 roll back.' },
  RECALL: { items: ['rid', 'pid', 'handle'], purpose: 'Cancels a delayed message.' },
  SUB: {
    items: ['rid', 'sid', 'spec'],
    purpose:
      'Opens a subscription. OK has `{leaseMs?, redelivered?}`: the lease granted; after a hot resume, how many deliveries come again.',
  },
  DELIVER: {
    items: ['sid', 'firstSeq', 'entries', 'topicBase'],
    purpose: 'Messages: entry i has the seq `firstSeq` + i. `topicBase` (default 0) is added to each `topicIx`.',
  },
  ACK: {
    items: ['sid', 'ranges', 'confirm'],
    purpose: 'Group: done. Broadcast: taken by the application. May be repeated. With `confirm`, ACKED follows.',
  },
  NACK: {
    items: ['sid', 'ranges', 'afterMs', 'reason'],
    purpose: 'Deliver again after this long; nil: by the attempt (1, 5, 10, 30, 60 s … 30 min).',
  },
  EXTEND: { items: ['sid', 'ranges', 'ms'], purpose: 'The lease ends this long from now.' },
  DEAD: { items: ['sid', 'ranges', 'reason'], purpose: 'Straight to the dead letter topic of the group.' },
  ACKED: {
    items: ['sid', 'ranges', 'failed'],
    purpose: 'Answer to an ACK with `confirm`. `failed`: their lease was lost before.',
  },
  LIMIT: { items: ['sid', 'maxSeq', 'maxBytes'], purpose: 'Cumulative delivery allowance.' },
  UNSUB: {
    items: ['rid', 'sid', 'mode'],
    purpose: '0: ends at once, what is not acknowledged is released. 1: no more deliveries, acknowledgements go on until mode 0.',
  },
  SUBINFO: { items: ['sid', 'info'], purpose: 'State, queues and lag of a subscription.' },
  GAP: {
    items: ['sid', 'queue', 'from', 'to', 'cause'],
    purpose: 'Offsets `from` (inclusive) to `to` (exclusive) of a queue are not delivered: nothing is lost silently.',
  },
  SEEK: { items: ['rid', 'sid', 'target'], purpose: 'Moves where the subscription reads.' },
  LEASE: { items: ['sid', 'ranges'], purpose: 'These leases are lost: stop the work, others may have the messages.' },
  REQ: { items: ['rid', 'pid', 'timeoutMs', 'meta', 'body'], purpose: 'A request that wants replies.' },
  REP: { items: ['rid', 'more', 'meta', 'body'], purpose: 'A reply; `more`: others follow.' },
  RESP: { items: ['sid', 'seq', 'meta', 'body'], purpose: 'Answers a delivered request.' },
  QUERY: {
    items: ['rid', 'what', 'args'],
    purpose:
      '`lag` {sid}; and with the scope `inspect`: `message` {topic, id}, `key` {topic, key}, `dead` {group}. OK has the answer.',
  },
}

/** Maps within frames: the words of each member. The key is the path: frame, item, member. `[]` is an item of a list. */
export const memberDocs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'HELLO.options': {
    proto: '1',
    sdk: 'name and version of the client library, for example `web/0.1.0`',
    runtime: 'for example `chromium`, `workerd`, `node`',
    auth: 'the token; absent where the bridge lets anonymous clients in',
    resume: 'see section 6',
    hb: 'wanted interval of pings, ms',
    maxFrame: 'largest frame this client takes, bytes',
    producers: 'items of POPEN, for everything that is open in the client',
    subs: 'items of SUB, for everything that is open in the client',
  },
  'HELLO.options.resume': {
    token: 'from an earlier WELCOME or PONG',
    subs: '`[sid, lastSeq]` for each open subscription: the last seq received without a gap',
  },
  'POPEN.spec': {
    kind: 'what is sent with it',
    group: 'producer group, for transactions',
    schemaHash: 'of the schema that the bodies follow',
  },
  'SUB.spec': {
    mode: '`group`: each message to one member of the group; `broadcast`: to every subscriber',
    group: 'the consumer group; required in mode `group`',
    topics: '`[topic, filterType, expression]`; filterType 0 everything, 1 tags (`A || B`), 2 SQL92',
    ordered: 'messages of one message group in order',
    start: 'where reading begins when the group has no offset, and always in a broadcast',
    leaseMs: 'how long a delivered message is held for this client, ms; default 30,000',
    slow: 'what happens when the client is too slow; default `pause`, in a group always',
    limit: '`[maxSeq, maxBytes]`: the first LIMIT',
  },
  'SUB.spec.start': {
    at: 'epoch ms',
    cursor: '`[topic, broker, queueId, nextOffset]` for each queue of a broadcast',
  },
  'WELCOME.info': {
    session: '20 hex digits, upper case: first part of every message id of this session',
    epoch: 'counts the connections of the session',
    node: 'name of the node',
    resumeToken: 'for the next HELLO',
    resumed: '0 none, 1 cold, 2 hot',
    now: 'clock of the bridge, epoch ms',
    hb: 'interval of pings in outbound silence, ms',
    pong: 'how long any frame may take after a ping, ms',
    limits: 'what this bridge takes',
    tokenTtl: 'ms the token is good for; absent when it does not end',
    features: 'names of optional features',
    results: 'one OK or ERR frame for each of `producers`, then of `subs`, in the order of HELLO',
  },
  'WELCOME.info.limits': {
    maxFrame: 'bytes of a frame; larger ones are cut into FRAG',
    maxBody: 'bytes of a body',
    maxProperties: 'bytes of the properties of a message together',
    maxSubs: 'subscriptions of a session',
    maxProducers: 'producers of a session',
  },
  'ERR.details': {
    name: 'of the code',
    retryAfter: 'ms to wait before trying again',
    outcome: '`not-executed`, `unknown` or `partial`',
    hint: 'what to do',
    detail: 'more for experts',
    sid: 'with `rid` 0: the subscription',
    pid: 'with `rid` 0: the producer',
  },
  'SUBINFO.info': {
    state: '`running`, `paused`, `slow` or `retrying`',
    queues:
      '`[queue, topic, broker, queueId, nextOffset]`: what `queue` of an entry means and, in a broadcast, where reading begins',
    lag: 'messages not delivered yet',
    ageMs: 'age of the oldest of them, ms',
    detail: 'in words',
  },
  'SEEK.target': {
    at: 'epoch ms',
    queue: 'with `offset`: one queue only',
    offset: 'next offset to read',
  },
}

/** What is checked by a function, once a message. */
export const tupleDocs: Readonly<Record<string, readonly (readonly [name: string, type: string, meaning: string])[]>> = {
  'RECEIPT.receipts': [
    ['rid', 'uint', 'of the send'],
    ['code', 'uint', '0: stored; else a code of the error catalogue'],
    ['msgId', 'text or nil', 'nil: session and `rid`, see section 2'],
    ['queue', 'int', 'number of the broker × 65,536 + queue id; −1 when not stored'],
    ['offset', 'int', 'queue offset; −1 when not stored'],
    ['extra', 'map, optional', '`text`, `outcome`, `retryAfter`, `recall` (handle), `duplicate`, `txId`'],
  ],
  'DELIVER.entries': [
    ['topicIx', 'uint', 'with `topicBase`: index into `topics` of SUB'],
    ['queue', 'uint', 'number of the broker × 65,536 + queue id'],
    ['offset', 'uint', 'queue offset'],
    ['msgId', 'text', ''],
    ['bornMs', 'int', 'when it was sent, epoch ms'],
    ['attempt', 'uint', '1 is the first delivery'],
    ['flags', 'uint', 'see below'],
    ['meta', 'map', 'see below'],
    ['body', 'bytes', ''],
  ],
  'SENDB.entries': [
    ['meta', 'map', 'see below'],
    ['body', 'bytes', ''],
    ['flags', 'uint, optional', 'added to those of the frame'],
  ],
}

/** By name of `MetaKey`: type and meaning. */
export const metaDocs: Readonly<Record<string, readonly [type: string, meaning: string]>> = {
  tag: ['text', 'one tag, for filters'],
  keys: ['list of text', 'for looking messages up'],
  props: ['map of text', "the application's properties"],
  group: ['text', 'message group: messages of one group stay in order'],
  delayMs: ['uint', 'deliver this long from now, ms'],
  deliverAt: ['uint', 'deliver at, epoch ms'],
  priority: ['uint', '0 is a priority, not the lack of one'],
  clientId: ['text', "the application's id, for recognising repetitions"],
  traceparent: ['text', 'W3C trace context'],
  replyTo: ['text', 'where replies go'],
  correlation: ['text', 'ties a reply to its request'],
  expiresMs: ['uint', 'worthless after, epoch ms'],
  contentType: ['text', 'media type of the body, or hash of its schema'],
  recallHandle: ['text', 'for RECALL'],
}

/** By name of `Flag`. */
export const flagDocs: Readonly<Record<string, string>> = {
  oneway: 'no receipt is wanted (SEND, SENDB)',
  compressed: 'the body is zlib data (RFC 1950); it is stored and delivered as it is',
  half: 'half message of a transaction (SEND)',
  text: 'the body is UTF-8 text',
  resent: 'sent before with unknown outcome, see section 6; on an entry: this may be the second copy',
  atomic: 'SENDB: all entries or none',
}

/** By name of `CloseCode`. */
export const closeDocs: Readonly<Record<string, string>> = {
  NORMAL: 'done',
  GOING_AWAY: 'the node leaves',
  RESTART: 'the node restarts',
  TOKEN_EXPIRED: 'get a new token, then connect',
  STATE_LOST: 'connect without the resume token',
  NO_PONG: 'no frame came in time',
  OVERLOADED: 'wait as long as the reason says',
  SLOW: 'the client did not take its deliveries (policy `disconnect`)',
  REPLACED: 'another socket has taken over the session; this one must not come back with the same token',
  UNAUTHORISED: 'the token is missing or refused',
  ORIGIN: 'the origin of the page is not allowed',
  PROTOCOL: 'text message, malformed frame or unknown kind',
  VERSION: '`proto` is not supported',
  FORBIDDEN: 'the token does not allow this',
  TOO_LARGE: 'a message is larger than allowed',
  LIMIT_OVERRUN: 'more was sent than PLIMIT allowed',
  BANNED_RATE: 'too many frames for too long',
  CONNECTION_QUOTA: 'too many connections of this user',
}
