import { describe, expect, it } from 'vitest'
import { createRandom, FakeClock, MemoryDisk } from '../src/index.ts'

async function fresh(options: ConstructorParameters<typeof MemoryDisk>[0] = {}): Promise<MemoryDisk> {
  const disk = new MemoryDisk(options)
  await disk.makeFolder('/d')
  await disk.syncFolder('/d')
  return disk
}

/** A file that is there after any power cut. */
async function durable(disk: MemoryDisk, path = '/d/a', size = 0): Promise<Awaited<ReturnType<MemoryDisk['open']>>> {
  const file = await disk.open(path, { create: true })
  await file.truncate(size)
  await file.sync()
  await disk.syncFolder('/d')
  return file
}

async function contentOf(disk: MemoryDisk, path = '/d/a'): Promise<string | null> {
  if ((await disk.stat(path)) === null) return null
  const file = await disk.open(path, { create: false })
  const bytes = Buffer.alloc(await file.size())
  await file.read(bytes, 0)
  return bytes.toString('latin1')
}

/** The different contents that power cuts of this moment leave. */
async function outcomes(disk: MemoryDisk, path = '/d/a', cuts = 300): Promise<Set<string | null>> {
  const seen = new Set<string | null>()
  for (let cut = 0; cut < cuts; cut++) seen.add(await contentOf(disk.crash(), path))
  return seen
}

const text = (value: string): Buffer => Buffer.from(value, 'latin1')

describe('a power cut', () => {
  it('keeps what was synced', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    await file.write([text('abc')], 0)
    await file.sync()
    expect(await outcomes(disk)).toEqual(new Set(['abc']))
  })

  it('keeps, loses or tears what was not, and may leave zeros in its place', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    await file.write([text('abcd')], 0)
    expect(await outcomes(disk)).toEqual(new Set(['', 'a', 'ab', 'abc', 'abcd', '\0\0\0\0', 'a\0\0\0', 'ab\0\0', 'abc\0']))
  })

  it('treats several writes each on its own, in any subset', async () => {
    const disk = await fresh()
    const file = await durable(disk, '/d/a', 3)
    for (const at of [0, 1, 2]) await file.write([text('x')], at)
    const all = ['\0\0\0', 'x\0\0', '\0x\0', '\0\0x', 'xx\0', 'x\0x', '\0xx', 'xxx']
    expect(await outcomes(disk)).toEqual(new Set(all))
  })

  it('may keep an older of two writes to the same place', async () => {
    const disk = await fresh()
    const file = await durable(disk, '/d/a', 1)
    await file.write([text('1')], 0)
    await file.write([text('2')], 0)
    expect(await outcomes(disk)).toEqual(new Set(['\0', '1', '2']))
  })

  it('tears long writes at sectors too', async () => {
    const disk = await fresh()
    const file = await durable(disk, '/d/a', 2048)
    await file.write([Buffer.alloc(1024, 'x')], 512)
    const middleLost = `${'\0'.repeat(1024)}${'x'.repeat(512)}${'\0'.repeat(512)}`
    expect(await outcomes(disk)).toContain(middleLost)
  })

  it('with syncEachWrite keeps every finished write', async () => {
    const disk = await fresh()
    await durable(disk)
    const file = await disk.open('/d/a', { create: false, syncEachWrite: true })
    await file.write([text('abc')], 0)
    await file.write([text('def')], 3)
    expect(await outcomes(disk)).toEqual(new Set(['abcdef']))
  })

  it('may undo an unsynced truncate', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    await file.write([text('abc')], 0)
    await file.sync()
    await file.truncate(1)
    expect(await outcomes(disk)).toEqual(new Set(['abc', 'a']))
  })

  it('may lose a new file until its folder is synced, its content synced or not', async () => {
    const disk = await fresh()
    const file = await disk.open('/d/a', { create: true })
    await file.write([text('abc')], 0)
    await file.sync()
    expect(await outcomes(disk)).toEqual(new Set([null, 'abc']))
    const other = await fresh()
    await durable(other)
    expect(await outcomes(other)).toEqual(new Set(['']))
  })

  it('may undo removal and renaming until the folder is synced', async () => {
    const disk = await fresh()
    await (await durable(disk)).write([text('old')], 0)
    await (await disk.open('/d/a', { create: false })).sync()
    const fileB = await durable(disk, '/d/b')
    await fileB.write([text('new')], 0)
    await fileB.sync()
    await disk.rename('/d/b', '/d/a')
    expect(await outcomes(disk)).toEqual(new Set(['old', 'new']))

    const removing = await fresh()
    await durable(removing)
    await removing.remove('/d/a')
    expect(await outcomes(removing)).toEqual(new Set(['', null]))
    const removed = await fresh()
    await durable(removed)
    await removed.remove('/d/a')
    await removed.syncFolder('/d')
    expect(await outcomes(removed)).toEqual(new Set([null]))
  })

  it('leaves a disk on which all is durable, and an old one that refuses everything', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    await file.write([text('abcd')], 0)
    const next = disk.crash()
    expect(await outcomes(next)).toHaveProperty('size', 1)
    await expect(file.write([text('x')], 0)).rejects.toMatchObject({ code: 'EBADF' })
    await expect(disk.open('/d/a', { create: true })).rejects.toMatchObject({ code: 'EBADF' })
    await expect(file.sync()).rejects.toMatchObject({ code: 'EBADF' })
  })

  it('is the same for the same seed', async () => {
    const run = async (seed: number): Promise<(string | null)[]> => {
      const disk = await fresh({ seed })
      const file = await durable(disk)
      await file.write([text('abcdefgh')], 0)
      const seen = []
      for (let cut = 0; cut < 20; cut++) seen.push(await contentOf(disk.crash()))
      return seen
    }
    expect(await run(3)).toEqual(await run(3))
    expect(await run(3)).not.toEqual(await run(4))
  })
})

describe('a killed process', () => {
  it('loses nothing that was written, but its locks', async () => {
    const disk = await fresh()
    const file = await disk.open('/d/a', { create: true })
    await file.write([text('abc')], 0)
    expect(await disk.lock('/d/lock')).not.toBe(null)
    const next = disk.kill()
    expect(await contentOf(next)).toBe('abc')
    expect(await next.lock('/d/lock')).not.toBe(null)
    await expect(file.read(Buffer.alloc(1), 0)).rejects.toMatchObject({ code: 'EBADF' })
  })

  it('leaves unsynced data unsynced', async () => {
    const disk = await fresh()
    await (await durable(disk)).write([text('a')], 0)
    expect(await outcomes(disk.kill())).toEqual(new Set(['', 'a', '\0']))
  })

  it('a write that was under way is done, not done, or done in part', async () => {
    const seen = new Set<string | null>()
    for (let seed = 0; seed < 60; seed++) {
      const disk = await fresh({ seed })
      const file = await durable(disk)
      const gate = disk.faults.hold({ operation: 'write' })
      const write = file.write([text('ab')], 0)
      await gate.arrived()
      seen.add(await contentOf(disk.kill()))
      await expect(write).rejects.toMatchObject({ code: 'EBADF' })
    }
    expect(seen).toEqual(new Set(['', 'a', 'ab']))
  })
})

describe('faults', () => {
  it('fail the nth matching call, as often as asked', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    const fault = disk.faults.fail({ operation: ['write', 'sync'], path: '/d/a', nth: 2, times: 2, code: 'EIO' })
    await file.write([text('a')], 0)
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO', path: '/d/a' })
    await expect(file.write([text('b')], 0)).rejects.toMatchObject({ code: 'EIO' })
    await file.write([text('c')], 1)
    expect(fault.hits).toBe(2)
    expect(await contentOf(disk)).toBe('ac')
  })

  it('of other paths do not apply, and cancelled ones neither', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    disk.faults.fail({ operation: 'write', path: /\/b$/, code: 'EIO' })
    disk.faults.fail({ operation: 'write', code: 'EIO' }).cancel()
    await file.write([text('a')], 0)
  })

  it('apply to every operation', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    const calls = {
      open: () => disk.open('/d/a', { create: false }),
      list: () => disk.list('/d'),
      stat: () => disk.stat('/d'),
      makeFolder: () => disk.makeFolder('/e'),
      remove: () => disk.remove('/x'),
      rename: () => disk.rename('/d/a', '/d/b'),
      syncFolder: () => disk.syncFolder('/d'),
      usage: () => disk.usage('/d'),
      lock: () => disk.lock('/d/l'),
      read: () => file.read(Buffer.alloc(1), 0),
      write: () => file.write([text('a')], 0),
      truncate: () => file.truncate(1),
      sync: () => file.sync(),
      size: () => file.size(),
      close: () => file.close(),
    }
    for (const [operation, call] of Object.entries(calls)) {
      const fault = disk.faults.fail({ operation: operation as keyof typeof calls, code: 'EACCES' })
      await expect(call()).rejects.toMatchObject({ code: 'EACCES', syscall: operation })
      expect(fault.hits).toBe(1)
      await call()
    }
  })

  it('a failing write may have written some bytes', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    disk.faults.fail({ operation: 'write', code: 'ENOSPC', bytes: 2 })
    await expect(file.write([text('a'), text('bcd')], 0)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await contentOf(disk)).toBe('ab')
  })

  it('a failed sync makes nothing durable', async () => {
    const disk = await fresh()
    const file = await durable(disk, '/d/a', 1)
    await file.write([text('a')], 0)
    disk.faults.fail({ operation: 'sync', code: 'EIO' })
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' })
    expect(await outcomes(disk)).toEqual(new Set(['\0', 'a']))
  })

  it('short reads', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    await file.write([text('abcdef')], 0)
    disk.faults.shortRead({ bytes: 2, nth: 2 })
    const target = Buffer.alloc(6)
    expect(await file.read(target, 0)).toBe(6)
    expect(await file.read(target, 0)).toBe(2)
    expect(await file.read(target, 0)).toBe(6)
  })

  it('a full disk takes what fits and then fails with ENOSPC', async () => {
    const disk = await fresh({ capacityBytes: 8192 })
    const file = await durable(disk)
    await expect(file.write([Buffer.alloc(9000, 'x')], 100)).rejects.toMatchObject({ code: 'ENOSPC' })
    expect(await file.size()).toBe(8192)
    expect(await disk.usage('/d')).toEqual({ totalBytes: 8192, freeBytes: 0 })
    await file.write([text('y')], 0)
    disk.capacityBytes = 12_288
    await file.write([text('z')], 8192)
    await disk.remove('/d/a')
    expect(await disk.usage('/d')).toEqual({ totalBytes: 12_288, freeBytes: 12_288 })
  })

  it('a gate holds calls, in order, until released', async () => {
    const disk = await fresh()
    const file = await durable(disk)
    const gate = disk.faults.hold({ operation: 'write', path: '/d/a' })
    const writes = ['a', 'b', 'c'].map((letter, at) => file.write([text(letter)], at))
    await gate.arrived(3)
    expect(await contentOf(disk)).toBe('')
    gate.releaseOne()
    await writes[0]
    expect(await contentOf(disk)).toBe('a')
    expect(gate.waiting).toBe(2)
    gate.open()
    await Promise.all(writes)
    await file.write([text('d')], 3)
    expect(await contentOf(disk)).toBe('abcd')
  })
})

describe('modification time', () => {
  it('follows the clock', async () => {
    const clock = new FakeClock(5000)
    const disk = await fresh({ clock })
    const file = await durable(disk)
    expect((await disk.stat('/d/a'))?.modifiedAt).toBe(5000)
    clock.advance(10)
    await file.write([text('a')], 0)
    expect((await disk.stat('/d/a'))?.modifiedAt).toBe(5010)
  })
})

describe('contents', () => {
  it('agree with a plain buffer under random writes, truncates and reads', async () => {
    const random = createRandom(11)
    const disk = await fresh()
    const file = await durable(disk)
    let plain = Buffer.alloc(0)
    for (let step = 0; step < 3000; step++) {
      const position = random.int(30_000)
      if (random.chance(0.1)) {
        const resized = Buffer.alloc(position)
        plain.copy(resized)
        plain = resized
        await file.truncate(position)
      } else {
        const bytes = Buffer.from(random.bytes(random.pick([1, 20, 500, 9000])))
        const grown = Buffer.alloc(Math.max(plain.length, position + bytes.length))
        plain.copy(grown)
        bytes.copy(grown, position)
        plain = grown
        await file.write([bytes], position)
      }
      if (step % 50 === 0) expect((await contentOf(disk)) === plain.toString('latin1')).toBe(true)
      if (random.chance(0.05)) await file.sync()
    }
    await file.sync()
    expect((await contentOf(disk.crash())) === plain.toString('latin1')).toBe(true)
  })
})
