import type { HttpRequest as UwsRequest, HttpResponse as UwsResponse } from 'uWebSockets.js'
import { addressText, statusLine } from './common.ts'
import {
  BodyError,
  type Headers,
  type HttpRequest,
  type HttpResponse,
  type Refusal,
  type ResponseStream,
  type SendResult,
} from './types.ts'

export class UwsHttpResponse implements HttpResponse {
  aborted = false
  /** Nothing can be said any more: said all, or the client is gone. */
  isDone = false
  readonly #response: UwsResponse
  readonly #maxBufferedBytes: number
  readonly #isHead: boolean
  readonly #listeners: (() => void)[] = []

  constructor(response: UwsResponse, maxBufferedBytes: number, method: string) {
    this.#response = response
    this.#maxBufferedBytes = maxBufferedBytes
    this.#isHead = method === 'HEAD'
    response.onAborted(() => {
      this.aborted = true
      this.isDone = true
      for (const listener of this.#listeners) listener()
    })
  }

  onAbort(listener: () => void): void {
    this.#listeners.push(listener)
  }

  respond(status: number, headers: Headers, body: Uint8Array | string): void {
    this.#finish(status, headers, body, headers['connection'] === 'close')
  }

  /** An answer to an upgrade; the connection ends. */
  refuse({ status, headers, body }: Refusal): void {
    this.#finish(status, headers ?? {}, body, true)
  }

  stream(status: number, headers: Headers, first: Uint8Array | string): ResponseStream {
    const stream = new UwsStream(this, this.#response, this.#maxBufferedBytes)
    // uWebSockets sends a head only together with a piece of the body.
    if (!this.isDone) stream.start(first, () => this.#head(status, headers))
    return stream
  }

  #finish(status: number, headers: Headers, body: Uint8Array | string, close: boolean): void {
    if (this.isDone) return
    this.isDone = true
    const response = this.#response
    response.cork(() => {
      this.#head(status, headers)
      if (this.#isHead) response.endWithoutBody(Buffer.byteLength(body), close)
      else response.end(body, close)
    })
  }

  #head(status: number, headers: Headers): void {
    this.#response.writeStatus(statusLine(status))
    for (const [name, value] of Object.entries(headers)) this.#response.writeHeader(name, value)
  }
}

class UwsStream implements ResponseStream {
  readonly #owner: UwsHttpResponse
  readonly #response: UwsResponse
  readonly #maxBufferedBytes: number
  #onDrain: () => void = () => {}
  /** At most this much is queued. */
  #queuedBytes = 0

  constructor(owner: UwsHttpResponse, response: UwsResponse, maxBufferedBytes: number) {
    this.#owner = owner
    this.#response = response
    this.#maxBufferedBytes = maxBufferedBytes
  }

  start(first: Uint8Array | string, head: () => void): void {
    this.#write(first, head)
    this.#response.onWritable(() => {
      this.#queuedBytes = 0
      this.#onDrain()
      return true
    })
  }

  write(chunk: Uint8Array | string): SendResult {
    if (this.#owner.isDone || this.#queuedBytes > this.#maxBufferedBytes) return 'dropped'
    return chunk.length === 0 ? 'sent' : this.#write(chunk, () => {})
  }

  onDrain(listener: () => void): void {
    this.#onDrain = listener
  }

  end(): void {
    if (this.#owner.isDone) return
    this.#owner.isDone = true
    this.#response.cork(() => void this.#response.end())
  }

  #write(chunk: Uint8Array | string, head: () => void): SendResult {
    let isSent = false
    this.#response.cork(() => {
      head()
      isSent = this.#response.write(chunk)
    })
    if (isSent) this.#queuedBytes = 0
    else this.#queuedBytes += Buffer.byteLength(chunk)
    return isSent ? 'sent' : 'queued'
  }
}

/** The library's request is only valid until its handler returns. */
export function copyRequest(request: UwsRequest, response: UwsResponse, answer: UwsHttpResponse): UwsHttpRequest {
  const headers: Record<string, string> = {}
  request.forEach((name, value) => (headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`))
  return new UwsHttpRequest({
    method: request.getCaseSensitiveMethod().toUpperCase(),
    path: request.getUrl(),
    query: request.getQuery(),
    headers,
    remoteAddress: addressText(new Uint8Array(response.getRemoteAddress())),
    response,
    answer,
  })
}

interface RequestParts {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Headers
  readonly remoteAddress: string
  readonly response: UwsResponse
  readonly answer: UwsHttpResponse
}

class UwsHttpRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Headers
  readonly remoteAddress: string
  readonly #response: UwsResponse
  readonly #answer: UwsHttpResponse
  #isLate = false

  constructor(parts: RequestParts) {
    this.method = parts.method
    this.path = parts.path
    this.query = parts.query
    this.headers = parts.headers
    this.remoteAddress = parts.remoteAddress
    this.#response = parts.response
    this.#answer = parts.answer
  }

  handlerReturned(): void {
    this.#isLate = true
  }

  body(maxBytes: number): Promise<Uint8Array> {
    if (this.#isLate) return Promise.reject(new BodyError('late', 'the body was not asked for in time'))
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let length = 0
      this.#answer.onAbort(() => reject(new BodyError('aborted', 'the client went away before its request was complete')))
      this.#response.onData((chunk, isLast) => {
        length += chunk.byteLength
        if (length > maxBytes) {
          chunks.length = 0
          return reject(new BodyError('too-large', `the body has more than ${maxBytes} bytes`))
        }
        chunks.push(Buffer.from(new Uint8Array(chunk)))
        if (isLast) resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
      })
    })
  }
}
