import {
  checkServerFrame,
  decode,
  encodeFrame,
  fragment,
  ProtocolError,
  Reassembler,
  type ServerFrame,
  SUBPROTOCOL,
} from '@cometmq/protocol'
import * as CloseCode from '@cometmq/protocol/close-code'
import * as Kind from '@cometmq/protocol/kind'
import type { Environment, TransportHandlers, TransportSocket } from './environment.ts'
import { helloFrameBytes, maxFragmented, maxFragmentedBytes } from './figures.ts'

/** What is used of the standard WebSocket. */
export interface WebSocketLike {
  binaryType: string
  readonly bufferedAmount: number
  readonly readyState: number
  send(data: Uint8Array): void
  close(code?: number, reason?: string): void
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: { code: number; reason: string }) => void) | null
  onerror: ((event: never) => void) | null
}
export type WebSocketClass = new (url: string, protocols: string) => WebSocketLike

const OPEN = 1

/** Frames over a WebSocket: one frame, one binary message. */
export const openWebSocket =
  (WebSocket: WebSocketClass | undefined): Environment['open'] =>
  (url, handlers) => {
    try {
      // Browsers would take it for a path of their page.
      if (!/^wss?:/.test(url)) throw new TypeError(`a url must begin with ws: or wss:, not ${url.slice(0, 40)}`)
      return attach(new WebSocket!(url, SUBPROTOCOL), handlers)
    } catch (error) {
      // Not a url, or one that this page must not open: trying again does not help.
      const reason = WebSocket ? `60004 ${String(error)}` : '60005 no WebSocket in this runtime: give one to connect()'
      queueMicrotask(() => handlers.onClose(CloseCode.PROTOCOL, reason))
      return { send: () => 0, bufferedBytes: 0, close: () => undefined }
    }
  }

function attach(socket: WebSocketLike, handlers: TransportHandlers): TransportSocket {
  let ended = false
  let maxFrame = helloFrameBytes
  let fragId = 0
  let fragments: Reassembler | undefined
  const end = (code: number, reason: string): void => {
    if (ended) return
    ended = true
    handlers.onClose(code, reason)
  }
  /** Null: of a kind that a later version brought, or not complete. */
  const read = (data: unknown): ServerFrame | null => {
    if (!(data instanceof ArrayBuffer)) throw new ProtocolError('not a binary message')
    const frame = checkServerFrame(decode(new Uint8Array(data)))
    if (frame?.[0] !== Kind.FRAG) return frame
    fragments ??= new Reassembler(maxFragmentedBytes, maxFragmented)
    const whole = fragments.add(frame)
    return whole && checkServerFrame(decode(whole))
  }
  socket.binaryType = 'arraybuffer'
  socket.onopen = () => handlers.onOpen()
  socket.onmessage = ({ data }) => {
    if (ended) return
    let frame: ServerFrame | null
    try {
      frame = read(data)
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const reason = `40090 ${error.message}`.slice(0, 120)
      socket.close(CloseCode.PROTOCOL, reason)
      return end(CloseCode.PROTOCOL, reason)
    }
    if (frame) handlers.onFrame(frame, (data as ArrayBuffer).byteLength)
  }
  socket.onclose = event => end(event.code, event.reason)
  // What went wrong follows as a close.
  socket.onerror = () => undefined
  return {
    send(frame) {
      if (socket.readyState !== OPEN) return 0
      const bytes = encodeFrame(frame)
      if (bytes.length <= maxFrame) socket.send(bytes)
      else for (const piece of fragment(bytes, maxFrame, ++fragId)) socket.send(piece)
      return bytes.length
    },
    setMaxFrame(bytes) {
      maxFrame = bytes
    },
    get bufferedBytes() {
      return socket.bufferedAmount
    },
    close: (code, reason) => socket.close(code, reason),
  }
}
