import { execFileSync, type ExecFileSyncOptionsWithStringEncoding } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export type Role = 'serve' | 'broker' | 'nameserver'

/** What a running server leaves in its data folder, so that others find it and do not mistake another process for it. */
export interface ProcessFile {
  pid: number
  /** Start of the process in the words of the operating system: a later process of the same id has another. */
  started: string
  role: Role
  version: string
}

export const processFilePath = (dataFolder: string, role: Role): string => join(dataFolder, `comet-${role}.pid`)

/** Undefined when there is no such process, or the system does not tell. */
export function processStart(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') return linuxStart(pid)
    if (process.platform === 'win32')
      return execFileSync(
        'powershell',
        ['-NoProfile', '-Command', `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`],
        quiet,
      ).trim()
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], quiet).trim() || undefined
  } catch {
    return undefined
  }
}

const quiet: ExecFileSyncOptionsWithStringEncoding = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 10_000 }

/** Field 22 of /proc/PID/stat, clock ticks since boot; the process name before it may hold blanks and brackets. */
function linuxStart(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? undefined : fields[19]
}

/** Null when there is no readable file. */
export function readProcessFile(path: string): ProcessFile | null {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessFile>
    return Number.isInteger(value.pid) && value.pid! > 1 && typeof value.started === 'string' ? (value as ProcessFile) : null
  } catch {
    return null
  }
}

/** True when exactly the process that wrote the file is still there. */
export const isRunning = (file: ProcessFile): boolean => processStart(file.pid) === file.started

export function writeProcessFile(dataFolder: string, role: Role, version: string): void {
  const started = processStart(process.pid) ?? ''
  writeWhole(
    processFilePath(dataFolder, role),
    JSON.stringify({ pid: process.pid, started, role, version } satisfies ProcessFile),
  )
}

export function removeFile(path: string): void {
  rmSync(path, { force: true })
}

/** A reader sees the whole text or no file. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}.tmp`
  writeFileSync(temporary, text)
  renameSync(temporary, path)
}
