import { createHash } from 'node:crypto'
import { open, readFile, realpath, rm } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import type { DiskLock } from './disk.ts'

/**
 * An exclusive lock on a file that ends with the process, kill -9 included. Node has no fcntl, so the lock is a listening local socket whose name
 * belongs to the file: on Linux an abstract socket named after device and inode, on Windows a named pipe, elsewhere a socket file next to it.
 *
 * A Java broker is seen by its POSIX lock (Linux, /proc/locks) when it is already running. One that is started later does not see this lock.
 * Abstract sockets belong to a network namespace: containers that share a folder but not a network do not see each other's.
 */
export async function lockFile(path: string): Promise<DiskLock | null> {
  const file = await open(path, 'a+')
  try {
    const status = await file.stat()
    const server = await listenAt(await addressOf(path, status.dev, status.ino))
    if (server === null) return null
    if (process.platform === 'linux' && (await isPosixLocked(path, status.dev, status.ino))) {
      await closeServer(server)
      return null
    }
    await writeMark(path)
    return { release: () => closeServer(server) }
  } finally {
    await file.close()
  }
}

/** The text a Java broker leaves in the file (spec store, 1.1). */
async function writeMark(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.write('lock', 0, 'latin1')
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Longest socket path that every system takes, in bytes. */
const socketPathBytesMax = 100

async function addressOf(path: string, device: number, inode: number): Promise<string> {
  if (process.platform === 'linux') return `\0cometmq-lock-${device}-${inode}`
  const real = await realpath(path)
  const digest = createHash('sha256').update(real).digest('hex').slice(0, 32)
  if (process.platform === 'win32') return `\\\\.\\pipe\\cometmq-lock-${digest}`
  const beside = real + '.sock'
  return Buffer.byteLength(beside) <= socketPathBytesMax ? beside : `${tmpdir()}/cometmq-${digest}.sock`
}

async function listenAt(address: string): Promise<Server | null> {
  const server = await tryListen(address)
  if (server !== null || address.startsWith('\0') || process.platform === 'win32') return server
  if (await isAnswered(address)) return null
  await rm(address, { force: true }) // left by a process that was killed
  return tryListen(address)
}

/** Null when the address is taken. */
function tryListen(address: string): Promise<Server | null> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(null) : reject(error)))
    // exclusive: workers of a cluster would otherwise share one socket, and so the lock.
    server.listen({ path: address, exclusive: true }, () => {
      server.unref()
      resolve(server)
    })
  })
}

function isAnswered(address: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(address)
    const finish = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', () => finish(true))
    socket.once('error', () => finish(false))
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => server.close(() => resolve()))
}

/** Whether any process holds a POSIX record lock on the file, as a Java broker does on its lock file (FileChannel.tryLock). */
async function isPosixLocked(path: string, device: number, inode: number): Promise<boolean> {
  const locks = await readFile('/proc/locks', 'latin1').catch(() => '')
  const devices = new Set([deviceName(device), await mountDevice(path)])
  for (const line of locks.split('\n')) {
    // `1: POSIX  ADVISORY  WRITE 4711 fd:01:1234567 0 0`
    const match = /\bPOSIX\s.*\s([0-9a-f]+):([0-9a-f]+):(\d+)\s/.exec(line)
    if (match === null || match[3] !== String(inode)) continue
    if (devices.has(`${parseInt(match[1]!, 16)}:${parseInt(match[2]!, 16)}`)) return true
  }
  return false
}

/** major:minor, decimal, of a device number in glibc's layout. */
function deviceName(device: number): string {
  const number = BigInt(device)
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n)
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n)
  return `${major}:${minor}`
}

/** major:minor of the mount that holds the file: on btrfs stat names a subvolume, /proc/locks the file system. */
async function mountDevice(path: string): Promise<string> {
  const real = await realpath(path)
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  let longest = -1
  let found = ''
  for (const line of mounts.split('\n')) {
    const [, , device, , mountPoint] = line.split(' ')
    if (device === undefined || mountPoint === undefined || mountPoint.length < longest) continue
    const prefix = mountPoint === '/' ? '/' : mountPoint + '/'
    if (!real.startsWith(prefix)) continue
    longest = mountPoint.length
    found = device
  }
  return found
}
