import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNodeDisk } from '@cometmq/broker/store'
import { MemoryDisk } from '@cometmq/testkit'
import { storeSuite } from './store-suite.ts'

storeSuite('a disk in memory', () =>
  Promise.resolve({ disk: new MemoryDisk(), folder: '/store', dispose: () => Promise.resolve() }),
)

storeSuite('a real disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'comet-store-'))
  return { disk: createNodeDisk(), folder, dispose: () => rm(folder, { recursive: true, force: true }) }
})
