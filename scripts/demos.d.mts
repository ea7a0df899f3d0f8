/** Resolves when the demo pages are in the folder `out`, which is replaced. Default: bridge/dist/pages. */
export function buildDemos(options?: { out?: string }): Promise<void>
