import type { Observer } from '../api.ts'
import { guard, report } from './guard.ts'

type Attributes = Record<string, string | number>

/** `work` runs exactly once and its result is what counts, whatever the observers do. */
export function spanOf<X>(observers: readonly Observer[], name: string, attributes: Attributes, work: () => X): X {
  if (observers.length === 0) return work()
  return observers.reduceRight<() => X>(
    (inner, observer) => (observer.span ? within(observer, name, attributes, inner) : inner),
    work,
  )()
}

const within =
  <X>(observer: Observer, name: string, attributes: Attributes, work: () => X) =>
  (): X => {
    let outcome: (() => X) | undefined
    const once = (): X => {
      if (!outcome) {
        try {
          const result = work()
          outcome = () => result
        } catch (error) {
          outcome = () => {
            throw error
          }
        }
      }
      return outcome()
    }
    try {
      observer.span!(name, attributes, once)
    } catch (error) {
      // The work's own exception passes through the observer; only what is the observer's is reported.
      let own: unknown
      try {
        outcome?.()
      } catch (thrown) {
        own = thrown
      }
      if (own !== error) report(error)
    }
    return once()
  }

export function observe(observers: readonly Observer[], direction: 'in' | 'out', kind: number, bytes: number): void {
  for (const observer of observers) guard(() => observer.frame?.(direction, kind, bytes))
}
