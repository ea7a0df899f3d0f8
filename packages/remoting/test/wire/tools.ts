import { connect, type Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import type { Clock, Logger, Timer } from '@cometmq/remoting'

/** A clock that stands still until it is told to go on. */
export class FakeClock implements Clock {
  #ms = 1_000_000
  #timers: { atMs: number; task: () => void }[] = []

  now(): number {
    return this.#ms
  }

  monotonic(): number {
    return this.#ms
  }

  setTimeout(task: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#ms + delayMs, task }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter(other => other !== timer)) }
  }

  /** Runs what becomes due, in order. */
  advance(ms: number): void {
    const endMs = this.#ms + ms
    for (;;) {
      const next = this.#timers.filter(timer => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter(timer => timer !== next)
      this.#ms = Math.max(this.#ms, next.atMs)
      next.task()
    }
    this.#ms = endMs
  }
}

/** Keeps what is logged as 'message reason'. */
export function listeningLogger(): Logger & { lines: string[] } {
  const lines: string[] = []
  const keep = (message: string, fields?: Record<string, unknown>): void => {
    const reason = fields?.['reason']
    lines.push(typeof reason === 'string' ? `${message}: ${reason}` : message)
  }
  return { lines, debug: keep, info: keep, warn: keep, error: keep }
}

export async function rawConnect(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  await new Promise<void>(resolve => socket.once('connect', () => resolve()))
  return socket
}

export const closed = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    socket.resume()
    if (socket.destroyed) resolve()
    else socket.once('close', () => resolve())
  })

/** A promise and the function that settles it. */
export function signal<T = void>(): { promise: Promise<T>; fire: (value: T) => void } {
  let fire: (value: T) => void = () => {}
  const promise = new Promise<T>(resolve => (fire = resolve))
  return { promise, fire }
}

/** Turns of the event loop until `condition` holds; the test's own time limit ends a wait in vain. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise<void>(resolve => setImmediate(resolve))
}

export const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url))

export function frame(header: string | Buffer, body = Buffer.alloc(0), type = 0): Buffer {
  const head = Buffer.from(header)
  const prefix = Buffer.alloc(8)
  prefix.writeInt32BE(4 + head.length + body.length, 0)
  prefix.writeUInt32BE(type * 0x100_0000 + head.length, 4)
  return Buffer.concat([prefix, head, body])
}
