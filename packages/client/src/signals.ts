import { BridgeError, type Outcome } from './errors.ts'

export const cancelled = (signal: AbortSignal | undefined, outcome: Outcome): BridgeError =>
  new BridgeError(49990, 'cancelled by its signal', { outcome, cause: signal?.reason as unknown })

/** Settles as `work` does, or rejects when the signal fires first. */
export function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined, outcome: Outcome = 'unknown'): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(cancelled(signal, outcome))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
