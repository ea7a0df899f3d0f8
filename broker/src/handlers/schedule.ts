import { TopicName, appendProperties } from '@cometmq/remoting'
import { property, withoutProperties } from '../delivery/known-properties.ts'
import type { NewMessage } from '../store/types.ts'
import type { Broker } from './context.ts'

/**
 * Turns a message into its parked form (spec store, 7.1): topic SCHEDULE_TOPIC_XXXX, queue level - 1, the destination in
 * REAL_TOPIC and REAL_QID, and the time it is due as tags code. Changes `message` and returns it.
 */
export function schedule(broker: Pick<Broker, 'clock' | 'delayLevels'>, message: NewMessage, level: number): NewMessage {
  const real = property('REAL_TOPIC', message.topic) + property('REAL_QID', String(message.queueId))
  const { properties } = message
  const own = properties.includes('REAL_') ? withoutProperties(properties, ['REAL_TOPIC', 'REAL_QID']) : properties
  message.properties = appendProperties(own, real)
  message.topic = TopicName.SCHEDULE
  message.queueId = level - 1
  message.tagsCode = broker.clock.now() + broker.delayLevels.delayMs(level)
  return message
}
