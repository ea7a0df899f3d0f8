import { readFileSync } from 'node:fs'

/** Version of this package; works from src and from dist, both one level below package.json. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
  return manifest.version
}

/** `short`: only the number. */
export const versionText = (short: boolean): string =>
  short ? packageVersion() : `comet ${packageVersion()} (Node.js ${process.version}, ${process.platform} ${process.arch})`
