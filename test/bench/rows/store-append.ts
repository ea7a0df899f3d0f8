import { performance } from 'node:perf_hooks'
import { closeSync, constants, fdatasync, ftruncateSync, openSync, write } from 'node:fs'
import { join } from 'node:path'
import type { NewMessage, Store } from '@cometmq/broker/store'
import type { BenchContext } from '../lib/context.ts'
import { profiled } from '../lib/profile.ts'
import type { Row } from '../lib/report.ts'
import { benchMessages, type Flush, openBenchStore } from '../lib/store.ts'

/** As fast as the store takes them, at most `window` unacknowledged. Counts acknowledged messages only. */
async function pump(
  store: Store,
  flush: Flush,
  next: (n: number) => NewMessage,
  window: number,
  seconds: number,
): Promise<{ count: number; seconds: number; rounds: number }> {
  const sync = { rounds: 0, wake: undefined as (() => void) | undefined }
  let acknowledged = 0
  const ends: number[] = []
  let head = 0
  const durable = (written: number, synced: number): void => {
    const upTo = flush === 'SYNC_FLUSH' ? synced : written
    sync.rounds++
    while (head < ends.length && ends[head]! <= upTo) {
      head++
      acknowledged++
    }
    if (head > 65_536) {
      ends.splice(0, head)
      head = 0
    }
    sync.wake?.()
  }
  store.onProgress(durable)
  const startedAt = performance.now()
  let n = 0
  let refusals = 0
  while (performance.now() - startedAt < seconds * 1000) {
    for (let i = 0; i < 512 && ends.length - head < window; i++) {
      const result = store.append(next(n))
      if (result.status !== 'PUT_OK') {
        refusals++
        break
      }
      n++
      ends.push(result.endOffset)
    }
    await new Promise<void>(resolve => {
      if (ends.length - head < window && refusals === 0) setImmediate(resolve)
      else sync.wake = resolve
    })
    sync.wake = undefined
    refusals = 0
  }
  while (head < ends.length) await new Promise<void>(resolve => (sync.wake = resolve))
  return { count: acknowledged, seconds: (performance.now() - startedAt) / 1000, rounds: sync.rounds }
}

/** What the disk allows a group commit: one write and one fdatasync after the other, each with the bytes of one round. */
async function rawSyncRate(folder: string, bytes: number, seconds: number): Promise<number> {
  const fd = openSync(join(folder, 'raw'), constants.O_RDWR | constants.O_CREAT)
  ftruncateSync(fd, 2 ** 30)
  const buffer = Buffer.alloc(bytes, 0x61)
  const startedAt = performance.now()
  let rounds = 0
  while (performance.now() - startedAt < seconds * 1000) {
    await new Promise<void>((resolve, reject) =>
      write(fd, buffer, 0, bytes, rounds * bytes, error => (error ? reject(error) : resolve())),
    )
    await new Promise<void>((resolve, reject) => fdatasync(fd, error => (error ? reject(error) : resolve())))
    rounds++
  }
  closeSync(fd)
  return rounds / ((performance.now() - startedAt) / 1000)
}

export async function storeAppendRows(context: BenchContext): Promise<Row[]> {
  const rows: Row[] = []
  for (const bodyBytes of [128, 1024]) {
    for (const flush of ['ASYNC_FLUSH', 'SYNC_FLUSH'] as const) {
      const name = `store append ${bodyBytes} B ${flush === 'SYNC_FLUSH' ? 'sync' : 'async'}`
      rows.push(
        await context.withFolder(async folder => {
          const store = await openBenchStore(folder, flush)
          const next = benchMessages(bodyBytes, 8)
          await pump(store, flush, next, 100_000, context.warmupSeconds)
          const { count, seconds } = await profiled(context.profileFolder, name, () =>
            pump(store, flush, next, 100_000, context.seconds),
          )
          await store.close()
          const goal = bodyBytes === 128 && flush === 'ASYNC_FLUSH' ? { goal: { value: 800_000 } } : {}
          return { name, unit: 'messages/s', value: count / seconds, ...goal }
        }),
      )
    }
  }
  rows.push(await groupCommitRow(context))
  return rows
}

/** 64 in flight with sync flush against the rate at which this disk syncs such rounds. */
async function groupCommitRow(context: BenchContext): Promise<Row> {
  return context.withFolder(async folder => {
    const store = await openBenchStore(folder, 'SYNC_FLUSH')
    const next = benchMessages(128, 8)
    await pump(store, 'SYNC_FLUSH', next, 64, context.warmupSeconds)
    const before = store.stats().written
    const { count, seconds, rounds } = await profiled(context.profileFolder, 'store group commit 64', () =>
      pump(store, 'SYNC_FLUSH', next, 64, context.seconds),
    )
    const bytesPerRound = Math.max(1, Math.round((store.stats().written - before) / rounds))
    await store.close()
    const raw = await rawSyncRate(folder, bytesPerRound, context.seconds)
    const perRound = count / rounds
    return {
      name: 'store append 128 B sync, 64 in flight',
      unit: 'messages/s',
      value: count / seconds,
      goal: { value: 0.9 * raw * perRound },
      detail: { 'rounds/s': rounds / seconds, 'raw write+fdatasync/s': raw, 'messages/round': perRound },
    }
  })
}
