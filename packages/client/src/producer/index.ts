import type { Producer, ProducerOptions } from '../api.ts'
import type { Channel } from '../channel.ts'
import type { TopicDef } from '../topic.ts'
import { TopicProducer } from './producer.ts'

/** Attaches a producer to the channel. Disposing of it waits for answers (5 s) and detaches it. */
export const createProducer = <T extends TopicDef>(channel: Channel, topic: T, options: ProducerOptions = {}): Producer<T> =>
  new TopicProducer(channel, topic, options) as unknown as Producer<T>
