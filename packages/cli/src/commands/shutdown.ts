import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { CliError } from '../errors.ts'
import { ExitCode } from '../exit-codes.ts'
import { type Io } from '../io.ts'
import { isRunning, processFilePath, type ProcessFile, readProcessFile, type Role } from '../process-file.ts'
import { dataFolderOf, type ReadyFile } from './server.ts'

export interface ShutdownOptions {
  data?: string
  readyFile?: string
  /** ms */
  timeout: number
}

const betweenLooksMs = 50

/** `comet shutdown broker|nameserver`: signals exactly the process that wrote the process file, and waits until it is gone. */
export async function shutdown(io: Io, server: string, options: ShutdownOptions): Promise<number> {
  if (server !== 'broker' && server !== 'nameserver')
    throw new CliError('E_USAGE', `cannot stop ${server}`, 'only broker and nameserver can be stopped', {
      whatToDo: 'comet shutdown broker',
    })
  const dataFolder =
    options.readyFile === undefined ? dataFolderOf(io, options) : folderOfReadyFile(resolve(io.cwd, options.readyFile))
  const file = findRunning(dataFolder, [server, 'serve'])
  if (!file)
    throw new CliError('E_NOT_RUNNING', `no ${server} is running`, `nothing that runs has left its process file in ${dataFolder}`)
  if (file.role === 'serve') io.err(`process ${file.pid} is comet serve: name server and broker stop together\n`)
  process.kill(file.pid, 'SIGTERM')
  const deadline = performance.now() + options.timeout
  while (isRunning(file)) {
    if (performance.now() > deadline)
      throw new CliError('E_STOP', `process ${file.pid} does not end`, `it was asked to ${options.timeout} ms ago`)
    await wait(betweenLooksMs)
  }
  io.out(`stopped process ${file.pid} (${file.role === 'serve' ? 'comet serve' : file.role})\n`)
  return ExitCode.OK
}

function folderOfReadyFile(path: string): string {
  try {
    return (JSON.parse(readFileSync(path, 'utf8')) as ReadyFile).dataFolder
  } catch (cause) {
    throw new CliError('E_NOT_RUNNING', 'nothing to stop', `the ready file cannot be read: ${(cause as Error).message}`, {
      cause,
    })
  }
}

function findRunning(dataFolder: string, roles: readonly Role[]): ProcessFile | undefined {
  for (const role of roles) {
    const file = readProcessFile(processFilePath(dataFolder, role))
    if (file && isRunning(file)) return file
  }
  return undefined
}
