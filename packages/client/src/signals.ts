import { BridgeError, type Outcome } from './errors.ts'

export const cancelled = (signal: AbortSignal | undefined, outcome: Outcome): BridgeError =>
  new BridgeError(49990, 'cancelled by its signal', { outcome, cause: signal?.reason as unknown })

/** Calls when the signal fires, or now when it has. Returns how to stop. */
export function onAbort(signal: AbortSignal | undefined, task: () => void): () => void {
  signal?.addEventListener('abort', task)
  if (signal?.aborted) task()
  return () => signal?.removeEventListener('abort', task)
}

/** Settles as `work` does, or rejects when the signal fires first. */
export function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined, outcome: Outcome = 'unknown'): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const stop = onAbort(signal, () => reject(cancelled(signal, outcome)))
    work.then(resolve, reject).finally(stop)
  })
}
