import { execFile, type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** What npm tells the scripts that it runs would make an npm below them work in the wrong folder. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(package|lifecycle|config_local_prefix)|NODE_OPTIONS$|VITEST)/i.test(name),
    ),
  )

/** Output of a program; rejects with both its outputs in the message when it fails. */
export async function run(folder: string, program: string, args: readonly string[]): Promise<string> {
  try {
    const isWindows = process.platform === 'win32'
    const { stdout } = await execute(program, args, { cwd: folder, env: environment(), maxBuffer: 1 << 26, shell: isWindows })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error })
  }
}

export const runNode = (folder: string, ...args: string[]): Promise<string> => run(folder, process.execPath, args)

export interface Started {
  readonly child: ChildProcess
  /** Content of the ready file. */
  readonly ready: unknown
}

/** A server that writes a ready file, found in `folder`. Rejects when it ends before. */
export function start(folder: string, readyFile: string, args: readonly string[]): Promise<Started> {
  const child = spawn(process.execPath, args, { cwd: folder, env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()))
  return new Promise((resolve, reject) => {
    const watcher = watch(dirname(readyFile), (_event, name) => name === basename(readyFile) && look())
    const look = (): void => {
      if (!existsSync(readyFile)) return
      const text = readFileSync(readyFile, 'utf8')
      if (text === '') return // seen between its making and its writing
      watcher.close()
      resolve({ child, ready: JSON.parse(text) })
    }
    child.once('exit', code => {
      watcher.close()
      reject(new Error(`ended with ${code} before it was ready:\n${output}`))
    })
    look()
  })
}

/** Resolves with the exit code. */
export const stop = (child: ChildProcess): Promise<number | null> =>
  new Promise(resolve => {
    child.removeAllListeners('exit')
    if (child.exitCode !== null) return resolve(child.exitCode)
    child.once('exit', resolve)
    child.kill('SIGTERM')
  })
