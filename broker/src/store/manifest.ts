import type { ConsumeQueues } from './consume-queue/queues.ts'

/** What a clean exit of ours noted about the consume queues, so that a missing one is found. */
export interface Manifest {
  version: 1
  logEnd: number
  queues: number
  messages: number
}

export const manifestPath = (folder: string): string => folder + '/config/consumeQueueSummary.json'

export function summarize(queues: ConsumeQueues, logEnd: number): Manifest {
  let count = 0
  let messages = 0
  for (const queue of queues.all()) {
    if (queue.max === 0) continue
    count++
    messages += queue.max
  }
  return { version: 1, logEnd, queues: count, messages }
}
