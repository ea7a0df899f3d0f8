import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createCaller,
  encodeHeartbeat,
  encodeSendHeader,
  pullMessageRequest,
  pullMessageResponse,
  RequestCode,
  silentLogger,
  systemClock,
  tcpTransport,
  type Caller,
  type Clock,
  type Command,
  type ConsumerData,
  type HandlerTable,
  type InputOf,
  type SendHeaderInput,
  type ValueOf,
} from '@cometmq/remoting'
import { startBroker, type BrokerLimits, type RunningBroker } from '../../src/broker.ts'
import { loadConfig } from '../../src/config.ts'
import type { Disk } from '../../src/store/disk.ts'
import { createNodeDisk } from '../../src/store/node-disk.ts'

export interface TestBroker {
  readonly broker: RunningBroker
  readonly address: string
  readonly folder: string
  readonly caller: Caller
  call(code: number, ext?: Record<string, string>, body?: Buffer): Promise<Command>
  send(topic: string, body: string, more?: Partial<SendHeaderInput>): Promise<Command>
  pull(asked: Partial<InputOf<typeof pullMessageRequest>> & { topic: string }): Promise<PullAnswer>
  heartbeat(group: string, topics: readonly string[], more?: Partial<ConsumerData>): Promise<Command>
  /** A second client with its own connection. */
  newCaller(handlers?: HandlerTable): Caller
  /** Stops and starts on the same folder; ports change. */
  restart(): Promise<TestBroker>
  close(): Promise<void>
}

export interface PullAnswer extends ValueOf<typeof pullMessageResponse> {
  code: number
  remark: string | null
  body: Buffer | null
}

export const TIMEOUT_MS = 20_000

export interface HarnessOptions {
  sets?: readonly string[]
  limits?: Partial<BrokerLimits>
  handlers?: HandlerTable
  /** Default: a new temporary one, removed in the end. A given one stays. */
  folder?: string
  removeFolder?: boolean
  /** Default: the system's. */
  clock?: Clock
  /** Default: the real one. Give a `folder` with another. */
  disk?: Disk
}

/** A broker on loopback with a real store in a temporary folder, and a client of it. */
export async function startTestBroker(options: HarnessOptions = {}): Promise<TestBroker> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'comet-broker-')))
  const removeFolder = options.removeFolder ?? options.folder === undefined
  const config = loadConfig({
    sets: [
      'listenPort=0',
      'bindAddress=127.0.0.1',
      'brokerIP1=127.0.0.1',
      'brokerName=broker-a',
      `storePathRootDir=${folder}`,
      'mappedFileSizeCommitLog=33554432',
      'maxHashSlotNum=1000',
      'maxIndexNum=4000',
      'namesrvAddr=',
      ...(options.sets ?? []),
    ],
  })
  const broker = await startBroker({
    config,
    disk: options.disk ?? createNodeDisk(),
    clock: options.clock ?? systemClock,
    logger: silentLogger,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  })
  const callers: Caller[] = []
  const newCaller = (handlers: HandlerTable = new Map()): Caller => {
    const made = createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger, handlers })
    callers.push(made)
    return made
  }
  const caller = newCaller(options.handlers)
  const { address } = broker
  const call: TestBroker['call'] = (code, ext, body) =>
    caller.call(address, { code, ext: ext ?? null, body: body ?? null }, TIMEOUT_MS)
  let closed = false
  const stop = async (): Promise<void> => {
    if (closed) return
    closed = true
    await Promise.all(callers.map(each => each.close()))
    await broker.close()
  }
  return {
    broker,
    address,
    folder,
    caller,
    call,
    newCaller,
    send: (topic, body, more) => call(RequestCode.SEND_MESSAGE_V2, sendExt(topic, more), Buffer.from(body)),
    pull: async asked => {
      const { code, remark, body, ext } = await call(RequestCode.PULL_MESSAGE, pullExt(asked))
      return { ...pullMessageResponse.decode(ext), code, remark, body: body === null ? null : Buffer.from(body) }
    },
    heartbeat: (group, topics, more) => call(RequestCode.HEART_BEAT, undefined, heartbeatBody(group, topics, more)),
    restart: async () => {
      await stop()
      return startTestBroker({ ...options, folder, removeFolder })
    },
    close: async () => {
      await stop()
      if (removeFolder) await rm(folder, { recursive: true, force: true })
    },
  }
}

export function sendExt(
  topic: string,
  more: Partial<SendHeaderInput> = {},
  code: number = RequestCode.SEND_MESSAGE_V2,
): Record<string, string> {
  return encodeSendHeader(code, {
    producerGroup: 'PG',
    topic,
    defaultTopic: 'TBW102',
    defaultTopicQueueNums: 4,
    queueId: 0,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000,
    flag: 0,
    ...more,
  })
}

export function pullExt(asked: Partial<InputOf<typeof pullMessageRequest>> & { topic: string }): Record<string, string> {
  return pullMessageRequest.encode({
    consumerGroup: 'CG',
    queueId: 0,
    queueOffset: 0,
    maxMsgNums: 32,
    sysFlag: 4,
    commitOffset: 0,
    suspendTimeoutMillis: 10_000,
    subscription: '*',
    subVersion: 0n,
    ...asked,
  })
}

export function heartbeatBody(
  group: string,
  topics: readonly string[],
  more: Partial<ConsumerData> = {},
  clientID = 'client-1',
): Buffer {
  return encodeHeartbeat({
    clientID,
    heartbeatFingerprint: 0,
    withoutSub: false,
    producerDataSet: [{ groupName: 'PG' }],
    consumerDataSet: [
      {
        groupName: group,
        consumeType: 'CONSUME_PASSIVELY',
        messageModel: 'CLUSTERING',
        consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
        unitMode: false,
        subscriptionDataSet: topics.map(topic => ({
          topic,
          subString: '*',
          expressionType: 'TAG',
          classFilterMode: false,
          tagsSet: [],
          codeSet: [],
          subVersion: 1n,
        })),
        ...more,
      },
    ],
  })
}

/** `name 0x01 value 0x02 …` */
export const properties = (pairs: Record<string, string>): string =>
  Object.entries(pairs)
    .map(([name, value]) => `${name}\u0001${value}\u0002`)
    .join('')
