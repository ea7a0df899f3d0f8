import { type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { brokerClassPath } from './build.ts'
import { javaFlags } from './java.ts'
import { freePort, poll, start, stop } from './process.ts'
import type { Server } from './server.ts'

export interface ApacheOptions {
  version: string
  /** Holds ns/ and broker/; the store is broker/store. */
  folder: string
  /** broker.conf keys. */
  settings?: Record<string, string>
}

/** Starts a real Apache name server and broker; resolves when the broker is registered. */
export async function startApache(options: ApacheOptions): Promise<Server> {
  const namePort = await freePort(0)
  const brokerPort = await freePort(2)
  const nameServer = `127.0.0.1:${namePort}`
  const broker = `127.0.0.1:${brokerPort}`
  const ns = java(options, 'ns', 'org.apache.rocketmq.namesrv.NamesrvStartup', {
    listenPort: `${namePort}`,
    bindAddress: '127.0.0.1',
  })
  const running = java(options, 'broker', 'org.apache.rocketmq.broker.BrokerStartup', {
    brokerClusterName: 'DefaultCluster',
    brokerName: 'broker-a',
    brokerIP1: '127.0.0.1',
    brokerIP2: '127.0.0.1',
    bindAddress: '127.0.0.1',
    listenPort: `${brokerPort}`,
    haListenPort: `${brokerPort + 1}`,
    namesrvAddr: nameServer,
    storePathRootDir: 'store',
    mappedFileSizeCommitLog: '16777216',
    diskMaxUsedSpaceRatio: '95',
    ...options.settings,
  })
  await poll('registration of the broker', 60_000, async () => {
    if (running.exitCode !== null) throw new Error(`the Java broker stopped: ${tail(options, 'broker')}`)
    return (await clusterInfo(namePort)).includes(`"${broker}"`) ? true : undefined
  })
  return {
    nameServer,
    broker,
    brokerName: options.settings?.['brokerName'] ?? 'broker-a',
    cluster: options.settings?.['brokerClusterName'] ?? 'DefaultCluster',
    stop: async signal => {
      await stop(running, signal)
      await stop(ns, signal)
    },
  }
}

/** A broker works inside its folder with relative paths, so that a store can be moved. */
function java(options: ApacheOptions, name: string, main: string, settings: Record<string, string>): ChildProcess {
  const cwd = join(options.folder, name)
  mkdirSync(cwd, { recursive: true })
  writeFileSync(
    join(cwd, 'conf'),
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const lines: string[] = []
  const flags = [...javaFlags(cwd), '-Drocketmq.broker.diskSpaceWarningLevelRatio=0.98', '-cp', brokerClassPath(options.version)]
  const child = start('java', [...flags, main, '-c', 'conf'], line => lines.push(line), { cwd })
  child.stderr?.resume()
  child.once('exit', () => writeFileSync(join(cwd, 'out'), lines.join('\n')))
  return child
}

const tail = (options: ApacheOptions, name: string): string => {
  const file = join(options.folder, name, 'out')
  return existsSync(file) ? readFileSync(file, 'utf8').slice(-500) : ''
}

/** The answer of a name server to request 106 as text; '' when it does not answer. */
function clusterInfo(port: number): Promise<string> {
  const header = Buffer.from('{"code":106,"flag":0,"language":"JAVA","opaque":1,"version":401}')
  const frame = Buffer.alloc(8)
  frame.writeInt32BE(header.length + 4, 0)
  frame.writeInt32BE(header.length, 4)
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.concat([frame, header])))
    const chunks: Buffer[] = []
    const done = () => {
      socket.destroy()
      resolve(Buffer.concat(chunks).toString('latin1'))
    }
    socket.setTimeout(2000, done)
    socket.on('error', done)
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      const all = Buffer.concat(chunks)
      if (all.length >= 4 && all.length >= 4 + all.readInt32BE(0)) done()
    })
  })
}
