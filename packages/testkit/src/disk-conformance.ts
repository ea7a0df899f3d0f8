import type { Disk } from '@cometmq/broker/store'

/** What the suite uses of the test runner; vitest's own functions fit. */
export interface TestTools {
  describe: (name: string, body: () => void) => void
  it: (name: string, body: () => Promise<void>) => void
  expect: (value: unknown) => Expectation
}

interface Expectation {
  toBe(value: unknown): void
  toEqual(value: unknown): void
  toMatchObject(value: object): void
  toBeGreaterThan(value: number): void
  readonly not: { toBe(value: unknown): void }
  readonly rejects: { toMatchObject(value: object): Promise<void> }
}

export type DiskFactory = () => Promise<{
  disk: Disk
  /** An existing empty folder. */
  folder: string
  dispose: () => Promise<void>
}>

/** What every Disk must do. Run over each implementation. */
export function testDisk(name: string, create: DiskFactory, { describe, it, expect }: TestTools): void {
  const on = (title: string, body: (disk: Disk, folder: string) => Promise<void>): void =>
    it(title, async () => {
      const { disk, folder, dispose } = await create()
      try {
        await body(disk, folder)
      } finally {
        await dispose()
      }
    })

  describe(`${name}: files`, () => {
    on('open fails with ENOENT without create, or without the folder', async (disk, folder) => {
      await expect(disk.open(`${folder}/a`, { create: false })).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(disk.open(`${folder}/no/a`, { create: true })).rejects.toMatchObject({ code: 'ENOENT' })
      await expect(disk.open(folder, { create: false })).rejects.toMatchObject({ code: 'EISDIR' })
    })

    on('open with create keeps what is there', async (disk, folder) => {
      const first = await disk.open(`${folder}/a`, { create: true })
      await first.write([text('abc')], 0)
      await first.close()
      const second = await disk.open(`${folder}/a`, { create: true })
      expect(second.path).toBe(`${folder}/a`)
      expect(await contentOf(second)).toEqual('abc')
      await second.close()
    })

    on('write joins buffers, also many and empty ones, with and without syncEachWrite', async (disk, folder) => {
      for (const syncEachWrite of [false, true]) {
        const file = await disk.open(`${folder}/a${syncEachWrite}`, { create: true, syncEachWrite })
        await file.write([text('ab'), text(''), text('cd')], 2)
        await file.write([], 0)
        await file.write([text('')], 100)
        expect(await contentOf(file)).toEqual('\0\0abcd')
        // More buffers than one system call takes (IOV_MAX is 1024).
        const many = Array.from({ length: 3000 }, (_, index) => Uint8Array.of(index & 0xff, index >> 8))
        await file.write(many, 1)
        const back = new Uint8Array(6000)
        expect(await file.read(back, 1)).toBe(6000)
        expect(back).toEqual(Uint8Array.from(many.flatMap(pair => [...pair])))
        await file.close()
      }
    })

    on('write may reuse its buffers afterwards, and takes views', async (disk, folder) => {
      const file = await disk.open(`${folder}/a`, { create: true })
      const buffer = text('xabcx')
      await file.write([buffer.subarray(1, 4)], 0)
      buffer.fill(0)
      expect(await contentOf(file)).toEqual('abc')
      await file.close()
    })

    on('read fills the target except at the end of the file', async (disk, folder) => {
      const file = await disk.open(`${folder}/a`, { create: true })
      await file.write([text('abcdef')], 0)
      const target = new Uint8Array(4).fill(9)
      expect(await file.read(target, 1)).toBe(4)
      expect(target).toEqual(text('bcde'))
      expect(await file.read(target, 4)).toBe(2)
      expect(target).toEqual(text('efde'))
      expect(await file.read(target, 6)).toBe(0)
      expect(await file.read(target, 1000)).toBe(0)
      expect(await file.read(new Uint8Array(0), 0)).toBe(0)
      await file.close()
    })

    on('a hole reads as zeros', async (disk, folder) => {
      const file = await disk.open(`${folder}/a`, { create: true })
      await file.write([text('a')], 1_000_000)
      const target = new Uint8Array(20_000).fill(9)
      expect(await file.read(target, 985_001)).toBe(15_000)
      expect(target.subarray(0, 14_999).every(byte => byte === 0)).toBe(true)
      expect(target[14_999]).toBe(97)
      await file.close()
    })

    on('truncate cuts and extends with zeros', async (disk, folder) => {
      const file = await disk.open(`${folder}/a`, { create: true })
      await file.write([text('abcdef')], 0)
      await file.truncate(2)
      expect(await file.size()).toBe(2)
      await file.truncate(4)
      expect(await contentOf(file)).toEqual('ab\0\0')
      await file.truncate(10_000_000_000)
      expect(await file.size()).toBe(10_000_000_000)
      expect(await file.read(new Uint8Array(8), 9_999_999_996)).toBe(4)
      await file.sync()
      await file.close()
    })

    on('two handles see the same bytes, and a removed or renamed file lives on in its handle', async (disk, folder) => {
      const one = await disk.open(`${folder}/a`, { create: true })
      const two = await disk.open(`${folder}/a`, { create: false })
      await one.write([text('abc')], 0)
      expect(await contentOf(two)).toEqual('abc')
      await disk.rename(`${folder}/a`, `${folder}/b`)
      await one.write([text('d')], 3)
      expect(await contentOf(two)).toEqual('abcd')
      await disk.remove(`${folder}/b`)
      await one.write([text('e')], 4)
      await one.sync()
      expect(await contentOf(two)).toEqual('abcde')
      await one.close()
      await two.close()
    })

    on('a closed file refuses everything but close', async (disk, folder) => {
      const file = await disk.open(`${folder}/a`, { create: true })
      await file.close()
      await file.close()
      await expect(file.write([text('a')], 0)).rejects.toMatchObject({ code: 'EBADF' })
      await expect(file.read(new Uint8Array(1), 0)).rejects.toMatchObject({ code: 'EBADF' })
      await expect(file.sync()).rejects.toMatchObject({ code: 'EBADF' })
      await expect(file.truncate(0)).rejects.toMatchObject({ code: 'EBADF' })
      await expect(file.size()).rejects.toMatchObject({ code: 'EBADF' })
    })

    on('writes under way at the same time all land', async (disk, folder) => {
      const file = await disk.open(`${folder}/a`, { create: true })
      await Promise.all(Array.from({ length: 100 }, (_, index) => file.write([new Uint8Array(700).fill(index)], index * 700)))
      const all = new Uint8Array(70_000)
      expect(await file.read(all, 0)).toBe(70_000)
      expect(all.every((byte, index) => byte === Math.floor(index / 700))).toBe(true)
      await file.close()
    })
  })

  describe(`${name}: names`, () => {
    on('list is sorted, and empty for a missing folder', async (disk, folder) => {
      for (const path of ['b', 'B', 'a', '10', '9']) await (await disk.open(`${folder}/${path}`, { create: true })).close()
      await disk.makeFolder(`${folder}/aa/deep`)
      const file = await disk.open(`${folder}/9`, { create: false })
      await file.write([text('123')], 0)
      await file.close()
      const entries = await disk.list(folder)
      expect(entries.map(entry => [entry.name, entry.size, entry.isFile])).toEqual([
        ['10', 0, true],
        ['9', 3, true],
        ['B', 0, true],
        ['a', 0, true],
        ['aa', 0, false],
        ['b', 0, true],
      ])
      expect(await disk.list(`${folder}/missing`)).toEqual([])
    })

    on('stat', async (disk, folder) => {
      expect(await disk.stat(`${folder}/a`)).toBe(null)
      const file = await disk.open(`${folder}/a`, { create: true })
      await file.truncate(7)
      await file.close()
      expect(await disk.stat(`${folder}/a`)).toMatchObject({ name: 'a', size: 7, isFile: true })
      await disk.makeFolder(`${folder}/f`)
      expect(await disk.stat(`${folder}/f`)).toMatchObject({ name: 'f', size: 0, isFile: false })
    })

    on('makeFolder makes parents and may be repeated', async (disk, folder) => {
      await disk.makeFolder(`${folder}/a/b/c`)
      await disk.makeFolder(`${folder}/a/b/c`)
      expect((await disk.list(`${folder}/a`)).map(entry => entry.name)).toEqual(['b'])
      await disk.syncFolder(`${folder}/a`)
    })

    on('remove takes files, folders with all in them, and nothing', async (disk, folder) => {
      await disk.makeFolder(`${folder}/a/b`)
      await (await disk.open(`${folder}/a/b/x`, { create: true })).close()
      await (await disk.open(`${folder}/ab`, { create: true })).close()
      await disk.remove(`${folder}/a`)
      await disk.remove(`${folder}/a`)
      expect((await disk.list(folder)).map(entry => entry.name)).toEqual(['ab'])
      await disk.remove(`${folder}/ab`)
      expect(await disk.list(folder)).toEqual([])
    })

    on('rename replaces its target and needs its source', async (disk, folder) => {
      await disk.makeFolder(`${folder}/f`)
      for (const name of ['a', 'b']) {
        const file = await disk.open(`${folder}/${name}`, { create: true })
        await file.write([text(name)], 0)
        await file.close()
      }
      await disk.rename(`${folder}/a`, `${folder}/b`)
      await disk.rename(`${folder}/b`, `${folder}/f/c`)
      const file = await disk.open(`${folder}/f/c`, { create: false })
      expect(await contentOf(file)).toEqual('a')
      await file.close()
      expect((await disk.list(folder)).map(entry => entry.name)).toEqual(['f'])
      await expect(disk.rename(`${folder}/a`, `${folder}/b`)).rejects.toMatchObject({ code: 'ENOENT' })
    })

    on('rename moves a folder with all in it', async (disk, folder) => {
      await disk.makeFolder(`${folder}/a/b`)
      await (await disk.open(`${folder}/a/b/x`, { create: true })).close()
      await disk.rename(`${folder}/a`, `${folder}/c`)
      expect(await disk.stat(`${folder}/a`)).toBe(null)
      expect((await disk.list(`${folder}/c/b`)).map(entry => entry.name)).toEqual(['x'])
      await disk.syncFolder(folder)
    })

    on('usage, also of a path that does not exist yet', async (disk, folder) => {
      for (const path of [folder, `${folder}/not/yet`]) {
        const { totalBytes, freeBytes } = await disk.usage(path)
        expect(freeBytes).toBeGreaterThan(0)
        expect(totalBytes - freeBytes >= 0).toBe(true)
      }
    })

    on('lock excludes a second one until released', async (disk, folder) => {
      const lock = await disk.lock(`${folder}/lock`)
      expect(lock).not.toBe(null)
      expect(await disk.lock(`${folder}/lock`)).toBe(null)
      const other = await disk.lock(`${folder}/other`)
      expect(other).not.toBe(null)
      const file = await disk.open(`${folder}/lock`, { create: false })
      expect(await contentOf(file)).toEqual('lock')
      await file.close()
      await lock!.release()
      const again = await disk.lock(`${folder}/lock`)
      expect(again).not.toBe(null)
      await again!.release()
      await other!.release()
    })
  })
}

function text(value: string): Uint8Array {
  return Uint8Array.from(value, character => character.charCodeAt(0))
}

async function contentOf(file: {
  size(): Promise<number>
  read(target: Uint8Array, position: number): Promise<number>
}): Promise<string> {
  const bytes = new Uint8Array(await file.size())
  await file.read(bytes, 0)
  return String.fromCharCode(...bytes)
}
