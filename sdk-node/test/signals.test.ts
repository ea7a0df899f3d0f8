import { EventEmitter, once } from 'node:events'
import { expect, it } from 'vitest'
import { drainOnSignals } from '../src/signals.ts'

class Target extends EventEmitter {
  readonly pid = 42
  kill(pid: number, signal: NodeJS.Signals): void {
    this.emit('killed', pid, signal)
  }
}

it('drains, also when one fails, then ends the process with the same signal', async () => {
  const target = new Target()
  const drained: unknown[] = []
  const good = { drain: async (options?: { timeout?: number }) => void drained.push(options) }
  const bad = { drain: () => Promise.reject(new Error('broken')) }
  drainOnSignals([bad, good], 500, target)
  const killed = once(target, 'killed')
  target.emit('SIGTERM', 'SIGTERM')
  // The second one meets nobody who would hold it up.
  expect(target.listenerCount('SIGTERM') + target.listenerCount('SIGINT')).toBe(0)
  expect(await killed).toEqual([42, 'SIGTERM'])
  expect(drained).toEqual([{ timeout: 500 }])
})

it('can be taken back', () => {
  const target = new Target()
  drainOnSignals([], 500, target)()
  expect(target.listenerCount('SIGTERM')).toBe(0)
})
