import { silentLogger } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import type { Disk } from '../../src/store/disk.ts'
import { readWholeFile } from '../../src/store/disk.ts'
import { KeyIndex, type KeyIndexOptions } from '../../src/store/key-index/key-index.ts'
import { continueHash, keyHashOf } from '../../src/store/key-index/layout.ts'

export const folder = '/store/index'
export const always = [0, Number.MAX_SAFE_INTEGER] as const

export function openIndex(disk: Disk, options: Partial<KeyIndexOptions> = {}): Promise<KeyIndex> {
  return KeyIndex.open({
    disk,
    folder,
    clock: new FakeClock(),
    logger: silentLogger,
    slots: 16,
    entries: 100,
    clean: true,
    trustedPosition: 0,
    ...options,
  })
}

/** keyHash of a key text; for a prefix, whose hash may be negative, use only texts where it is not. */
export function hashOf(text: string): number {
  return keyHashOf(continueHash(0, text, 0, text.length))
}

export async function bytesOf(disk: Disk, path: string): Promise<Uint8Array> {
  const bytes = await readWholeFile(disk, path)
  if (bytes === null) throw new Error(`${path} is missing`)
  return bytes
}

export interface Put {
  key: string
  phy: number
}

/** Puts a message's keys into the index and the model: the first as UNIQ_KEY, the others as KEYS. */
export function putAt(index: KeyIndex, model: Put[], keys: readonly string[], phy: number, time: number): void {
  const [first, ...rest] = keys
  if (first !== undefined) index.put(hashOf('T#'), first, phy, time)
  if (rest.length > 0) index.putKeys(hashOf('T#'), rest.join(' '), phy, time)
  for (const key of keys) model.push({ key, phy })
}

/** The newest 64 positions of keys with an equal hash, ascending. */
export function queryModel(model: readonly Put[], key: string): number[] {
  const hash = hashOf('T#' + key)
  const positions = new Set(model.filter(put => hashOf('T#' + put.key) === hash).map(put => put.phy))
  return [...positions].sort((a, b) => a - b).slice(-64)
}
