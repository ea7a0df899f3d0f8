import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { silentLogger } from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KeyIndex } from '../../src/store/key-index/key-index.ts'
import { createNodeDisk } from '../../src/store/node-disk.ts'
import { always } from './key-index-model.ts'

const golden = fileURLToPath(new URL('../../../test/golden/store/', import.meta.url))

interface GoldenMessage {
  topic: string
  commitLogOffset: number
  storeTimestamp: number
  properties: Record<string, string>
}

/** Every key a Java broker indexed, with the position of its message. */
function keysOf(messages: readonly GoldenMessage[]): { topic: string; key: string; phy: number; time: number }[] {
  return messages.flatMap(({ topic, commitLogOffset, storeTimestamp, properties }) => {
    const keys = [properties['UNIQ_KEY'] ?? '', ...(properties['KEYS'] ?? '').split(' ')].filter(key => key !== '')
    return keys.map(key => ({ topic, key, phy: commitLogOffset, time: storeTimestamp }))
  })
}

for (const version of ['5.3.3', '5.5.1']) {
  for (const exit of ['clean', 'killed']) {
    describe(`index files written by RocketMQ ${version}, ${exit}`, () => {
      let root = ''
      let copies = 0
      let messages: GoldenMessage[] = []

      beforeAll(() => {
        root = mkdtempSync(join(tmpdir(), 'cometmq-index-'))
        execFileSync('tar', ['xzf', `${golden}store-${version}-${exit}.tar.gz`, '-C', root, 'store/index'])
        const expected = gunzipSync(readFileSync(`${golden}store-${version}-${exit}.expected.json.gz`)).toString()
        messages = (JSON.parse(expected) as { messages: GoldenMessage[] }).messages
      })
      afterAll(() => rmSync(root, { recursive: true }))

      const open = (clean: boolean): Promise<KeyIndex> => {
        const folder = `${root}/copy${copies++}`
        mkdirSync(folder)
        cpSync(`${root}/store/index`, folder, { recursive: true })
        const trustedPosition = clean ? 0 : Number.MAX_SAFE_INTEGER
        return KeyIndex.open({
          disk: createNodeDisk(),
          folder,
          clock: new FakeClock(),
          logger: silentLogger,
          slots: 500,
          entries: 2000,
          clean,
          trustedPosition,
        })
      }
      const expectAll = async (index: KeyIndex): Promise<void> => {
        const keys = keysOf(messages)
        expect(keys.length).toBeGreaterThan(500)
        for (const { topic, key, phy } of keys) expect(await index.query(topic, key, 64, ...always)).toContain(phy)
        for (const { topic, key, phy, time } of keys.slice(0, 50)) {
          expect(await index.query(topic, key, 64, time - 1000, time)).toContain(phy)
          expect(await index.query(topic, key, 64, 0, time - 100_000)).not.toContain(phy)
        }
      }

      it('taken as it is', async () => {
        const index = await open(true)
        await expectAll(index)
        expect(index.endPhy).toBe(Math.max(...messages.map(message => message.commitLogOffset), index.endPhy))
        await index.close()
      })

      it('with slots made from the entries again, which gives the same file', async () => {
        const index = await open(false)
        expect(index.missingFrom).toBe(null)
        await expectAll(index)
        await index.close()
        const [name] = execFileSync('ls', [`${root}/store/index`])
          .toString()
          .split('\n')
        const bytes = readFileSync(`${root}/copy${copies - 1}/${name}`)
        expect(bytes.equals(readFileSync(`${root}/store/index/${name}`))).toBe(true)
      })

      it('going on with new messages', async () => {
        const index = await open(true)
        for (let number = 0; number < 3000; number++) index.put(0, `new-${number}`, 1e9 + number, 1.9e12)
        await index.flush()
        await expectAll(index)
        expect(index.fileCount).toBeGreaterThan(1)
        await index.close()
      })
    })
  }
}
