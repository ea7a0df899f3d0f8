import { createContext, runInContext } from 'node:vm'

/** What runtimes offer and a library must not touch before it is called. */
const offered = [
  'setTimeout',
  'setInterval',
  'queueMicrotask',
  'WebSocket',
  'fetch',
  'XMLHttpRequest',
  'BroadcastChannel',
  'navigator',
  'document',
  'location',
  'localStorage',
  'indexedDB',
  'performance',
  'crypto',
  'TextEncoder',
  'TextDecoder',
  'CompressionStream',
  'DecompressionStream',
  'addEventListener',
  'process',
  'Buffer',
  'require',
]

/** Runs a classic script in a world of its own: what it touched there, and the globals that it left. */
export function load(code: string): { touched: string[]; left: string[]; world: Record<string, unknown> } {
  const touched: string[] = []
  const world: Record<string, unknown> = {}
  for (const name of offered)
    Object.defineProperty(world, name, {
      get() {
        touched.push(name)
        return undefined
      },
    })
  // No eval, no new Function: as under a strict content security policy.
  createContext(world, { codeGeneration: { strings: false, wasm: false } })
  runInContext(
    'const random = Math.random, now = Date.now; Math.random = Date.now = () => { throw new Error("not at import") }',
    world,
  )
  runInContext(code, world)
  return { touched, left: Object.keys(world), world }
}
