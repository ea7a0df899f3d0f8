interface Scope {
  readonly navigator?: { readonly userAgent?: string }
  readonly document?: unknown
}

/** For HELLO: `workerd`, `deno`, `bun`, `node`, or the browser's engine. */
export function runtimeName(): string {
  const { navigator } = globalThis as unknown as Scope
  const agent = navigator?.userAgent ?? ''
  const found = /Cloudflare-Workers|Deno|Bun|Node|Firefox|Chrom|Safari/.exec(agent)?.[0] ?? 'unknown'
  return { 'Cloudflare-Workers': 'workerd', Chrom: 'chromium' }[found] ?? found.toLowerCase()
}
