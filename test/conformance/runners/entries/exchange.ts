import { connect, text, topic } from '@cometmq/web'

export interface Exchange {
  readonly url: string
  readonly token: string
  readonly runtime: string
  readonly toJava: string
  readonly fromJava: string
  readonly group: string
}

/** Sends one message to a Java service, and takes the one it sent: as a group and as a broadcast. */
export async function exchange({ url, token, runtime, toJava, fromJava, group }: Exchange) {
  const connection = connect({
    url,
    topics: [topic(toJava, { codec: text }), topic(fromJava, { codec: text })],
    auth: () => token,
  })
  try {
    const options = { tag: 'web', keys: ['k1', 'k2'], props: { region: 'eu', runtime } }
    const { id } = await connection.producer(toJava).send(`grüße from ${runtime}`, options)
    const seen = []
    for (const consumer of [
      connection.consumer({ topics: [fromJava], group }),
      connection.consumer({ topics: [fromJava], mode: 'broadcast', since: 'earliest' }),
    ])
      for await (const message of consumer) {
        message.ack()
        seen.push({ value: message.value, tag: message.tag, keys: message.keys, props: message.props })
        break
      }
    return { id, seen }
  } finally {
    await connection.close()
  }
}
