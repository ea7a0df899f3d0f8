// What an application carries that only sends.
import { connect, json, topic } from '@cometmq/web/publish'

const events = topic('events', { codec: json })
export const start = url => connect({ url, topics: [events] }).producer('events')
