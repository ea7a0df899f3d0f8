import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** Runs `task` while no other process runs one under the same `folder`; a lock left by a dead process is taken over. */
export async function withLock(folder, task) {
  for (;;) {
    if (take(folder)) break
    await wait(100)
  }
  try {
    return await task()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function take(folder) {
  try {
    mkdirSync(folder)
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
    if (ownerIsDead(folder)) rmSync(folder, { recursive: true, force: true })
    return false
  }
  writeFileSync(`${folder}/pid`, String(process.pid))
  return true
}

function ownerIsDead(folder) {
  let pid
  try {
    pid = Number(readFileSync(`${folder}/pid`, 'utf8'))
  } catch {
    return false // the owner is between its two steps
  }
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}
