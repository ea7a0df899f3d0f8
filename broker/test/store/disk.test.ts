import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testDisk } from '@cometmq/testkit'
import { describe, expect, it } from 'vitest'
import { createNodeDisk } from '../../src/store/node-disk.ts'

testDisk(
  'node disk',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cometmq-disk-'))
    return { disk: createNodeDisk(), folder, dispose: () => rm(folder, { recursive: true }) }
  },
  { describe, it, expect },
)
