import type { Clock } from '@cometmq/cluster'

/** What `work` becomes, or after `ms` what `late` makes. The work itself goes on. */
export function within<T>(clock: Clock, work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimeout(() => reject(late()), ms)
    work
      .then(resolve, reject)
      .finally(() => timer.cancel())
      .catch(() => undefined)
  })
}
