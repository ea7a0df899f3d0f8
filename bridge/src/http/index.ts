import { createQueueNumbers } from '@cometmq/session'
import { type HttpParts } from '../options.ts'
import { type Route, type Routes } from '../routes.ts'
import { ackOperation } from './ack.ts'
import { Door, type Operation } from './door.ts'
import { Handles } from './handles.ts'
import { defaultHttpLimits, type HttpLimits } from './limits.ts'
import { Places } from './rates.ts'
import { receiveOperation } from './receive.ts'
import { preflight } from './reply.ts'
import { sendOperation } from './send.ts'
import { streamHandler, ticketOperation } from './stream.ts'
import { Tickets } from './tickets.ts'

export { defaultHttpLimits, type HttpLimits } from './limits.ts'

/** Name in which messages are sent: it only shows in a broker's list of producers. */
const senderGroup = 'COMETMQ_BRIDGE'
/** Base64 makes four characters of three bytes; names and properties come besides. */
const aroundBodyBytes = 256 * 1024
const handleChars = 1_024
const smallBytes = 64 * 1024

/** The mode without sockets (docs/http.md), for `BridgeOptions.http`. */
export function httpMode(limits: Partial<HttpLimits> = {}): (parts: HttpParts) => Routes {
  return given => {
    const http = { ...defaultHttpLimits, ...limits }
    const { cluster, clock, resumeKey, admission, sessionLimits } = given
    const door = new Door(given, http)
    const sender = cluster.sender({ group: senderGroup })
    given.onClose(async () => {
      door.close()
      // Answers that are there go out before the connections are cut.
      await new Promise(resolve => setImmediate(resolve))
      sender.close()
    })
    const parts = {
      ...given,
      http,
      sender,
      numbers: createQueueNumbers(),
      handles: new Handles(resumeKey),
      waiting: new Places(http.maxWaiting),
      tickets: new Tickets(resumeKey, clock, http),
      streams: new Places(http.maxStreams),
    }
    const post = (maxBytes: number, operation: Operation): Route => ({
      POST: door.post(maxBytes, operation),
      OPTIONS: preflight(admission, 'POST'),
    })
    const sendBytes = Math.ceil(sessionLimits.maxBodyBytes / 3) * 4 + aroundBodyBytes
    return new Map([
      ['/v1/send', post(sendBytes, sendOperation(parts))],
      ['/v1/receive', post(smallBytes, receiveOperation(parts))],
      ['/v1/ack', post(http.maxHandles * handleChars + smallBytes, ackOperation(parts))],
      ['/v1/ticket', post(smallBytes, ticketOperation(parts))],
      ['/v1/stream', { GET: streamHandler(parts), OPTIONS: preflight(admission, 'GET') }],
    ])
  }
}
