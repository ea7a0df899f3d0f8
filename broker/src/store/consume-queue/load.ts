import { positionName, StoreDamagedError } from '../commit-log/log-files.ts'
import { inParallel } from './parallel.ts'
import { ROW_BYTES } from './rows.ts'
import type { Shared } from './shared.ts'

/** A queue found on disk: its files begin at queue offset `first` and end before `end`. */
export interface FoundQueue {
  topic: string
  queueId: number
  first: number
  end: number
}

const REBUILD =
  'or remove the folders consumequeue and index and the file checkpoint and create an empty file abort: they are built again from the commit log'

/**
 * Walks `consumequeue/<topic>/<queueId>/` and checks names and sizes (exact size rule of spec store, 1.1). Rejects with a
 * StoreDamagedError that says what to do. What is no queue folder is left alone.
 */
export async function findQueues(
  shared: Shared,
  clean: boolean,
  found: (queue: FoundQueue) => Promise<void>,
  concurrency: number,
): Promise<void> {
  const { disk, folder } = shared
  const acceptShort = !clean && (await shared.note.isThere())
  const topics = (await disk.list(folder)).filter(entry => !entry.isFile)
  const queues: { topic: string; queueId: number }[] = []
  await inParallel(topics, concurrency, async topic => {
    for (const { name, isFile } of await disk.list(`${folder}/${topic.name}`)) {
      if (!isFile && /^(0|[1-9]\d{0,9})$/.test(name)) queues.push({ topic: topic.name, queueId: Number(name) })
    }
  })
  await inParallel(queues, concurrency, async ({ topic, queueId }) => {
    const files = await checkFiles(shared, `${folder}/${topic}/${queueId}`, acceptShort)
    await found({ topic, queueId, ...files })
  })
}

async function checkFiles(shared: Shared, folder: string, acceptShort: boolean): Promise<{ first: number; end: number }> {
  const { disk, fileBytes } = shared
  const entries = (await disk.list(folder)).filter(entry => entry.isFile)
  const last = entries[entries.length - 1]
  if (last !== undefined && last.size === 0) {
    await disk.remove(`${folder}/${last.name}`)
    entries.pop()
  }
  let next = -1
  for (const { name, size } of entries) {
    const path = `${folder}/${name}`
    const start = Number(name)
    if (!/^\d{20}$/.test(name) || start % fileBytes !== 0) throw new StoreDamagedError(foreign(path, fileBytes))
    if (size !== fileBytes && !(acceptShort && size < fileBytes && name === last?.name))
      throw new StoreDamagedError(wrongSize(path, size, fileBytes))
    if (next !== -1 && start !== next) {
      throw new StoreDamagedError(
        `a consume queue has a gap: ${folder}/${positionName(next)} is missing. Bring it back from a copy, ${REBUILD}`,
      )
    }
    if (size !== fileBytes) await lengthen(shared, path)
    next = start + fileBytes
  }
  const first = entries.length === 0 ? 0 : Number(entries[0]!.name) / ROW_BYTES
  return { first, end: entries.length === 0 ? 0 : next / ROW_BYTES }
}

/** A crash came between making the file and giving it its size. */
async function lengthen(shared: Shared, path: string): Promise<void> {
  const file = await shared.disk.open(path, { create: false })
  try {
    await file.truncate(shared.fileBytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

const foreign = (path: string, fileBytes: number): string =>
  `${path} is not the name of a consume queue file of ${fileBytes} bytes (mappedFileSizeConsumeQueue): ` +
  `move it elsewhere, start with the size this data was written with, ${REBUILD}`

const wrongSize = (path: string, size: number, fileBytes: number): string =>
  `${path} has ${size} bytes, expected ${fileBytes} (mappedFileSizeConsumeQueue): ` +
  `start with the size this data was written with, bring the file back from a copy, ${REBUILD}`
