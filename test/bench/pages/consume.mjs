import { connect, topic } from '@cometmq/web'

export function start(url, name, group, onMessage) {
  const connection = connect({ url, topics: [topic(name)] })
  const producer = connection.producer(name)
  const consumer = connection.consumer({ topics: [name], group })
  void consumer.run(message => {
    onMessage(message.value)
    message.ack()
  })
  return body => producer.send(body)
}
