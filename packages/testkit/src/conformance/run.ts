import type { Connection, ConnectOptions, TopicDef } from '@cometmq/client'
import { createControl } from './control.ts'
import { createExpect } from './expect.ts'
import type { Case, CaseContext, CaseResult, Sdk, Target } from './types.ts'

const defaultTimeoutMs = 20_000
/** Cases at a time: they wait most of the time. */
const parallel = 8

/** Runs cases against a bridge. Portable; results come in the order of the cases. */
export async function runConformance(sdk: Sdk, target: Target, cases: readonly Case[]): Promise<CaseResult[]> {
  const chosen = cases.filter(one => one.name.includes(target.filter ?? ''))
  const results: CaseResult[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < chosen.length) {
      const index = next++
      results[index] = await runCase(sdk, target, chosen[index]!)
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  return results
}

async function runCase(sdk: Sdk, target: Target, one: Case): Promise<CaseResult> {
  const reason = one.skip?.(target)
  if (reason !== undefined) return { name: one.name, status: 'skipped', ms: 0, detail: reason }
  const started = Date.now()
  const abort = new AbortController()
  const opened: Connection<readonly TopicDef[]>[] = []
  const timeoutMs = one.timeoutMs ?? defaultTimeoutMs
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([one.run(contextOf({ sdk, target, name: one.name, signal: abort.signal, opened })), late])
    return { name: one.name, status: 'passed', ms: Date.now() - started }
  } catch (error) {
    const detail = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error)
    return { name: one.name, status: 'failed', ms: Date.now() - started, detail }
  } finally {
    clearTimeout(timer)
    abort.abort()
    await Promise.all(opened.map(connection => connection.close().catch(() => {})))
  }
}

interface Setting {
  sdk: Sdk
  target: Target
  name: string
  signal: AbortSignal
  opened: Connection<readonly TopicDef[]>[]
}

function contextOf({ sdk, target, name: caseName, signal, opened }: Setting): CaseContext {
  const control = createControl(target.control)
  const expect = createExpect(sdk)
  const slug = slugOf(caseName)
  const open = <const R extends readonly TopicDef[]>(topics: R, options: Partial<ConnectOptions<R>> = {}): Connection<R> => {
    const connection = sdk.connect<R>({ url: target.url, topics, auth: () => control.token(), ...options })
    opened.push(connection)
    return connection
  }
  const sdkConnect = <const R extends readonly TopicDef[]>(topics: R): Connection<R> => {
    const connection = sdk.connect<R>({ url: target.url, topics })
    opened.push(connection)
    return connection
  }
  return {
    ...sdk,
    ...control,
    sdkConnect,
    target,
    signal,
    expect,
    open,
    name: word => `${target.run}-${slug}-${word}`,
    async until(what, check) {
      for (;;) {
        const value = await check()
        if (value) return value
        if (signal.aborted) throw new Error(`time is up: ${what}`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    },
  }
}

/** Topics allow 127 characters: the beginning of the name, and a number made of all of it. */
function slugOf(name: string): string {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) >>> 0
  return `${name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 40)}-${hash.toString(36)}`
}
