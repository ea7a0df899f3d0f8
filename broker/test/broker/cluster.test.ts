import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeTopicRouteData, RequestCode, ResponseCode, silentLogger, systemClock, type Command } from '@cometmq/remoting'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadNameServerConfig } from '../../src/config.ts'
import { startNameServer, type NameServer } from '../../src/nameserver/nameserver.ts'
import { createNodeDisk } from '../../src/store/node-disk.ts'
import { startTestBroker, TIMEOUT_MS, type TestBroker } from './harness.ts'

describe('a broker and its name server', () => {
  let folder: string
  let nameServer: NameServer
  let broker: TestBroker

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'comet-names-'))
    nameServer = await startNameServer({
      host: '127.0.0.1',
      port: 0,
      dataFolder: folder,
      disk: createNodeDisk(),
      clock: systemClock,
      logger: silentLogger,
      config: loadNameServerConfig(),
    })
    broker = await startTestBroker({ sets: [`namesrvAddr=${nameServer.address}`] })
  })
  afterAll(async () => {
    await broker.close()
    await nameServer.close()
    await rm(folder, { recursive: true, force: true })
  })

  const route = (topic: string): Promise<Command> =>
    broker.caller.call(nameServer.address, { code: RequestCode.GET_ROUTEINFO_BY_TOPIC, ext: { topic } }, TIMEOUT_MS)

  it('has the route of a new topic when its creation is answered', async () => {
    const created = await broker.call(RequestCode.UPDATE_AND_CREATE_TOPIC, {
      topic: 'Routed',
      defaultTopic: 'TBW102',
      readQueueNums: '2',
      writeQueueNums: '2',
      perm: '6',
      topicFilterType: 'SINGLE_TAG',
      order: 'false',
    })
    expect(created.code).toBe(ResponseCode.SUCCESS)
    const found = decodeTopicRouteData((await route('Routed')).body)
    expect(found.queueDatas).toMatchObject([{ brokerName: 'broker-a', readQueueNums: 2, perm: 6 }])
    expect(found.brokerDatas[0]!.brokerAddrs).toEqual({ '0': broker.address })
  })

  it("has the route of a group's retry topic when its first heartbeat is answered", async () => {
    await broker.heartbeat('RoutedGroup', ['Routed'])
    expect((await route('%RETRY%RoutedGroup')).code).toBe(ResponseCode.SUCCESS)
  })

  it('forgets a broker that stops', async () => {
    const other = await startTestBroker({ sets: [`namesrvAddr=${nameServer.address}`, 'brokerName=broker-b'] })
    await other.heartbeat('OnlyB', [])
    expect((await route('%RETRY%OnlyB')).code).toBe(ResponseCode.SUCCESS)
    await other.close()
    expect((await route('%RETRY%OnlyB')).code).toBe(ResponseCode.TOPIC_NOT_EXIST)
  })
})
