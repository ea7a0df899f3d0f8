import type { Consumer, ConsumerOptions, Signalled } from '../api.ts'
import type { Channel } from '../channel.ts'
import { BridgeError } from '../errors.ts'
import type { TopicDef } from '../topic.ts'

/** Attaches a subscription to the channel. `topics`: the definitions that the names in the options are looked up in. */
export function createConsumer<T extends TopicDef>(
  _channel: Channel,
  _topics: readonly TopicDef[],
  _options: ConsumerOptions<readonly unknown[]> & Signalled,
): Consumer<T> {
  throw new BridgeError(50101, 'not yet')
}
