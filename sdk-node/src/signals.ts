interface Drainable {
  drain(options?: { timeout?: number }): Promise<unknown>
}

/** What is used of `process`. */
export interface SignalTarget {
  readonly pid: number
  on(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  removeListener(signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void): unknown
  kill(pid: number, signal: NodeJS.Signals): unknown
}

/**
 * Drains connections when the process is told to end (SIGTERM, SIGINT), then ends it as the signal would have. A second signal ends it at
 * once. `timeoutMs` (10 s): what is not done by then is given back or reported as lost. Returns how to take it back.
 */
export function drainOnSignals(
  connections: readonly Drainable[],
  timeoutMs = 10_000,
  target: SignalTarget = process,
): () => void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  const stop = (): void => signals.forEach(signal => target.removeListener(signal, onSignal))
  const onSignal = (signal: NodeJS.Signals): void => {
    stop()
    void Promise.allSettled(connections.map(connection => connection.drain({ timeout: timeoutMs }))).then(() =>
      target.kill(target.pid, signal),
    )
  }
  signals.forEach(signal => target.on(signal, onSignal))
  return stop
}
