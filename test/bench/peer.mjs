#!/usr/bin/env node
/**
 * Starts and stops `comet serve` for a comparison with other brokers: `peer.mjs up DIR [--sync|--async]` returns when clients are accepted
 * and leaves the process id in DIR/comet.pid, `peer.mjs down DIR` ends it. PORT (29876) is the name server's port, BROKER_PORT (29911)
 * the broker's.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [action, folder, flush] = process.argv.slice(2)
if ((action !== 'up' && action !== 'down') || folder === undefined) {
  console.error('usage: peer.mjs up DIR [--sync|--async] | down DIR')
  process.exit(2)
}
const comet = join(dirname(fileURLToPath(import.meta.url)), '../../packages/cli/bin/comet.js')
const pidFile = join(folder, 'comet.pid')
const wait = ms => new Promise(done => setTimeout(done, ms))
const alive = pid => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

if (action === 'up') {
  mkdirSync(folder, { recursive: true })
  const ready = join(folder, 'ready.json')
  rmSync(ready, { force: true })
  const args = ['serve', '--data', join(folder, 'data'), '--host', '127.0.0.1', '--ready-file', ready]
  args.push('--nameserver-port', process.env.PORT ?? '29876', '--broker-port', process.env.BROKER_PORT ?? '29911')
  args.push('--set', `flushDiskType=${flush === '--async' ? 'ASYNC_FLUSH' : 'SYNC_FLUSH'}`)
  const log = openSync(join(folder, 'out'), 'a')
  const extra = (process.env.COMET_NODE_OPTIONS ?? '').split(' ').filter(Boolean)
  const child = spawn(process.execPath, [...extra, comet, ...args], { detached: true, stdio: ['ignore', log, log] })
  child.unref()
  while (!existsSync(ready)) {
    if (child.exitCode !== null) {
      console.error(readFileSync(join(folder, 'out'), 'utf8'))
      process.exit(1)
    }
    await wait(10)
  }
  writeFileSync(pidFile, String(child.pid))
} else if (existsSync(pidFile)) {
  const pid = Number(readFileSync(pidFile, 'utf8'))
  if (alive(pid)) process.kill(pid, 'SIGTERM')
  while (alive(pid)) await wait(10)
  rmSync(pidFile)
}
