import { type ReceivedMessage } from '@cometmq/cluster'
import { isUtf8 } from 'node:buffer'
import { CliError } from '../errors.ts'
import { count, detail, type Noun, text, time } from '../output/columns.ts'
import { parseTime } from '../output/times.ts'

/** Body as text when it is UTF-8, else base64. */
export const bodyText = (message: ReceivedMessage): string =>
  isUtf8(message.body) ? message.body.toString('utf8') : message.body.toString('base64')

export const messages: Noun<ReceivedMessage> = {
  kind: 'messages',
  version: 1,
  nameOf: row => row.msgId,
  columns: [
    time('storeTime', row => row.storeTimestamp),
    text('topic', row => row.topic, { wide: true }),
    text('broker', row => row.brokerName),
    count('queue', row => row.queueId),
    count('offset', row => row.queueOffset),
    text('tag', row => row.tag),
    text('keys', row => row.keys),
    text('msgId', row => row.msgId),
    text('offsetMsgId', row => row.offsetMsgId, { wide: true }),
    time('bornTime', row => row.bornTimestamp, { wide: true }),
    text('bornHost', row => row.bornHost, { wide: true }),
    text('storeHost', row => row.storeHost, { wide: true }),
    count('reconsumeTimes', row => row.reconsumeTimes, { wide: true }),
    count('bodyBytes', row => row.body.length, { wide: true }),
    detail('properties', row => Object.fromEntries(row.properties)),
    detail('bodyEncoding', row => (isUtf8(row.body) ? 'utf8' : 'base64')),
    text('body', bodyText),
  ],
}

export function timeOption(value: string | undefined, option: string): number | undefined {
  if (value === undefined) return undefined
  const time = parseTime(value, Date.now())
  if (time === undefined)
    throw new CliError(
      'E_USAGE',
      `${option} ${value} is not understood`,
      'it must be like -15m, "today 09:00", 2026-01-01T10:00 or epoch milliseconds',
    )
  return time
}
