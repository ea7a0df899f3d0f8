import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { startApache } from './apache.ts'
import { startComet } from './comet.ts'
import { temporaryFolder } from './java.ts'

/** A running name server and broker. */
export interface Server {
  /** host:port */
  nameServer: string
  /** host:port */
  broker: string
  brokerName: string
  cluster: string
  stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** The server under test in a folder of its own: ours, or with INTEROP_SERVER=apache:VERSION the real one. `stop` also removes the folder. */
export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  const folder = temporaryFolder('interop')
  const chosen = process.env['INTEROP_SERVER'] ?? 'comet'
  const server = chosen.startsWith('apache:')
    ? await startApache({ version: chosen.slice('apache:'.length), folder, settings })
    : await startComet({ data: join(folder, 'data'), settings })
  return {
    ...server,
    stop: async signal => {
      await server.stop(signal)
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
