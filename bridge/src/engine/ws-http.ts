import { type IncomingMessage, type ServerResponse } from 'node:http'
import { plainAddress, splitUrl } from './common.ts'
import { BodyError, type Headers, type HttpRequest, type HttpResponse, type ResponseStream, type SendResult } from './types.ts'

export class NodeHttpRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: Headers
  readonly remoteAddress: string
  readonly #request: IncomingMessage
  #isLate = false

  constructor(request: IncomingMessage) {
    const { path, query } = splitUrl(request.url ?? '/')
    this.method = (request.method ?? 'GET').toUpperCase()
    this.path = path
    this.query = query
    this.headers = joined(request.headers)
    this.remoteAddress = plainAddress(request.socket.remoteAddress ?? '')
    this.#request = request
  }

  /** A body nobody asked for is thrown away. */
  handlerReturned(): void {
    this.#isLate = true
    if (this.#request.listenerCount('data') === 0) this.#request.resume()
  }

  body(maxBytes: number): Promise<Uint8Array> {
    if (this.#isLate) return Promise.reject(new BodyError('late', 'the body was not asked for in time'))
    const request = this.#request
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let length = 0
      request.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > maxBytes) {
          chunks.length = 0
          return reject(new BodyError('too-large', `the body has more than ${maxBytes} bytes`))
        }
        chunks.push(chunk)
      })
      request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
      const aborted = (): void => reject(new BodyError('aborted', 'the client went away before its request was complete'))
      request.once('error', aborted)
      request.once('close', aborted)
    })
  }
}

function joined(headers: IncomingMessage['headers']): Headers {
  const result: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) result[name] = Array.isArray(value) ? value.join(', ') : value
  }
  return result
}

export class NodeHttpResponse implements HttpResponse {
  aborted = false
  readonly #response: ServerResponse
  readonly #maxBufferedBytes: number
  readonly #listeners: (() => void)[] = []

  constructor(response: ServerResponse, maxBufferedBytes: number) {
    this.#response = response
    this.#maxBufferedBytes = maxBufferedBytes
    response.on('error', () => {})
    response.on('close', () => {
      if (response.writableFinished || response.writableEnded) return
      this.aborted = true
      for (const listener of this.#listeners) listener()
    })
  }

  onAbort(listener: () => void): void {
    this.#listeners.push(listener)
  }

  respond(status: number, headers: Headers, body: Uint8Array | string): void {
    if (this.aborted || this.#response.headersSent) return
    this.#response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
    this.#response.end(body)
  }

  stream(status: number, headers: Headers, first: Uint8Array | string): ResponseStream {
    const response = this.#response
    if (!this.aborted) {
      response.writeHead(status, headers)
      response.write(first)
    }
    return {
      write: chunk => this.#write(chunk),
      onDrain: listener => void response.on('drain', listener),
      end: () => void response.end(),
    }
  }

  #write(chunk: Uint8Array | string): SendResult {
    const response = this.#response
    if (this.aborted || response.writableEnded || response.writableLength > this.#maxBufferedBytes) return 'dropped'
    if (chunk.length === 0) return 'sent'
    return response.write(chunk) ? 'sent' : 'queued'
  }
}
