import type { Broker } from './context.ts'

const VERSION_NAME = 'V5_3_3'
const GIB = 1024 ** 3

/** The key-value table of request 28 (spec remoting, 3.8; Java: AdminBrokerProcessor.prepareRuntimeInfo). All values are texts. */
export function runtimeInfo(broker: Broker): Record<string, string> {
  const { stats, store, config, clock, gate } = broker
  const log = store.stats()
  const now = clock.monotonic()
  const wallNow = clock.now()
  const puts = rates(
    at => stats.puts.minute(at).tps,
    at => stats.puts.hour(at).tps,
    at => stats.puts.day(at).tps,
    now,
  )
  const found = rates(
    at => stats.getFound.minute(at).tps,
    at => stats.getFound.hour(at).tps,
    at => stats.getFound.day(at).tps,
    now,
  )
  const missed = rates(
    at => stats.getMiss.minute(at).tps,
    at => stats.getMiss.hour(at).tps,
    at => stats.getMiss.day(at).tps,
    now,
  )
  const total = found.map((each, i) => each + missed[i]!)
  const moved = rates(
    at => stats.getMessages.minute(at).tps,
    at => stats.getMessages.hour(at).tps,
    at => stats.getMessages.day(at).tps,
    now,
  )
  const ratio = String(log.diskUsedRatio)
  const info: Record<string, string> = {
    brokerVersionDesc: VERSION_NAME,
    brokerVersion: '479',
    brokerActive: 'true',
    bootTimestamp: String(stats.bootTimestamp),
    runtime: durationText(wallNow - stats.bootTimestamp),
    startAcceptSendRequestTimeStamp: '0',
    putTps: spaced(puts),
    getFoundTps: spaced(found),
    getMissTps: spaced(missed),
    getTotalTps: spaced(total),
    getTransferredTps: spaced(moved),
    putMessageTimesTotal: String(stats.puts.sum),
    putMessageFailedTimes: String(stats.putFailures.sum),
    putMessageSizeTotal: String(stats.putBytes.sum),
    putMessageAverageSize: String(stats.puts.sum > 0 ? stats.putBytes.sum / stats.puts.sum : 0),
    putMessageEntireTimeMax: String(gate.longestWaitMs),
    putMessageDistributeTime: '',
    putLatency99: '0.00',
    putLatency999: '0.00',
    getMessageEntireTimeMax: String(Math.round(stats.getTimeMaxMs)),
    msgPutTotalYesterdayMorning: String(stats.putYesterdayMorning),
    msgPutTotalTodayMorning: String(stats.putTodayMorning),
    msgPutTotalTodayNow: String(stats.puts.sum),
    msgGetTotalYesterdayMorning: String(stats.getYesterdayMorning),
    msgGetTotalTodayMorning: String(stats.getTodayMorning),
    msgGetTotalTodayNow: String(stats.getMessages.sum),
    commitLogMinOffset: String(log.minPhysicalOffset),
    commitLogMaxOffset: String(log.appended),
    commitLogDirCapacity: `Total : ${gib(log.diskTotalBytes)}, Free : ${gib(log.diskFreeBytes)}.`,
    commitLogDiskRatio: ratio,
    [`commitLogDiskRatio_${config.storePathCommitLog}`]: ratio,
    consumeQueueDiskRatio: ratio,
    remainHowManyDataToFlush: `${log.appended - log.synced} B`,
    remainTransientStoreBufferNumbs: '2147483647',
    dispatchBehindBytes: String(log.appended - log.dispatched),
    dispatchMaxBuffer: '0',
    pageCacheLockTimeMills: '0',
    earliestMessageTimeStamp: String(log.earliestMessageTime),
    sendThreadPoolQueueSize: String(gate.waiting),
    sendThreadPoolQueueCapacity: String(gate.maxWaiting),
    sendThreadPoolQueueHeadWaitTimeMills: String(gate.headWaitMs),
    // One event loop: requests do not queue up before they are handled.
    ...queueTriples(['pull', 'litePull', 'query', 'ack', 'admin']),
    EndTransactionQueueSize: '0',
    EndTransactionThreadPoolQueueCapacity: '0',
    timerReadBehind: '0',
    timerOffsetBehind: '0',
    timerCongestNum: '0',
    timerEnqueueTps: '0.0',
    timerDequeueTps: '0.0',
    pullRequestHoldSize: String(broker.parkedPulls()),
  }
  for (const { level, consumed, max } of broker.delayProgress()) info[`scheduleMessageOffset_${level}`] = `${consumed},${max}`
  return info
}

type Rate = (at: number) => number
const rates = (minute: Rate, hour: Rate, day: Rate, at: number): number[] => [minute(at), hour(at), day(at)]
const spaced = (values: number[]): string =>
  values.map(value => (Number.isInteger(value) ? `${value}.0` : String(value))).join(' ')

function queueTriples(names: string[]): Record<string, string> {
  const triples: Record<string, string> = {}
  for (const name of names) {
    triples[`${name}ThreadPoolQueueSize`] = '0'
    triples[`${name}ThreadPoolQueueCapacity`] = '0'
    triples[`${name}ThreadPoolQueueHeadWaitTimeMills`] = '0'
  }
  return triples
}

const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`

function durationText(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000)
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60]
  return `[ ${days} days, ${hours} hours, ${minutes} minutes, ${seconds % 60} seconds ]`
}
