import { describe, expect, it } from 'vitest'
import { MemoryDisk, testDisk } from '../src/index.ts'

testDisk(
  'MemoryDisk',
  async () => {
    const disk = new MemoryDisk()
    await disk.makeFolder('/store')
    return { disk, folder: '/store', dispose: async () => {} }
  },
  { describe, it, expect },
)
