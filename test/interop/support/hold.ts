import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { rmSync } from 'node:fs'
import { clientClassPath } from './build.ts'
import { javaFlags, temporaryFolder } from './java.ts'
import { ended, start } from './process.ts'
import type { Server } from './server.ts'

/** A Java producer and consumer that stay connected (test/interop/java HoldScenario). */
export interface Held {
  topic: string
  group: string
  producerGroup: string
  clientId: string
  /** By number: message n is in queue n % 2 at offset n / 2; tags TagA for 0 to 3, TagB for 4 and 5; keys `key-n all`. */
  messages: { uniqueId: string; offsetId: string }[]
  release(): Promise<void>
}

export function hold(server: Server, version: string, run: string): Promise<Held> {
  const home = temporaryFolder('hold')
  const args = [...javaFlags(home), '-cp', clientClassPath(version), 'interop.Main', server.nameServer, run, 'hold']
  return new Promise((resolve, reject) => {
    const messages: Held['messages'] = []
    let clientId = ''
    const child = start('java', args, line => {
      if (!line.startsWith('{')) return
      const { name, ok, detail } = JSON.parse(line) as { name: string; ok: boolean; detail: string }
      if (!ok) reject(new Error(`${name}: ${detail}`))
      const [what, first, second, third] = name.split(' ')
      if (what === 'message') messages[Number(first)] = { uniqueId: second!, offsetId: third! }
      if (what === 'client') clientId = first!
      if (name === 'hold: ready')
        resolve({ topic: `T_hold_${run}`, group: `G_hold_${run}`, producerGroup: `P_hold_${run}`, clientId, messages, release })
    }) as ChildProcessWithoutNullStreams
    child.stderr.resume()
    child.once('exit', () => reject(new Error('the Java client ended')))
    const release = async () => {
      child.stdin.end()
      await ended(child)
      rmSync(home, { recursive: true, force: true, maxRetries: 3 })
    }
  })
}
