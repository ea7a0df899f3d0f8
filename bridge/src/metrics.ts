import type { Sessions, SessionStats } from '@cometmq/session'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, Registry } from 'prom-client'
import { type LinkCounters } from './socket-link.ts'

export interface MetricsParts {
  readonly sessions: Sessions
  readonly counters: LinkCounters
  readonly engine: string
  readonly sockets: () => number
  readonly refusedSockets: () => number
}

const NANOSECONDS = 1e9

/** What `/metrics` shows, read when it is asked for. `close` stops the measuring of the event loop. */
export function createMetrics(parts: MetricsParts): { text(): Promise<string>; contentType: string; close(): void } {
  const registry = new Registry()
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: `cometmq_bridge_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({
      name: `cometmq_bridge_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }
  const stat = (name: keyof SessionStats) => (): number => parts.sessions.stats()[name]
  const links = (name: keyof LinkCounters) => (): number => parts.counters[name]

  gauge('sessions_connected', 'Sessions with a socket.', stat('connected'))
  gauge('sessions_detached', 'Sessions that wait for their client to come back.', stat('detached'))
  gauge('subscriptions', 'Open subscriptions.', stat('subscriptions'))
  counter('messages_in', 'Messages published by clients.', stat('messagesIn'))
  counter('messages_out', 'Messages delivered to clients.', stat('messagesOut'))
  counter('batches_encoded', 'Batches of deliveries encoded; subscribers share them.', stat('batchesEncoded'))
  counter('resumed_hot', 'Sessions resumed with their state.', stat('resumedHot'))
  counter('resumed_cold', 'Sessions rebuilt from their token.', stat('resumedCold'))
  counter('leases_lost', 'Messages whose lease ended before they were settled.', stat('leasesLost'))
  gauge('draining', '1 while the node is leaving.', () => (parts.sessions.draining ? 1 : 0))

  gauge('sockets', 'Open WebSockets.', parts.sockets)
  counter('sockets_refused', 'Handshakes refused before they became sockets.', parts.refusedSockets)
  counter('frames_in', 'WebSocket messages received.', links('framesIn'))
  counter('frames_out', 'Frames sent.', links('framesOut'))
  counter('bytes_in', 'Bytes of messages received.', links('bytesIn'))
  counter('bytes_out', 'Bytes of frames sent.', links('bytesOut'))
  counter('writes', 'Writes to sockets; frames of one turn share one.', links('writes'))
  counter('protocol_errors', 'Connections ended because of what they sent.', links('protocolErrors'))
  gauge('event_loop_lag_p99_seconds', 'Event loop delay since the last reading, 99th percentile.', () => {
    const seconds = delay.percentile(99) / NANOSECONDS
    delay.reset()
    return seconds
  })
  gauge('process_resident_memory_bytes', 'Resident memory of the process.', () => process.memoryUsage.rss())
  new Gauge({ name: 'cometmq_bridge_info', help: 'The engine.', labelNames: ['engine'], registers: [registry] }).set(
    { engine: parts.engine },
    1,
  )
  return { text: () => registry.metrics(), contentType: registry.contentType, close: () => void delay.disable() }
}
