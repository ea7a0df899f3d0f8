import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeRecords, getProperty, RequestCode, ResponseCode, systemClock, type Clock } from '@cometmq/remoting'
import { afterEach, describe, expect, it } from 'vitest'
import { unpackStore } from '../../../test/golden/support/unpack.ts'
import { startTestBroker, TIMEOUT_MS, type TestBroker } from './harness.ts'

const SUSPEND_AND_INLINE = 6
/** The sizes the data was written with (test/golden/README.md). */
const SETS = [
  'mappedFileSizeCommitLog=131072',
  'mappedFileSizeConsumeQueue=2000',
  'maxHashSlotNum=500',
  'maxIndexNum=2000',
  'fileReservedTime=1000000',
]
/** The recorded message of level 18 (2 h) was due then at the latest: 2026-11-25T00:00Z. */
const AFTER_IT_WAS_DUE = Date.UTC(2026, 10, 25)

describe('a directory taken over from a Java broker', () => {
  const cleanUp: (() => Promise<void>)[] = []
  afterEach(async () => {
    for (const each of cleanUp.splice(0)) await each()
  })

  const takeOver = async (name: string): Promise<TestBroker> => {
    const folder = unpackStore(name)
    cleanUp.push(() => rm(folder, { recursive: true, force: true }))
    const shift = Math.max(0, AFTER_IT_WAS_DUE - Date.now())
    const clock: Clock = { ...systemClock, now: () => Date.now() + shift }
    const broker = await startTestBroker({ folder: join(folder, 'store'), sets: SETS, clock })
    cleanUp.unshift(() => broker.close())
    return broker
  }

  it.each(['store-5.3.3-clean', 'store-5.3.3-killed', 'store-5.5.1-clean', 'store-5.5.1-killed'])(
    'delivers what was still delayed in %s, hands out the rest, and keeps offsets',
    async name => {
      const broker = await takeOver(name)
      const before = await broker.pull({ topic: 'T_normal' })
      expect(before.code).toBe(ResponseCode.SUCCESS)
      const levels: (string | undefined)[] = []
      for (let offset = 0; !levels.includes('18');) {
        const held = {
          topic: 'T_delay',
          queueOffset: offset,
          sysFlag: SUSPEND_AND_INLINE,
          suspendTimeoutMillis: TIMEOUT_MS - 1000,
        }
        const answer = await broker.pull(held)
        expect(answer.code).toBe(ResponseCode.SUCCESS)
        levels.push(...decodeRecords(answer.body!).map(record => getProperty(record.properties, 'DELAY')))
        offset = answer.nextBeginOffset
      }
      expect(levels.filter(level => level === '18')).toHaveLength(1)
      const offset = await broker.call(RequestCode.QUERY_CONSUMER_OFFSET, {
        consumerGroup: 'G_order',
        topic: 'T_order',
        queueId: '0',
        setZeroIfNotFound: 'false',
      })
      expect(offset.code).toBe(ResponseCode.SUCCESS)
      expect(Number(offset.ext?.['offset'])).toBeGreaterThan(0)
    },
  )
})
