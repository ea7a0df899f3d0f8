import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { JsonValue } from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { startApache } from './support/apache.ts'
import { javaChecks } from './support/checks.ts'
import { startComet } from './support/comet.ts'
import { temporaryFolder } from './support/java.ts'
import type { Server } from './support/server.ts'
import { notFoundByKey, type Snapshot, takeSnapshot } from './support/snapshot.ts'

/** Small files, so that every hand-over crosses their ends. */
const settings = {
  brokerClusterName: 'golden',
  brokerName: 'broker-a',
  mappedFileSizeCommitLog: '65536',
  mappedFileSizeConsumeQueue: '400',
  maxHashSlotNum: '500',
  maxIndexNum: '2000',
}
/** Both brokers write consumer offsets every five seconds; what is younger is lost in a crash. */
const OFFSETS_WRITTEN_MS = 6000

interface Owner {
  name: string
  start(): Promise<Server>
  ends: 'SIGTERM' | 'SIGKILL'
}

const why = inject('available').java

describe.skipIf(why !== '')('one store directory, handed from the Java broker to ours and back', () => {
  let folder: string
  beforeAll(() => {
    folder = temporaryFolder('handover')
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))

  const java = () => startApache({ version: '5.3.3', folder, settings })
  const ours = () =>
    startComet({ data: join(folder, 'data'), settings: { ...settings, storePathRootDir: join(folder, 'broker/store') } })
  const owners: Owner[] = [
    { name: 'the Java broker begins it and stops', start: java, ends: 'SIGTERM' },
    { name: 'ours goes on and stops', start: ours, ends: 'SIGTERM' },
    { name: 'the Java broker goes on and is killed', start: java, ends: 'SIGKILL' },
    { name: 'ours goes on and is killed', start: ours, ends: 'SIGKILL' },
    { name: 'the Java broker has everything', start: java, ends: 'SIGTERM' },
  ]

  let before: Snapshot = { topics: {}, groups: {}, offsets: {}, records: {} }
  let stoppedCleanly = true
  owners.forEach((owner, step) => {
    it(owner.name, async () => {
      const server = await owner.start()
      try {
        const opened = await takeSnapshot(server.broker)
        expect(lost(before, opened)).toEqual([])
        if (stoppedCleanly) expect(await notFoundByKey(server.broker, opened)).toEqual([])
        const checks = await javaChecks(server, '5.3.3', `h${step}`, ['send', 'compression', 'resume'])
        expect([...checks].filter(([, difference]) => difference !== '')).toEqual([])
        if (owner.ends === 'SIGKILL') await delay(OFFSETS_WRITTEN_MS)
        before = await takeSnapshot(server.broker)
        expect(Object.keys(before.records).length).toBe((step + 1) * (SENT + COMPRESSED + RESUMED))
        stoppedCleanly = owner.ends === 'SIGTERM'
      } finally {
        await server.stop(owner.ends)
      }
    })
  })
})

/** Messages of the scenarios run at each step. */
const SENT = 8 + 50 + 10 + 32
const COMPRESSED = 3
const RESUMED = 30

/** Without regard to prototypes and the order of members. */
const plain = (value: JsonValue | undefined): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

/** What was there and is not, or is different. */
function lost(before: Snapshot, after: Snapshot): string[] {
  const missing: string[] = []
  for (const part of ['topics', 'groups', 'offsets', 'records'] as const) {
    for (const [name, value] of Object.entries(before[part])) {
      const now = after[part][name]
      if (!isDeepStrictEqual(plain(now), plain(value)))
        missing.push(`${part} ${name}: ${JSON.stringify(value)} became ${JSON.stringify(now)}`)
    }
  }
  return missing
}
