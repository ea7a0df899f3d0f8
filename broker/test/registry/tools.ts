import type { Logger, Peer, SubscriptionData } from '@cometmq/remoting'
import { FakeClock, MemoryDisk } from '@cometmq/testkit'
import { loadConfig, type BrokerConfig } from '../../src/config.ts'

export interface Line {
  level: 'debug' | 'info' | 'warn' | 'error'
  message: string
}

/** A logger that keeps what it is told. */
export function keepingLogger(): Logger & { lines: Line[] } {
  const lines: Line[] = []
  const at = (level: Line['level']) => (message: string) => void lines.push({ level, message })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

export const environment = { hostName: 'host', address: '10.0.0.1', home: '/home/user', variables: {} }

export const configOf = (...sets: string[]): BrokerConfig =>
  loadConfig({ sets: ['brokerClusterName=golden', 'brokerName=broker-a', ...sets], environment })

/** What the tables of the registry are loaded with. */
export function world(sets: readonly string[] = [], seed = 1) {
  const clock = new FakeClock()
  return { disk: new MemoryDisk({ seed, clock }), folder: '/store', clock, config: configOf(...sets), logger: keepingLogger() }
}

/** A connection as far as the registry sees it: an id and its end. */
export class TestPeer implements Peer {
  static #last = 0
  readonly id = ++TestPeer.#last
  readonly remoteAddress = `127.0.0.1:${10_000 + this.id}`
  readonly localAddress = '127.0.0.1:10911'
  readonly remoteHost = Buffer.alloc(8)
  closed = false
  readonly #listeners: (() => void)[] = []
  respond(): void {}
  call(): Promise<never> {
    return Promise.reject(new Error('not in this test'))
  }
  oneway(): boolean {
    return !this.closed
  }
  onClose(listener: () => void): void {
    this.#listeners.push(listener)
  }
  close(): void {
    if (this.closed) return
    this.closed = true
    for (const listener of this.#listeners) listener()
  }
}

export const subscription = (topic: string, subVersion = 1n, subString = '*'): SubscriptionData => ({
  topic,
  subString,
  expressionType: 'TAG',
  classFilterMode: false,
  tagsSet: [],
  codeSet: [],
  subVersion,
})
