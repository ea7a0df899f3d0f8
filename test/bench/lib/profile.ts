import { Session } from 'node:inspector/promises'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Runs `task` in this process; with a folder, writes a CPU profile of it there. */
export async function profiled<T>(folder: string | undefined, name: string, task: () => Promise<T>): Promise<T> {
  if (folder === undefined) return task()
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  try {
    return await task()
  } finally {
    const { profile } = await session.post('Profiler.stop')
    session.disconnect()
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, name.replace(/[^\w.-]+/g, '-') + '.cpuprofile'), JSON.stringify(profile))
  }
}
