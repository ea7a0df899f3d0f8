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
    const shown = (): void => {
      if (scope.document?.visibilityState !== 'hidden') wake()
    }
    const hooks: [Target | undefined, string, () => void][] = [
      [scope.document, 'visibilitychange', shown],
      [scope.document, 'resume', wake],
      [typeof scope.addEventListener === 'function' ? (scope as Target) : undefined, 'pageshow', wake],
      [typeof scope.addEventListener === 'function' ? (scope as Target) : undefined, 'online', wake],
    ]
    for (const [target, type, listener] of hooks) target?.addEventListener?.(type, listener)
    return () => {
      for (const [target, type, listener] of hooks) target?.removeEventListener?.(type, listener)
    }
  },
  online: () => scope.navigator?.onLine !== false,
  slow: () => /2g/.test(scope.navigator?.connection?.effectiveType ?? ''),
}
