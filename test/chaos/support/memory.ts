import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { CometProcess } from './processes.ts'

export interface Memory {
  /** Bytes that are reachable: of the heap, and of buffers outside of it. */
  readonly live: number
  readonly rss: number
}

interface Answer {
  id: number
  result?: { result?: { value?: string } }
}

/** What a process started with `inspect` holds after a full garbage collection. */
export async function memoryOf(bridge: CometProcess): Promise<Memory> {
  const url = /ws:\/\/127\.0\.0\.1:\d+\/[0-9a-f-]+/.exec(bridge.output)?.[0]
  if (url === undefined) throw new Error(`${bridge.name} was not started with --inspect`)
  const socket = new WebSocket(url)
  await once(socket, 'open')
  let ids = 0
  const call = async (method: string, params: object = {}): Promise<Answer> => {
    const id = ++ids
    socket.send(JSON.stringify({ id, method, params }))
    for (;;) {
      const [data] = (await once(socket, 'message')) as [Buffer]
      const answer = JSON.parse(data.toString()) as Answer
      if (answer.id === id) return answer
    }
  }
  // Twice: buffers outside of the heap go when what held them has been collected.
  for (let n = 0; n < 2; n++) await call('HeapProfiler.collectGarbage')
  const answer = await call('Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' })
  socket.terminate()
  const usage = JSON.parse(answer.result!.result!.value!) as NodeJS.MemoryUsage
  return { live: usage.heapUsed + usage.external, rss: usage.rss }
}
