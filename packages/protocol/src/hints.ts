/**
 * What to do about an error, in plain words, by its code. Apart from the index, so that only who shows hints carries them:
 * `import { hintOf } from '@cometmq/protocol/hints'`.
 */
export const hints: Readonly<Record<number, string>> = {
  40000: 'Read the text of the error: it names the argument that is refused. Sending the same again will fail again.',
  40002: 'Topic names have 1 to 127 letters, digits, and the signs % | - _. Names that RocketMQ keeps for itself are refused.',
  40003: 'A tag must not be empty or blank and must not contain `|`.',
  40004: 'Keys must not be empty and must not contain blanks: blanks separate the keys of a message.',
  40005: 'A message group must not be empty or blank. Leave it out for messages that need no order.',
  40006: 'Choose another property name: those of RocketMQ and those that start with `CMQ_` are reserved.',
  40007: 'Use the transaction id of the receipt of the half message, on the same connection or one resumed from it.',
  40009: 'Correct the filter: `*` for everything, or tags separated by `||`.',
  40010:
    'The delivery is unknown here: it was settled before, or came from an earlier session. It needs no acknowledgement any more.',
  40011: 'The topic carries another kind of message. Use a producer of that kind or another topic.',
  40012: 'Use one of the delays that the broker supports, and stay within what your token allows.',
  40015: 'Ask for a lease from 1 second to 12 hours.',
  40016: 'Seek to an offset from 0 up, or to a time.',
  40090:
    'The other side sent bytes that are not a frame of cometmq.v1. Update the older of client and bridge; behind a proxy, see that it passes binary messages unchanged.',
  40091: 'Open the producer or subscription first, and do not use its number after closing it.',
  40092: 'The content does not match the schema of the topic. Update the producer, or register the schema.',
  40190: 'Give the client a token: this bridge does not let anonymous clients in.',
  40191: 'Get a new token; the client connects again with it by itself when it has a token function.',
  40192: 'The token begins later than now. Check the clocks of the issuer and of the bridge.',
  40193: 'The token is not signed by a key the bridge trusts, or is not meant for it. Check key, issuer and audience.',
  40390: 'The token does not allow this. Ask its issuer for the scope that the text names.',
  40391: "Add the page's origin, with scheme and port, to the origins that the bridge allows.",
  40392: 'The token fixes this filter and a subscription cannot change it. Leave it out.',
  40400: 'Check the name: what you asked for does not exist.',
  40401: 'The message is not stored any more, or never was. Check id and topic, and how long the broker keeps messages.',
  40402: 'Check the name, or create the topic: `mqadmin updateTopic`.',
  40403: 'Check the name, or create the group: `mqadmin updateSubGroup`.',
  40490:
    'Somebody else may have the message by now. Make the work repeatable, finish it within the lease, or ask for a longer one.',
  40890: 'The first frame must be HELLO and come within 5 seconds of the connection.',
  40891: 'It may still have been done. Repeat it with the same request id, or look before you repeat it.',
  40990: 'Another socket has taken over this session. Do not give one resume token to two clients.',
  40991: 'Connect without the resume token: a new session begins. The text tells why the old one could not go on.',
  40992: 'Another consumer holds the queues of this ordered group. It goes on when that one leaves; retry later.',
  41301: 'Send a smaller body or compress it, or store it elsewhere and send a reference.',
  41302: 'Move data from the properties into the body.',
  41390: 'Keep frames below the limit told in WELCOME: larger ones are cut into FRAG frames.',
  42900: 'The broker is busy. Wait as long as `retryAfter` says, then retry; if it stays, add brokers or send less.',
  42990: 'Too many requests from this client. Wait as long as `retryAfter` says; send in batches.',
  42991: 'The client sent more than PLIMIT allowed: a fault of the client library. Update it.',
  42992: 'Close other connections of this user, or ask for a token that allows more.',
  42993: 'Close producers or subscriptions that are not needed, or share one of them.',
  49990: 'You cancelled it. It may have been done before the cancellation arrived.',
  50001:
    'A fault of the server; its log has more under the time of the error. It may have been done: repeat it with the same request id.',
  50101: 'This version cannot do that. The text names what is missing and what can be used instead.',
  50390: 'This node is leaving. Connect again: the client does so by itself, and another node answers.',
  50391:
    'The bridge cannot reach the broker that the text names. Check that it runs and that its announced address can be reached from the bridge.',
  50392:
    'The broker could not store the message, for example because its disk is full or it is not writable. Its log tells why; retry later.',
  50400: 'The broker did not answer in time. It may have been done: repeat it with the same request id.',
  50401: 'The message is in the memory of the broker, but was not on its disk in time. Treat it as perhaps stored.',
  50402: 'The broker has the message, but its replica did not confirm it in time. Treat it as perhaps stored.',
  60000: 'The client has been closed. Make a new one.',
  60001: 'There is no connection now. The client keeps trying; send again when it is back.',
  60002: 'More is waiting than the window allows. Await earlier sends, or use `writable()`.',
  60003:
    'The connection broke before the answer came. It may have been done: the client repeats it where it can be recognised as a repetition.',
  60004: 'Correct the argument that the text names. Nothing was sent.',
  60005: 'The runtime lacks what the text names. Use a newer one, or the package that is meant for it.',
  60006: 'Some items were done and some not: look at the result of each.',
}

/** Undefined for a code that is not in the catalogue. */
export const hintOf = (code: number): string | undefined => hints[code]
