import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** How a bench run was asked for. */
export interface BenchContext {
  /** Seconds each measurement lasts; warm-up comes before. */
  seconds: number
  warmupSeconds: number
  quick: boolean
  /** Folder for CPU profiles, when asked for. */
  profileFolder: string | undefined
  /** What `startBrokerProcess` needs to profile the broker of one row; undefined when no profiles were asked for. */
  profileOf(row: string): { folder: string; name: string } | undefined
  /** Folder on the disk to be measured; a new one for each use, removed afterwards. */
  withFolder<T>(task: (folder: string) => Promise<T>): Promise<T>
}

export function createContext(options: {
  quick: boolean
  profileFolder: string | undefined
  work: string | undefined
}): BenchContext {
  return {
    seconds: options.quick ? 2 : 6,
    warmupSeconds: options.quick ? 1 : 2,
    quick: options.quick,
    profileFolder: options.profileFolder,
    profileOf: row => (options.profileFolder === undefined ? undefined : { folder: options.profileFolder, name: row }),
    async withFolder(task) {
      const folder = mkdtempSync(join(options.work ?? tmpdir(), 'comet-bench-'))
      try {
        return await task(folder)
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    },
  }
}
