import type { Producer, ProducerOptions } from '../api.ts'
import type { Channel } from '../channel.ts'
import { BridgeError } from '../errors.ts'
import type { TopicDef } from '../topic.ts'

/** Attaches a producer to the channel. Disposing of it detaches it. */
export function createProducer<T extends TopicDef>(_channel: Channel, _topic: T, _options: ProducerOptions = {}): Producer<T> {
  throw new BridgeError(50101, 'not yet')
}
