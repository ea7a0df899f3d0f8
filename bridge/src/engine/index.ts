import type { Logger } from '@cometmq/cluster'
import { type Engine, type EngineName } from './types.ts'

/** `auto`: uWebSockets, or `ws` where there is no binary of it; one line in the log says so. */
export async function loadEngine(name: EngineName | 'auto', logger: Logger): Promise<Engine> {
  if (name !== 'ws') {
    try {
      const { loadUws } = await import('./uws.ts')
      return await loadUws()
    } catch (error) {
      if (name === 'uws') throw new Error('the engine uws cannot be loaded on this platform; use ws or auto', { cause: error })
      logger.warn('uWebSockets cannot be loaded here: using ws, slower but with the same behaviour', { error })
    }
  }
  const { wsEngine } = await import('./ws.ts')
  return wsEngine
}
