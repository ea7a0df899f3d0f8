import { connect, topic } from '@cometmq/web/publish'

export function start(url, name) {
  const producer = connect({ url, topics: [topic(name)] }).producer(name)
  return body => producer.send(body)
}
