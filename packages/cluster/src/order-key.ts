import { javaHashCode } from '@cometmq/remoting'

/**
 * Index of the queue for an order key, among `count` queues sorted by broker name and queue id: the same from every client.
 * Java: client.producer.selector.SelectMessageQueueByHash.
 */
export function queueForKey(key: string, count: number): number {
  const index = javaHashCode(key) % count
  return index < 0 ? -index : index
}
