import { createServer, connect, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'

interface Pair {
  client: Socket
  server: Socket
}

export interface Cut {
  /** Bytes that still go through. */
  up?: number
  down?: number
  /** Only the client learns of it: the other socket stays open, and nothing comes over it any more. */
  halfOpen?: boolean
}

/** A TCP proxy that can cut (with a reset), freeze and refuse. */
export class CuttingProxy {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  /** Server ends of half-open connections. */
  readonly #left = new Set<Socket>()
  #refuseUntil = 0
  #frozenUntil = 0
  #cutting = false
  #cutAfter: Cut | null = null
  /** Sockets cut so far. */
  cuts = 0

  constructor(server: Server) {
    this.#server = server
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const server = createServer({ noDelay: true })
    const proxy = new CuttingProxy(server)
    server.on('connection', client => proxy.#accept(client, targetPort))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Resets all sockets: now, or once so many more bytes went through in a direction (the rest of that chunk is lost). */
  cut(after: Cut = {}): void {
    if (after.up === undefined && after.down === undefined) this.#cutAll(after.halfOpen)
    else this.#cutAfter = { ...after }
  }

  freeze(ms: number): void {
    this.#frozenUntil = Date.now() + ms
    for (const { client, server } of this.#pairs) {
      client.pause()
      server.pause()
    }
    setTimeout(() => {
      for (const { client, server } of this.#pairs) {
        client.resume()
        server.resume()
      }
    }, ms).unref()
  }

  refuse(ms: number): void {
    this.#refuseUntil = Date.now() + ms
  }

  async close(): Promise<void> {
    this.#cutAll()
    for (const server of this.#left) server.destroy()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  #accept(client: Socket, targetPort: number): void {
    client.on('error', () => {})
    if (Date.now() < this.#refuseUntil) {
      client.resetAndDestroy()
      return
    }
    const server = connect({ host: '127.0.0.1', port: targetPort, noDelay: true })
    server.on('error', () => {})
    const pair = { client, server }
    this.#pairs.add(pair)
    const end = (): void => {
      this.#pairs.delete(pair)
      client.destroy()
      if (!this.#left.has(server)) server.destroy()
    }
    client.on('close', end)
    server.on('close', () => {
      this.#left.delete(server)
      end()
    })
    client.on('data', chunk => this.#pass(chunk, server, 'up'))
    server.on('data', chunk => this.#pass(chunk, client, 'down'))
    if (Date.now() < this.#frozenUntil) {
      client.pause()
      server.pause()
    }
  }

  #pass(chunk: Buffer, to: Socket, direction: 'up' | 'down'): void {
    if (this.#cutting) return
    const left = this.#cutAfter?.[direction]
    if (left === undefined) {
      to.write(chunk)
      return
    }
    if (chunk.length < left) {
      this.#cutAfter![direction] = left - chunk.length
      to.write(chunk)
      return
    }
    const { halfOpen } = this.#cutAfter!
    this.#cutAfter = null
    this.#cutting = true
    // The first part arrives, then the reset: a frame cut in the middle.
    to.write(chunk.subarray(0, left), () => this.#cutAll(halfOpen))
  }

  #cutAll(halfOpen = false): void {
    this.#cutting = false
    for (const { client, server } of this.#pairs) {
      if (halfOpen) this.#left.add(server)
      else server.resetAndDestroy()
      client.resetAndDestroy()
      this.cuts++
    }
    this.#pairs.clear()
  }
}
