import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createNodeDisk } from '../../src/store/node-disk.ts'

const disk = createNodeDisk()
let folder = ''
const children: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cometmq-disk-'))
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await rm(folder, { recursive: true })
})

/** Starts a program that prints a line when it holds the lock, and waits for that line. */
async function holder(command: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] as const })
  children.push(child)
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  expect(line.toString().trim()).toBe('held')
  return child
}

const lockSource = fileURLToPath(new URL('../../src/store/node-lock.ts', import.meta.url))
const lockProgram = `
const { lockFile } = await import(process.argv[1])
console.log((await lockFile(process.argv[2])) === null ? 'refused' : 'held')
process.stdin.resume()`

/** A process of its own that runs the lock's source, which needs nothing but Node.js. */
function lockInAnotherProcess(path: string): Promise<ChildProcess> {
  const module = `${folder}/node-lock.mjs`
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
  writeFileSync(module, ts.transpileModule(readFileSync(lockSource, 'utf8'), { compilerOptions: options }).outputText)
  return holder(process.execPath, ['--input-type=module', '-e', lockProgram, module, path])
}

describe('lock', () => {
  it('is held against another process until that is killed with SIGKILL', async () => {
    const path = `${folder}/lock`
    const child = await lockInAnotherProcess(path)
    expect(await disk.lock(path)).toBe(null)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const lock = await disk.lock(path)
    expect(lock).not.toBe(null)
    expect(readFileSync(path, 'latin1')).toBe('lock')
    await lock!.release()
  })

  it('belongs to the file, not to the name it is reached by', async () => {
    symlinkSync(folder, `${folder}/link`)
    const lock = await disk.lock(`${folder}/lock`)
    expect(await disk.lock(`${folder}/link/lock`)).toBe(null)
    await lock!.release()
  })

  it('is not given in a folder that does not exist', async () => {
    await expect(disk.lock(`${folder}/no/lock`)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  // What a running Java broker holds: FileChannel.tryLock(0, 1, false) is fcntl(F_SETLK) with F_WRLCK on byte 0.
  it.skipIf(!canLockPosix())('is refused while another process holds a POSIX lock on the file', async () => {
    const path = `${folder}/lock`
    writeFileSync(path, 'lock')
    const program =
      'import fcntl,sys\nf=open(sys.argv[1],"r+")\nfcntl.lockf(f,fcntl.LOCK_EX|fcntl.LOCK_NB,1,0)\nprint("held",flush=True)\nsys.stdin.read()'
    const child = await holder('python3', ['-c', program, path])
    expect(await disk.lock(path)).toBe(null)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const lock = await disk.lock(path)
    expect(lock).not.toBe(null)
    await lock!.release()
  })
})

describe('files', () => {
  it('extended by truncate are sparse', async () => {
    const file = await disk.open(`${folder}/a`, { create: true })
    await file.truncate(400_000_000)
    await file.write([Buffer.from('x')], 300_000_000)
    await file.sync()
    await file.close()
    const status = statSync(`${folder}/a`)
    expect(status.size).toBe(400_000_000)
    expect(status.blocks * 512).toBeLessThan(1_000_000)
  })

  it('of a full partition fail with ENOSPC', async () => {
    if (!existsSync('/dev/full')) return
    const file = await disk.open('/dev/full', { create: false })
    await expect(file.write([Buffer.from('x')], 0)).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(file.write([Buffer.from('x'), Buffer.from('y')], 0)).rejects.toMatchObject({ code: 'ENOSPC' })
    await file.close()
  })

  it('of more than 4 GiB keep their positions', async () => {
    const file = await disk.open(`${folder}/a`, { create: true })
    const position = 2 ** 33 + 5
    await file.write([Buffer.from('far'), Buffer.from('away')], position)
    const target = Buffer.alloc(7)
    expect(await file.read(target, position)).toBe(7)
    expect(target.toString()).toBe('faraway')
    await file.close()
  })

  it.skipIf(!existsSync('/proc/self/fd'))('leave no descriptor open', async () => {
    const open = (): string[] =>
      readdirSync('/proc/self/fd')
        .map(name => readLink(`/proc/self/fd/${name}`))
        .filter(target => target.startsWith(folder))
    const file = await disk.open(`${folder}/a`, { create: true, syncEachWrite: true })
    expect(open()).toEqual([`${folder}/a`])
    await file.close()
    const lock = await disk.lock(`${folder}/lock`)
    await disk.syncFolder(folder)
    await lock!.release()
    expect(open()).toEqual([])
  })
})

describe('usage', () => {
  it('counts as Java does: used / (used + usable)', async () => {
    const { totalBytes, freeBytes } = await disk.usage(folder)
    // df rounds its percentage up, from the same numbers.
    const percent = Number(/(\d+)%/.exec(execFileSync('df', ['-P', folder]).toString())?.[1])
    expect(Math.abs(Math.ceil(((totalBytes - freeBytes) / totalBytes) * 100) - percent)).toBeLessThanOrEqual(1)
  })
})

/** '' for a descriptor that is gone by now. */
function readLink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

function canLockPosix(): boolean {
  if (process.platform !== 'linux' || !existsSync('/proc/locks')) return false
  try {
    execFileSync('python3', ['-c', 'import fcntl'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
