import { createNodeDisk, type NewMessage, openStore, type Store } from '@cometmq/broker/store'
import { silentLogger, systemClock } from '@cometmq/remoting'

export const STORE_HOST = Buffer.from([127, 0, 0, 1, 0, 0, 0x2a, 0x9f])

const KEYS = 65_536

/**
 * Messages as a producer's broker stores them: a unique key that is indexed, a tag, and what the broker adds. Made beforehand, so that the
 * store is measured and not their making; keys come again after 65,536 messages.
 */
export function benchMessages(bodyBytes: number, queues: number): (n: number) => NewMessage {
  const body = Buffer.alloc(bodyBytes, 0x61)
  const addedProperties = Buffer.from('MSG_REGION\x01DefaultRegion\x02TRACE_ON\x01true\x02CLUSTER\x01DefaultCluster\x02')
  const uniqKeys: string[] = []
  const properties: string[] = []
  for (let i = 0; i < KEYS; i++) {
    // Through bytes: what comes out of a decoder is one flat string.
    uniqKeys.push(Buffer.from(`7F0000010000${(0x10000000 + i).toString(16)}0000000000AB`.toUpperCase()).toString())
    properties.push(Buffer.from(`UNIQ_KEY\x01${uniqKeys[i]}\x02TAGS\x01TagA\x02WAIT\x01true\x02`).toString())
  }
  const message: NewMessage = {
    topic: 'BenchmarkTest',
    queueId: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    bornHost: STORE_HOST,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body,
    properties: '',
    addedProperties,
    tags: 'TagA',
    uniqKey: '',
    keys: '',
  }
  return n => {
    message.queueId = n % queues
    message.uniqKey = uniqKeys[n % KEYS]!
    message.properties = properties[n % KEYS]!
    return message
  }
}

export type Flush = 'SYNC_FLUSH' | 'ASYNC_FLUSH'

export async function openBenchStore(folder: string, flushDiskType: Flush): Promise<Store> {
  return openStore({
    disk: createNodeDisk(),
    clock: systemClock,
    logger: silentLogger,
    folder,
    storeHost: STORE_HOST,
    flushDiskType,
  })
}
