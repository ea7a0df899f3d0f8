import type { ConsumeQueues } from './consume-queue/queues.ts'
import { type Disk, readWholeFile, replaceWholeFile } from './disk.ts'
import type { KeyIndex } from './key-index/key-index.ts'

/**
 * What was derived from the log and made durable, noted at each checkpoint, so that the next start finds out when some of it is
 * missing. Ours alone: RocketMQ ignores it. Losing it only loses the check.
 */
interface Manifest {
  version: 1
  /** Topic → max offset of each queue, by queue id; null where there is none. */
  queues: Record<string, (number | null)[]>
  /** Position of the newest message in the key index. */
  indexEnd: number
}

const pathIn = (folder: string): string => folder + '/config/derived.json'

/** A picture of what is in memory now; write it when all of that is durable. */
export function describeDerived(queues: ConsumeQueues, index: KeyIndex | null): string {
  const manifest: Manifest = { version: 1, queues: {}, indexEnd: index?.endPhy ?? 0 }
  for (const queue of queues.all()) {
    if (queue.max === 0) continue
    const ofTopic = (manifest.queues[queue.topic] ??= [])
    while (ofTopic.length < queue.queueId) ofTopic.push(null)
    ofTopic[queue.queueId] = queue.max
  }
  return JSON.stringify(manifest)
}

export const writeManifest = (disk: Disk, folder: string, text: string): Promise<void> =>
  replaceWholeFile(disk, pathIn(folder), Buffer.from(text))

/** What is missing of what the manifest promises, in words; null when all is there or nothing is known. */
export async function findMissing(
  disk: Disk,
  folder: string,
  queues: ConsumeQueues,
  index: KeyIndex | null,
): Promise<string | null> {
  const bytes = await readWholeFile(disk, pathIn(folder))
  if (bytes === null) return null
  let manifest: Manifest
  try {
    manifest = JSON.parse(bytes.toString()) as Manifest
  } catch {
    return null
  }
  for (const [topic, maxima] of Object.entries(manifest.queues ?? {})) {
    for (const [queueId, max] of maxima.entries()) {
      const found = queues.get(topic, queueId)?.max ?? 0
      if (max !== null && found < max) return `queue ${queueId} of ${topic} ends at ${found}, it was at ${max}`
    }
  }
  if (index !== null && index.endPhy < manifest.indexEnd)
    return `the key index ends at ${index.endPhy}, it was at ${manifest.indexEnd}`
  return null
}
