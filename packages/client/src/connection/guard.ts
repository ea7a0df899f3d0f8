declare const document: unknown
declare const reportError: (error: unknown) => void
declare const console: { error(...parts: unknown[]): void }

/** Where exceptions of the application's callbacks go: they must not break a state machine, and must not vanish. */
export function report(error: unknown): void {
  // Outside of pages it would end the process (Deno).
  if (typeof document === 'object') reportError(error)
  else console.error(error)
}

/** Calls the application: what it throws is reported. */
export function guard<X>(callback: () => X): X | undefined {
  try {
    return callback()
  } catch (error) {
    report(error)
    return undefined
  }
}
