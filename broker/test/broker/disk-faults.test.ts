import { decodeRecords, RequestCode, ResponseCode, type Command } from '@cometmq/remoting'
import { MemoryDisk } from '@cometmq/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestBroker, TIMEOUT_MS, type HarnessOptions, type TestBroker } from './harness.ts'

const SUSPEND_AND_INLINE = 6
const COMMIT_LOG = /\/commitlog\/\d+$/

describe('answers wait for the disk', () => {
  let broker: TestBroker
  let disk: MemoryDisk
  afterEach(() => broker.close())

  const start = async (options: HarnessOptions = {}): Promise<void> => {
    disk = new MemoryDisk()
    broker = await startTestBroker({ folder: '/data', disk, ...options })
    await broker.send('T', 'first')
  }
  const bodies = async (): Promise<string[]> =>
    decodeRecords((await broker.pull({ topic: 'T' })).body!).map(each => each.body.toString())

  it('a send is answered after its write, not before', async () => {
    await start()
    const gate = disk.faults.hold({ operation: 'write', path: COMMIT_LOG })
    let answered = false
    const sent = broker.send('T', 'second').then(answer => {
      answered = true
      return answer
    })
    await gate.arrived()
    // Other requests of the same connection are answered meanwhile.
    expect((await broker.call(RequestCode.GET_MAX_OFFSET, { topic: 'T', queueId: '0' })).ext).toMatchObject({ offset: '1' })
    expect(answered).toBe(false)
    gate.open()
    expect((await sent).code).toBe(ResponseCode.SUCCESS)
    expect(await bodies()).toEqual(['first', 'second'])
  })

  it('a disk that does not answer in time: FLUSH_DISK_TIMEOUT with the full header', async () => {
    await start({ sets: ['syncFlushTimeout=100'] })
    const gate = disk.faults.hold({ operation: 'write', path: COMMIT_LOG })
    const answer = await broker.send('T', 'second')
    expect(answer.code).toBe(ResponseCode.FLUSH_DISK_TIMEOUT)
    expect(answer.ext).toMatchObject({ queueId: '0', queueOffset: '1', msgId: expect.any(String) as string })
    gate.open()
    const held = { topic: 'T', queueOffset: 1, sysFlag: SUSPEND_AND_INLINE, suspendTimeoutMillis: TIMEOUT_MS - 1000 }
    expect((await broker.pull(held)).code).toBe(ResponseCode.SUCCESS)
  })

  it('more sends than may wait are refused with the limit', async () => {
    await start({ limits: { maxWaitingReplies: 1 } })
    const gate = disk.faults.hold({ operation: 'write', path: COMMIT_LOG })
    const first = broker.send('T', 'second')
    await gate.arrived()
    const refused = await broker.send('T', 'third')
    expect(refused).toMatchObject({
      code: ResponseCode.SYSTEM_BUSY,
      remark: expect.stringMatching(/^\[OVERLOAD\].*limit is 1/) as string,
    })
    gate.open()
    expect((await first).code).toBe(ResponseCode.SUCCESS)
  })

  it('a full disk: the send is refused with the reason, nothing of it is stored, and sends work again later', async () => {
    await start()
    disk.faults.fail({ operation: 'write', path: COMMIT_LOG, code: 'ENOSPC' })
    const refused = await broker.send('T', 'lost')
    expect(refused.code).toBe(ResponseCode.SERVICE_NOT_AVAILABLE)
    expect(refused.remark).not.toBe('')
    let answer: Command
    do answer = await broker.send('T', 'second')
    while (answer.code === ResponseCode.SERVICE_NOT_AVAILABLE)
    expect(answer.code).toBe(ResponseCode.SUCCESS)
    expect(await bodies()).toEqual(['first', 'second'])
  })

  it('closing answers held pulls and sends in flight, and loses nothing', async () => {
    await start()
    const pull = broker.pull({ topic: 'T', queueOffset: 1, sysFlag: SUSPEND_AND_INLINE, suspendTimeoutMillis: TIMEOUT_MS })
    const gate = disk.faults.hold({ operation: 'write', path: COMMIT_LOG })
    const sent = broker.send('T', 'second', { queueId: 1 })
    await gate.arrived()
    const closed = broker.broker.close()
    expect((await pull).code).toBe(ResponseCode.PULL_NOT_FOUND)
    gate.open()
    expect((await sent).code).toBe(ResponseCode.SUCCESS)
    await closed
    const again = await startTestBroker({ folder: '/data', disk })
    expect(decodeRecords((await again.pull({ topic: 'T', queueId: 1 })).body!).map(each => each.body.toString())).toEqual([
      'second',
    ])
    await again.close()
  })
})
