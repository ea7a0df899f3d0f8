interface Drainable {
  drain(options?: { timeout?: number }): Promise<unknown>
}

/**
 * Drains connections when the process is told to end (SIGTERM, SIGINT), then ends it as the signal would have. A second signal ends it at
 * once. `timeoutMs` (10 s): what is not done by then is given back or reported as lost. Returns how to take it back.
 */
export function drainOnSignals(connections: readonly Drainable[], timeoutMs = 10_000): () => void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  const stop = (): void => signals.forEach(signal => process.removeListener(signal, onSignal))
  const onSignal = (signal: NodeJS.Signals): void => {
    stop()
    void Promise.allSettled(connections.map(connection => connection.drain({ timeout: timeoutMs }))).then(() =>
      process.kill(process.pid, signal),
    )
  }
  signals.forEach(signal => process.on(signal, onSignal))
  return stop
}
