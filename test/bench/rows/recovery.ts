import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createNodeDisk, openStore } from '@cometmq/broker/store'
import { silentLogger, systemClock } from '@cometmq/remoting'
import type { BenchContext } from '../lib/context.ts'
import { profiled } from '../lib/profile.ts'
import type { Row } from '../lib/report.ts'
import { benchMessages, openBenchStore, STORE_HOST } from '../lib/store.ts'

/** Opening a log again after a crash: as it really is (a checkpoint at most 256 MiB old), and with nothing but the log. */
export async function recoveryRows(context: BenchContext): Promise<Row[]> {
  const count = context.quick ? 500_000 : 10_000_000
  return context.withFolder(async folder => {
    const data = join(folder, 'data')
    const store = await openBenchStore(data, 'ASYNC_FLUSH')
    const next = benchMessages(128, 8)
    for (let n = 0; n < count;) {
      for (let i = 0; i < 1000 && n < count; i++) if (store.append(next(n)).status === 'PUT_OK') n++
      await new Promise(resolve => setImmediate(resolve))
    }
    await store.flush()
    // What a killed process leaves: the state on disk at this moment, copied before the clean close.
    const crashed = join(folder, 'crashed')
    cpSync(data, crashed, { recursive: true, filter: source => !source.endsWith('/lock') })
    const bytes = store.stats().appended
    await store.close()
    rmSync(data, { recursive: true, force: true })
    const rows: Row[] = []
    for (const [name, whole] of [
      ['with its checkpoint', false],
      ['from the log alone', true],
    ] as const) {
      const target = join(folder, 'open')
      cpSync(crashed, target, { recursive: true })
      if (whole)
        for (const part of ['consumequeue', 'index', 'checkpoint']) rmSync(join(target, part), { recursive: true, force: true })
      const startedAt = performance.now()
      const options = { disk: createNodeDisk(), clock: systemClock, logger: silentLogger, folder: target, storeHost: STORE_HOST }
      const again = await profiled(context.profileFolder, `recovery ${name}`, () =>
        openStore({ ...options, flushDiskType: 'ASYNC_FLUSH' }),
      )
      const ms = performance.now() - startedAt
      let messages = 0
      for (const { topic, queueId } of again.queues()) messages += again.maxOffset(topic, queueId)
      if (messages !== count) throw new Error(`${count} messages were stored, ${messages} are there`)
      await again.close()
      rmSync(target, { recursive: true, force: true })
      const detail = { messages, GiB: bytes / 2 ** 30, 'ms/GiB': ms / (bytes / 2 ** 30) }
      rows.push({ name: `recovery of an unclean log ${name}`, unit: 'ms', value: ms, detail })
    }
    return rows
  })
}
