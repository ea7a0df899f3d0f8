import { rmSync } from 'node:fs'
import { clientClassPath, goBinary } from './build.ts'
import { javaFlags, temporaryFolder } from './java.ts'
import { ended, start } from './process.ts'
import type { Server } from './server.ts'

/** Check name → '' when it holds, else the difference. */
export type Checks = Map<string, string>

/** Runs the Java driver; resolves with its checks when it has ended. */
export async function javaChecks(
  server: Server,
  version: string,
  run: string,
  scenarios: readonly string[],
  flags: string[] = [],
): Promise<Checks> {
  const home = temporaryFolder('java')
  const args = [
    ...javaFlags(home),
    ...flags,
    '-cp',
    clientClassPath(version),
    'interop.Main',
    server.nameServer,
    run,
    ...scenarios,
  ]
  const checks = await collect('java', args)
  rmSync(home, { recursive: true, force: true, maxRetries: 3 })
  return checks
}

/** Runs the Go driver; resolves with its checks when it has ended. */
export const goChecks = (server: Server, run: string, scenarios: readonly string[]): Promise<Checks> =>
  collect(goBinary, [server.nameServer, server.broker, run, ...scenarios])

async function collect(command: string, args: string[]): Promise<Checks> {
  const checks: Checks = new Map()
  const child = start(command, args, line => {
    if (!line.startsWith('{')) return
    const { name, ok, detail } = JSON.parse(line) as { name: string; ok: boolean; detail: string }
    if (!checks.has(name) || !ok) checks.set(name, ok ? '' : detail)
  })
  let printed = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (printed = (printed + text).slice(-4000)))
  await ended(child)
  if (checks.size === 0) throw new Error(`the driver reported nothing: ${printed}`)
  return checks
}
