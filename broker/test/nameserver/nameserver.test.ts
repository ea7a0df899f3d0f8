import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createCaller,
  decodeClusterInfo,
  decodeKVTable,
  decodeTopicList,
  decodeTopicRouteData,
  encodeTopicRouteData,
  parseJson,
  RequestCode,
  ResponseCode,
  tcpTransport,
  type Caller,
  type Request,
} from '@cometmq/remoting'
import { FakeClock } from '@cometmq/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadNameServerConfig } from '../../src/config.ts'
import { startNameServer, type NameServer } from '../../src/nameserver/nameserver.ts'
import { TopicTable } from '../../src/registry/index.ts'
import { startRegistration, type Registration } from '../../src/registration.ts'
import { createNodeDisk } from '../../src/store/node-disk.ts'
import { environment, keepingLogger, TestPeer, world } from '../registry/tools.ts'

interface TestBroker {
  topics: TopicTable
  registration: Registration
  caller: Caller
  logger: ReturnType<typeof keepingLogger>
}

describe('name server', () => {
  let folder: string
  let clock: FakeClock
  let server: NameServer
  let client: Caller
  let closing: (() => Promise<void>)[]

  const start = (port = 0, sets: string[] = []): Promise<NameServer> =>
    startNameServer({
      host: '127.0.0.1',
      port,
      dataFolder: folder,
      disk: createNodeDisk(),
      clock,
      logger: keepingLogger(),
      config: loadNameServerConfig({ sets, environment }),
    })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'nameserver-'))
    clock = new FakeClock()
    server = await start()
    client = createCaller({ transport: tcpTransport, clock, logger: keepingLogger() })
    closing = []
  })
  afterEach(async () => {
    for (const close of closing) await close()
    await client.close()
    await closeServer()
    rmSync(folder, { recursive: true, force: true })
  })

  /** The grace of a closing server is told by the clock, which stands still. */
  async function closeServer(): Promise<void> {
    const closed = server.close()
    await clock.advanceAsync(2000)
    await closed
  }

  const ask = (request: Request) => client.call(server.address, request, 3000)
  const route = (topic: string) => ask({ code: RequestCode.GET_ROUTEINFO_BY_TOPIC, ext: { topic } })

  /** A broker's topics and registration over a connection of its own. */
  async function broker(brokerName: string, port: number, sets: string[] = []): Promise<TestBroker> {
    const options = { ...world(sets), clock }
    const topics = await TopicTable.load({ ...options, config: { ...options.config, brokerName } })
    const { logger, config } = options
    const started: { registration?: Registration } = {}
    const caller = createCaller({
      transport: tcpTransport,
      clock,
      logger,
      onClose: address => started.registration?.linkClosed(address),
    })
    const identity = {
      clusterName: 'golden',
      brokerName,
      brokerId: 0,
      brokerAddr: `127.0.0.1:${port}`,
      haServerAddr: `127.0.0.1:${port + 1}`,
    }
    const registration = (started.registration = startRegistration({
      caller,
      clock,
      logger,
      random: () => 0.5,
      nameServers: [server.address],
      identity,
      topics,
      config,
    }))
    closing.push(() => caller.close())
    await registration.announce()
    return { topics, registration, caller, logger }
  }

  it('routes to two brokers, follows a new topic, and forgets who unregisters or loses its connection', async () => {
    const [a, b] = [await broker('a', 20_001), await broker('b', 20_003)]
    a.topics.ensure('T', 4, 6)
    b.topics.ensure('T', 2, 6)
    await Promise.all([a.registration.announce(), b.registration.announce()])
    const found = decodeTopicRouteData((await route('T')).body)
    expect(found.queueDatas.map(data => [data.brokerName, data.writeQueueNums])).toEqual([
      ['a', 4],
      ['b', 2],
    ])
    expect(found.brokerDatas.map(data => data.brokerAddrs[0])).toEqual(['127.0.0.1:20001', '127.0.0.1:20003'])
    expect(decodeClusterInfo((await ask({ code: RequestCode.GET_BROKER_CLUSTER_INFO })).body).clusterAddrTable).toEqual({
      golden: ['a', 'b'],
    })
    await a.registration.close()
    expect(decodeTopicRouteData((await route('T')).body).queueDatas.map(data => data.brokerName)).toEqual(['b'])
    await b.caller.close()
    while ((await route('T')).code === ResponseCode.SUCCESS) await new Promise(resolve => setImmediate(resolve))
    expect(await route('T')).toMatchObject({
      code: 17,
      remark: expect.stringMatching(/^No topic route info.*topic: T; no broker is registered/) as string,
    })
  })

  it('says why there is no route', async () => {
    await broker('a', 20_001)
    expect((await route('none')).remark).toMatch(/none of the 1 brokers registered here has it/)
  })

  it('drops a broker whose registrations stop though its connection stays', async () => {
    const { registration } = await broker('a', 20_001)
    const identity = {
      clusterName: 'golden',
      brokerName: 'quiet',
      brokerAddr: '127.0.0.1:20009',
      brokerId: '0',
      haServerAddr: '',
    }
    const quiet = await ask({ code: RequestCode.REGISTER_BROKER, ext: { ...identity, heartbeatTimeoutMillis: '20000' } })
    expect(quiet).toMatchObject({ code: 0 })
    const brokers = async () =>
      Object.keys(decodeClusterInfo((await ask({ code: RequestCode.GET_BROKER_CLUSTER_INFO })).body).brokerAddrTable)
    await clock.advanceAsync(20_000)
    await registration.announce()
    expect(await ask({ code: RequestCode.BROKER_HEARTBEAT, ext: identity })).toMatchObject({ code: 0 })
    await clock.advanceAsync(20_000)
    expect(await brokers()).toEqual(['a', 'quiet'])
    await clock.advanceAsync(5000)
    expect(await brokers()).toEqual(['a'])
  })

  it('answers QUERY_DATA_VERSION with whether a registration is needed', async () => {
    const { topics } = await broker('a', 20_001)
    const ext = { clusterName: 'golden', brokerName: 'a', brokerAddr: '127.0.0.1:20001', brokerId: '0' }
    const asked = (body: object) => ask({ code: RequestCode.QUERY_DATA_VERSION, ext, body: Buffer.from(JSON.stringify(body)) })
    expect((await asked(topics.dataVersion)).ext).toEqual({ changed: 'false' })
    const other = await asked({ ...topics.dataVersion, counter: 99 })
    expect([other.ext, parseJson(other.body!)]).toEqual([{ changed: 'true' }, topics.dataVersion])
  })

  it('keeps key-value settings over a restart and hands the order configuration to brokers', async () => {
    const kv = (code: number, ext: Record<string, string>) => ask({ code, ext: { namespace: 'ORDER_TOPIC_CONFIG', ...ext } })
    expect(await kv(RequestCode.GET_KV_CONFIG, { key: 'T' })).toMatchObject({ code: 22 })
    expect(await kv(RequestCode.PUT_KV_CONFIG, { key: 'T', value: 'a:4' })).toMatchObject({ code: 0 })
    await kv(RequestCode.PUT_KV_CONFIG, { key: '__proto__', value: 'x' })
    const { address, port } = server
    await closeServer()
    server = await start(port, ['orderMessageEnable=true'])
    expect(server.address).toBe(address)
    const { topics, registration } = await broker('a', 20_001)
    topics.ensure('T', 4, 6)
    topics.put({ ...topics.ensure('Other', 4, 6), order: true })
    await registration.announce()
    expect([topics.get('T')!.order, topics.get('Other')!.order]).toEqual([true, false])
    expect(decodeTopicRouteData((await route('T')).body).orderTopicConf).toBe('a:4')
    expect((await kv(RequestCode.GET_KV_CONFIG, { key: 'T' })).ext).toEqual({ value: 'a:4' })
    expect(Object.entries(decodeKVTable((await kv(RequestCode.GET_KVLIST_BY_NAMESPACE, {})).body))).toEqual([
      ['T', 'a:4'],
      ['__proto__', 'x'],
    ])
    await kv(RequestCode.DELETE_KV_CONFIG, { key: 'T' })
    expect(await kv(RequestCode.GET_KV_CONFIG, { key: 'T' })).toMatchObject({ code: 22 })
  })

  it('is found again by a broker after it was away, which reports it once', async () => {
    const { logger, registration } = await broker('a', 20_001)
    const { port } = server
    await closeServer()
    for (let i = 0; i < 10; i++) await clock.advanceAsync(5000)
    const announced = registration.announce()
    await announced
    expect(logger.lines.filter(line => line.level === 'warn' && line.message.includes('registration'))).toHaveLength(1)
    server = await start(port)
    while (
      !(await ask({ code: RequestCode.GET_BROKER_CLUSTER_INFO }).then(
        answer => decodeClusterInfo(answer.body).brokerAddrTable['a'] !== undefined,
        () => false,
      ))
    ) {
      await clock.advanceAsync(1000)
    }
    expect(logger.lines.filter(line => line.message.startsWith('registered at name server'))).toHaveLength(2)
  })

  it('masks permissions with brokerPermission', async () => {
    const { topics, registration } = await broker('a', 20_001, ['brokerPermission=4'])
    topics.ensure('T', 4, 6)
    await registration.announce()
    expect(decodeTopicRouteData((await route('T')).body).queueDatas[0]!.perm).toBe(4)
    expect(topics.get('T')!.perm).toBe(6)
  })

  it('changes its configuration and writes it to the file, or refuses all of it', async () => {
    const update = (text: string) => ask({ code: RequestCode.UPDATE_NAMESRV_CONFIG, body: Buffer.from(text) })
    expect(await update('enableTopicList=false')).toMatchObject({ code: 0 })
    expect(readFileSync(join(folder, 'namesrv.properties'), 'utf8')).toBe('enableTopicList=false\n')
    expect(await ask({ code: RequestCode.GET_TOPICS_BY_CLUSTER, ext: { cluster: 'golden' } })).toMatchObject({ code: 1 })
    expect(await update('kvConfigPath=/x')).toMatchObject({ code: 16 })
    expect(await update('orderMessageEnable=perhaps')).toMatchObject({
      code: 1,
      remark: expect.stringMatching(/true or false/) as string,
    })
    expect((await ask({ code: RequestCode.GET_NAMESRV_CONFIG })).body!.toString()).toMatch(
      /^bindAddress=0.0.0.0\n[^]*enableTopicList=false\n/,
    )
  })

  it('keeps its files where the configuration says', async () => {
    await closeServer()
    server = await start(0, [`kvConfigPath=${folder}/elsewhere/kv.json`, `configStorePath=${folder}/elsewhere/ns.conf`])
    await ask({ code: RequestCode.PUT_KV_CONFIG, ext: { namespace: 'N', key: 'k', value: 'v' } })
    await ask({ code: RequestCode.UPDATE_NAMESRV_CONFIG, body: Buffer.from('enableTopicList=false') })
    expect(JSON.parse(readFileSync(join(folder, 'elsewhere/kv.json'), 'utf8'))).toEqual({ configTable: { N: { k: 'v' } } })
    expect(readFileSync(join(folder, 'elsewhere/ns.conf'), 'utf8')).toBe('enableTopicList=false\n')
  })

  it('answers routes only after waitSecondsForService when it is told to wait', async () => {
    await closeServer()
    server = await start(0, ['needWaitForService=true', 'waitSecondsForService=3'])
    expect(await route('T')).toMatchObject({ code: 1, remark: expect.stringMatching(/^name server not ready.* 3 s/) as string })
    await clock.advanceAsync(3000)
    expect(await route('T')).toMatchObject({ code: 17 })
  })

  it('administers topics: list, register, delete, permissions', async () => {
    const { topics } = await broker('a', 20_001)
    const all = decodeTopicList((await ask({ code: RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER })).body).topicList
    expect(new Set(all)).toEqual(new Set([...topics.all()].map(topic => topic.topicName)))
    expect(decodeTopicList((await ask({ code: RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS })).body)).toEqual({
      topicList: ['golden', 'a'],
      brokerAddr: '127.0.0.1:20001',
    })
    const queueDatas = [{ brokerName: 'a', readQueueNums: 3, writeQueueNums: 3, perm: 6, topicSysFlag: 0 }]
    await ask({
      code: RequestCode.REGISTER_TOPIC_IN_NAMESRV,
      ext: { topic: 'R' },
      body: encodeTopicRouteData({ queueDatas, brokerDatas: [] }),
    })
    expect((await route('R')).code).toBe(0)
    const count = String(all.length + 1)
    expect((await ask({ code: RequestCode.WIPE_WRITE_PERM_OF_BROKER, ext: { brokerName: 'a' } })).ext).toEqual({
      wipeTopicCount: count,
    })
    expect(decodeTopicRouteData((await route('R')).body).queueDatas[0]!.perm).toBe(4)
    expect((await ask({ code: RequestCode.ADD_WRITE_PERM_OF_BROKER, ext: { brokerName: 'a' } })).ext).toEqual({
      addTopicCount: count,
    })
    await ask({ code: RequestCode.DELETE_TOPIC_IN_NAMESRV, ext: { topic: 'R', clusterName: 'elsewhere' } })
    expect((await route('R')).code).toBe(0)
    await ask({ code: RequestCode.DELETE_TOPIC_IN_NAMESRV, ext: { topic: 'R' } })
    expect((await route('R')).code).toBe(17)
  })

  it('writes bare integer keys for clients before 4.9.4, unless they ask for strict JSON', async () => {
    await broker('a', 20_001)
    const handler = server.handlers.get(RequestCode.GET_ROUTEINFO_BY_TOPIC)!
    const body = async (version: number, more: Record<string, string> = {}) => {
      const command = {
        code: 105,
        opaque: 1,
        flag: 0,
        version,
        language: 'JAVA',
        remark: null,
        ext: { topic: 'TBW102', ...more },
        body: null,
      }
      return (await handler(command, new TestPeer()))!.body!.toString()
    }
    expect(await body(400)).toContain('"brokerAddrs":{0:"127.0.0.1:20001"}')
    expect(await body(401)).toContain('"brokerAddrs":{"0":"127.0.0.1:20001"}')
    expect(await body(400, { acceptStandardJsonOnly: 'true' })).toContain('{"0":')
    expect(parseJson(await body(400))).toEqual(parseJson(await body(401)))
  })

  it.each([
    ['a wrong checksum', { bodyCrc32: '5' }, 'crc32 not match'],
    ['an address without a port', { brokerAddr: 'host' }, 'not ip:port'],
    ['no name', { brokerName: '' }, 'brokerName'],
    ['a missing field', { brokerId: 'x' }, 'brokerId'],
  ])('refuses a registration with %s', async (_, wrong, remark) => {
    const ext = { clusterName: 'golden', brokerName: 'a', brokerAddr: '127.0.0.1:1', brokerId: '0', haServerAddr: '', ...wrong }
    expect(await ask({ code: RequestCode.REGISTER_BROKER, ext })).toMatchObject({
      code: 1,
      remark: expect.stringContaining(remark) as string,
    })
  })
})
