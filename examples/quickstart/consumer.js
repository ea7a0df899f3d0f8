// Prints every message of TopicTest until it is stopped, like RocketMQ's quick start consumer. Offsets are committed for the
// group, so a second run goes on where the first ended. It reads all queues by itself: one member a group, no rebalancing.
import { createCluster, parseNameServers } from '@cometmq/cluster'
import { silentLogger, systemClock } from '@cometmq/remoting'

const group = 'please_rename_unique_group_name_4'
const topic = 'TopicTest'
const cluster = createCluster({
  nameServers: parseNameServers(process.env.NAMESRV_ADDR ?? 'localhost:9876'),
  clock: systemClock,
  logger: silentLogger,
})
const puller = cluster.puller({ group })
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())

/** Everything of one queue, from the committed offset on: the broker holds a pull until there is something new. */
async function follow(queue) {
  let offset = (await cluster.offsets.committed(group, queue)) ?? (await cluster.offsets.min(queue))
  while (!stop.signal.aborted) {
    const { messages, nextOffset } = await puller.pull(queue, offset, { holdMs: 15_000, signal: stop.signal })
    for (const message of messages) {
      const { msgId, queueId, queueOffset, tag, body } = message
      console.log(
        `Receive New Messages: [topic=${topic}, queueId=${queueId}, queueOffset=${queueOffset}, msgId=${msgId}, tags=${tag}, body=${body}]`,
      )
    }
    if (nextOffset !== offset) await cluster.offsets.commit(group, queue, nextOffset)
    offset = nextOffset
  }
}

const queues = await cluster.topics.queues(topic)
console.log('Consumer Started.')
try {
  await Promise.all(queues.map(follow))
} catch (error) {
  if (!stop.signal.aborted) throw error
} finally {
  await cluster.close()
}
