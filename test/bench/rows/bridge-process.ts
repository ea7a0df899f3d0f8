import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchContext } from '../lib/context.ts'
import type { BrokerProcess } from '../lib/broker-process.ts'
import type { LoadOptions, LoadResult } from './bridge-load.ts'

/** What is measured is the bridge, not its protection against clients like this load. */
export const noLimits = ['framesPerSecond', 'frameBurst', 'inboundBytesPerSecond', 'newSocketsPerSecond', 'newSocketBurst'].map(
  name => `${name}=unlimited`,
)

const defaults: LoadOptions = {
  task: 'publish',
  topic: 'BenchBridge',
  groups: ['BenchGroup'],
  connections: 1,
  window: 256,
  bodyBytes: 256,
  batch: 1,
  warmup: 1,
  seconds: 2,
  expected: 0,
  rate: 0,
}

export interface MeasuredLoad extends LoadResult {
  /** CPU seconds of the server while the load measured. */
  serverCpuSeconds: number
  /** Growth of the server's memory meanwhile. */
  serverBytes: number
}

interface Told {
  type: 'ready' | 'measuring' | 'measured' | 'result'
  result: LoadResult
}

/** Runs one load in a process of its own: a load process shares nothing with the next one. */
export function runLoad(
  context: BenchContext,
  server: BrokerProcess,
  name: string,
  options: Partial<LoadOptions>,
): Promise<MeasuredLoad> {
  const profile = context.profileOf(`load of ${name}`)
  const execArgv =
    profile === undefined
      ? []
      : [
          '--cpu-prof',
          '--cpu-prof-dir',
          profile.folder,
          '--cpu-prof-name',
          `${profile.name.replace(/[^\w.-]+/g, '-')}.cpuprofile`,
        ]
  // Next to main.js of the built bench.
  const program = join(fileURLToPath(import.meta.url), '../bridge-load.js')
  const child: ChildProcess = fork(program, { execArgv })
  return new Promise((resolve, reject) => {
    let cpuBefore = 0
    let bytesBefore = 0
    let measured = { serverCpuSeconds: 0, serverBytes: 0 }
    let result: LoadResult | undefined
    child.on('message', (told: Told) => {
      if (told.type === 'ready') child.send('go')
      else if (told.type === 'measuring') {
        cpuBefore = server.cpuSeconds()
        bytesBefore = server.residentBytes()
      } else if (told.type === 'measured') {
        measured = { serverCpuSeconds: server.cpuSeconds() - cpuBefore, serverBytes: server.residentBytes() - bytesBefore }
      } else result = told.result
    })
    child.on('error', reject)
    child.on('exit', code => {
      if (result === undefined) reject(new Error(`the load of ${name} stopped with ${code}`))
      else resolve({ ...result, ...measured })
    })
    child.send({ ...defaults, ...options })
  })
}

/** Rate and microseconds of CPU a message, which a busy machine changes less. */
export function figures(load: MeasuredLoad): { value: number; detail: Record<string, number> } {
  const perMessage = (seconds: number): number => (seconds * 1e6) / load.messages
  return {
    value: load.messages / load.seconds,
    detail: {
      'server µs/message': perMessage(load.serverCpuSeconds),
      'client µs/message': perMessage(load.cpuSeconds),
      failed: load.failed,
    },
  }
}
