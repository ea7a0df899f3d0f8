import { RequestCode, ResponseCode } from '@cometmq/remoting'
import { FakeClock, MemoryDisk } from '@cometmq/testkit'
import { afterEach, describe, expect, it } from 'vitest'
import { startTestBroker, type HarnessOptions, type TestBroker } from '../broker/harness.ts'
import { ack, ackBatch, changeTime, committed, pop, type PopAnswer } from '../broker/pop-client.ts'

const JOURNAL = /\/pop\/journal-\d+$/

let broker: TestBroker | null = null
let clock = new FakeClock()
let disk = new MemoryDisk()
afterEach(async () => {
  await broker?.close()
  broker = null
})

async function start(messages: number, options: HarnessOptions = {}): Promise<TestBroker> {
  clock = new FakeClock()
  disk = new MemoryDisk({ clock })
  broker = await startTestBroker({ folder: '/data', disk, clock, ...options })
  for (let i = 0; i < messages; i++) await broker.send('T', `m${i}`)
  return broker
}

/** The process dies and starts again on what it has written. */
async function killed(on: TestBroker, options: HarnessOptions = {}): Promise<TestBroker> {
  disk = disk.kill()
  await on.close().catch(() => undefined)
  return (broker = await startTestBroker({ folder: '/data', disk, clock, ...options }))
}

const journals = async (): Promise<string[]> => (await disk.list('/data/pop')).map(({ name }) => name)

describe('a message that comes back', () => {
  it('is copied again when the log could not be written', async () => {
    const on = await start(2, { sets: ['popFromRetryProbability=0'] })
    await pop(on, { invisibleTime: 5000 })
    const fault = disk.faults.fail({ operation: 'write', path: /\/commitlog\/\d+$/, code: 'ENOSPC', times: 1 })
    const texts: string[] = []
    while (texts.length < 2) {
      await clock.advanceAsync(1000)
      const answer = await pop(on, { invisibleTime: 3_600_000 })
      expect(answer.messages.every(message => message.reconsumeTimes === 1)).toBe(true)
      texts.push(...answer.texts)
    }
    expect(fault.hits).toBe(1)
    expect(texts.sort()).toEqual(['m0', 'm1'])
    await clock.advanceAsync(60_000)
    expect((await pop(on)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    expect(await committed(on)).toBe(2)
  })

  it('is skipped when the log has it no more', async () => {
    const on = await start(1)
    await pop(on, { invisibleTime: 5000 })
    await on.call(RequestCode.DELETE_TOPIC_IN_BROKER, { topic: 'T' })
    await on.send('T', 'new')
    await clock.advanceAsync(10_000)
    expect((await pop(on)).texts).toEqual(['new'])
  })
})

describe('the pop journal', () => {
  it('is written before a pop and an acknowledgement are answered', async () => {
    const on = await start(2)
    let gate = disk.faults.hold({ operation: 'write', path: JOURNAL })
    let answered = false
    const popped = pop(on).then(answer => {
      answered = true
      return answer
    })
    await gate.arrived()
    expect(await committed(on)).toBe(0)
    expect(answered).toBe(false)
    gate.open()
    const { receipts } = await popped
    gate = disk.faults.hold({ operation: 'write', path: JOURNAL })
    answered = false
    const acknowledged = ack(on, receipts[0]!).then(code => {
      answered = true
      return code
    })
    await gate.arrived()
    await committed(on)
    expect(answered).toBe(false)
    gate.open()
    expect(await acknowledged).toBe(ResponseCode.SUCCESS)
  })

  it('answers what came during a write and has nothing to write itself', async () => {
    const on = await start(1)
    const gate = disk.faults.hold({ operation: 'write', path: JOURNAL })
    const popped = pop(on)
    await gate.arrived()
    const empty = pop(on)
    // Its turn to be written comes while the other write is under way.
    for (let turn = 0; turn < 5; turn++) await committed(on)
    gate.open()
    expect((await popped).texts).toEqual(['m0'])
    expect((await empty).code).toBe(ResponseCode.POLLING_TIMEOUT)
  })

  it('on a full disk refuses, loses nothing, and goes on when there is room', async () => {
    const on = await start(3)
    const first = await pop(on, { maxMsgNums: 1 })
    const fault = disk.faults.fail({ operation: 'write', path: JOURNAL, code: 'ENOSPC', times: 1 })
    const refused = await pop(on, { maxMsgNums: 1, invisibleTime: 5000 })
    expect(refused).toMatchObject({ code: ResponseCode.SYSTEM_ERROR, remark: expect.stringContaining('ENOSPC') as string })
    expect(fault.hits).toBe(1)
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SYSTEM_ERROR)
    expect((await pop(on)).code).toBe(ResponseCode.SYSTEM_ERROR)
    await clock.advanceAsync(1000)
    expect(await ack(on, first.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(on)).toBe(1)
    expect((await pop(on)).texts).toEqual(['m2'])
    // What the refused pop had taken comes back when its lease ends.
    await clock.advanceAsync(5100)
    let back: PopAnswer
    do back = await pop(on)
    while (back.code === ResponseCode.POLLING_TIMEOUT)
    expect(back.texts).toEqual(['m1'])
  })

  it('stays small, whatever goes through it', async () => {
    const options = { sets: ['popJournalBytesMax=4096', 'popFromRetryProbability=0'] }
    const on = await start(300, options)
    const kept = await pop(on, { maxMsgNums: 1, invisibleTime: 3_600_000 })
    for (let i = 1; i < 300; i++) {
      const { receipts } = await pop(on, { maxMsgNums: 1 })
      const longer = await changeTime(on, receipts[0]!, 120_000)
      expect(await ack(on, longer)).toBe(ResponseCode.SUCCESS)
    }
    const [last] = await journals()
    expect(Number(last!.slice(-10))).toBeGreaterThan(3)
    expect((await disk.stat(`/data/pop/${last}`))!.size).toBeLessThan(12_000)
    const next = await killed(on, options)
    expect((await pop(next)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    expect(await committed(next)).toBe(0)
    expect(await ack(next, kept.receipts[0]!)).toBe(ResponseCode.SUCCESS)
    expect(await committed(next)).toBe(300)
  })

  it('a torn end is cut, what stands before it counts', async () => {
    const on = await start(3)
    const { receipts } = await pop(on)
    expect(await ack(on, receipts[0]!)).toBe(ResponseCode.SUCCESS)
    const path = `/data/pop/${(await journals())[0]}`
    const file = await disk.open(path, { create: false })
    const size = await file.size()
    await file.write([Buffer.from([0, 0, 0, 17, 1, 2, 3])], size)
    let next = await killed(on)
    expect((await disk.stat(path))!.size).toBe(size)
    expect(await committed(next)).toBe(1)
    expect(await ack(next, receipts[1]!)).toBe(ResponseCode.SUCCESS)
    next = await killed(next)
    expect(await committed(next)).toBe(2)
    expect((await pop(next)).code).toBe(ResponseCode.POLLING_TIMEOUT)
    expect(await ackBatch(next, [receipts[2]!])).toBe(ResponseCode.SUCCESS)
    expect(await committed(next)).toBe(3)
  })

  it('a file without its beginning is of no use: messages in flight come again from the committed offset', async () => {
    const on = await start(3)
    const { receipts } = await pop(on)
    expect(await ack(on, receipts[0]!)).toBe(ResponseCode.SUCCESS)
    await clock.advanceAsync(5000) // offsets are saved
    const path = `/data/pop/${(await journals())[0]}`
    const file = await disk.open(path, { create: false })
    await file.write([Buffer.from([1, 1, 1, 1])], 0)
    const next = await killed(on)
    expect((await pop(next)).texts).toEqual(['m1', 'm2'])
  })

  it('a power cut in the middle of a new file leaves the old one in use', async () => {
    const options = { sets: ['popJournalBytesMax=4096'] }
    const on = await start(100, options)
    const gate = disk.faults.hold({ operation: 'sync', path: JOURNAL })
    let waiting = 0
    for (let i = 0; i < 100; i++) {
      const { receipts } = await pop(on, { maxMsgNums: 1 })
      if (i >= 50) continue
      expect(await ack(on, receipts[0]!)).toBe(ResponseCode.SUCCESS)
      waiting = Math.max(waiting, gate.waiting)
    }
    expect(waiting + gate.waiting).toBeGreaterThan(0)
    expect(await journals()).toHaveLength(2)
    const next = await killed(on, options)
    expect(await journals()).toHaveLength(1)
    expect(await committed(next)).toBe(50)
    expect((await pop(next)).code).toBe(ResponseCode.POLLING_TIMEOUT)
  })
})
