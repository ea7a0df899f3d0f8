import type { Environment } from '@cometmq/client'

interface Target {
  addEventListener(type: string, listener: () => void): void
  removeEventListener(type: string, listener: () => void): void
  readonly visibilityState?: string
}

/** Pages, workers and servers differ in what they have of these. */
interface Scope {
  readonly document?: Target
  readonly navigator?: {
    readonly onLine?: boolean
    readonly connection?: { readonly effectiveType?: string }
  }
  readonly addEventListener?: Target['addEventListener']
  readonly removeEventListener?: Target['removeEventListener']
}

const scope = globalThis as unknown as Scope

/** Page shown, back from the back/forward cache, resumed after a freeze, network there again. */
export const wakeHooks: Required<Pick<Environment, 'onWake' | 'online' | 'slow'>> = {
  onWake(wake) {
    const { document } = scope
    const shown = (): void => {
      if (document?.visibilityState !== 'hidden') wake()
    }
    const all = (method: 'addEventListener' | 'removeEventListener'): void => {
      document?.[method]?.('visibilitychange', shown)
      document?.[method]?.('resume', wake)
      scope[method]?.('pageshow', wake)
      scope[method]?.('online', wake)
    }
    all('addEventListener')
    return () => all('removeEventListener')
  },
  online: () => scope.navigator?.onLine !== false,
  slow: () => /2g/.test(scope.navigator?.connection?.effectiveType ?? ''),
}
