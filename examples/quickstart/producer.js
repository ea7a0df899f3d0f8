// Sends 1,000 messages to TopicTest, like RocketMQ's quick start producer.
import { createCluster, parseNameServers } from '@cometmq/cluster'
import { silentLogger, systemClock } from '@cometmq/remoting'

const cluster = createCluster({
  nameServers: parseNameServers(process.env.NAMESRV_ADDR ?? 'localhost:9876'),
  clock: systemClock,
  logger: silentLogger,
})
const producer = cluster.producer({ group: 'please_rename_unique_group_name' })

for (let i = 0; i < 1000; i++) {
  const { status, msgId, offsetMsgId, queue, queueOffset } = await producer.send({
    topic: 'TopicTest',
    tag: 'TagA',
    body: `Hello RocketMQ ${i}`,
  })
  const { topic, brokerName, queueId } = queue
  const messageQueue = `MessageQueue [topic=${topic}, brokerName=${brokerName}, queueId=${queueId}]`
  console.log(
    `SendResult [sendStatus=${status}, msgId=${msgId}, offsetMsgId=${offsetMsgId}, messageQueue=${messageQueue}, queueOffset=${queueOffset}]`,
  )
}

await cluster.close()
