import type { ConnectOptions, Connection, Observer, Signalled } from './api.ts'
import { Core } from './connection/core.ts'
import { guard, report } from './connection/guard.ts'
import { createConsumer } from './consumer/index.ts'
import { asyncDispose } from './dispose.ts'
import { durationMs } from './duration.ts'
import type { Environment } from './environment.ts'
import { topicOf, unsupported, wrong } from './fail.ts'
import { createProducer } from './producer/index.ts'
import type { TopicDef } from './topic.ts'
import { openWebSocket, type WebSocketClass } from './web-socket.ts'
import { drainMs } from './figures.ts'

export type Connect = <const R extends readonly TopicDef[]>(options: ConnectOptions<R>) => Connection<R>

/** A connection that only sends: a bundle with it alone holds nothing of consumers. */
export type PublisherConnection<R extends readonly TopicDef[]> = Omit<Connection<R>, 'consumer' | 'ready'> & {
  ready(options?: Signalled): Promise<PublisherConnection<R>>
}
export type ConnectPublisher = <const R extends readonly TopicDef[]>(options: ConnectOptions<R>) => PublisherConnection<R>

/** The `connect` of a runtime. */
export const createConnect =
  (environment: Environment): Connect =>
  options =>
    connection(environment, options, createConsumer)

/** The same without consumers. */
export const createConnectPublisher =
  (environment: Environment): ConnectPublisher =>
  options =>
    connection(environment, options)

function connection<R extends readonly TopicDef[]>(
  environment: Environment,
  options: ConnectOptions<R>,
  consume?: typeof createConsumer,
): Connection<R> {
  const { url, topics, auth, backoff = {}, idle = 2_000 } = options
  const urls = typeof url === 'string' ? [url] : [...url]
  if (!urls[0]) wrong('connect() needs a url like "wss://bridge.example.com/ws"')
  const { open, observers, dispose } = install(options, environment.open)
  const core = new Core({
    environment: { ...environment, open },
    urls,
    auth,
    backoff: {
      min: durationMs(backoff.min ?? 250),
      max: durationMs(backoff.max ?? 20_000),
      giveUpAfter: backoff.giveUpAfter === undefined ? Infinity : durationMs(backoff.giveUpAfter),
    },
    idle: durationMs(idle),
    observers,
  })
  return connectionOf(core, topics, dispose, consume)
}

function install({ plugins = [], WebSocket }: ConnectOptions<readonly TopicDef[]>, standard: Environment['open']) {
  const observers: Observer[] = []
  let open = WebSocket ? openWebSocket(WebSocket as WebSocketClass) : standard
  const installed = plugins.map(plugin =>
    plugin.install({
      transport: wrap => void (open = wrap(open) as typeof open),
      observe: observer => void observers.push(observer),
      outbox() {
        throw unsupported('outbox()')
      },
    }),
  )
  const dispose = async (): Promise<void> => {
    for (const plugin of installed.splice(0)) await guard(() => plugin?.[asyncDispose]())?.then(undefined, report)
  }
  return { open, observers, dispose }
}

function connectionOf<R extends readonly TopicDef[]>(
  core: Core,
  topics: R,
  dispose: () => Promise<void>,
  consume?: typeof createConsumer,
): Connection<R> {
  const connection = {
    get state() {
      return core.state
    },
    states: ({ signal } = {}) => core.states(signal),
    async ready({ signal } = {}) {
      await core.ready(signal)
      return connection
    },
    producer: (name, options) => createProducer(core, topicOf(topics, name), options),
    consumer: consume && (options => consume(core, topics, options)),
    request: () => Promise.reject(unsupported('request()')),
    stats: () => core.stats(),
    async drain({ timeout = drainMs, signal } = {}) {
      const report = await core.drain(durationMs(timeout), signal)
      await dispose()
      return report
    },
    close() {
      core.end()
      return dispose()
    },
    async [asyncDispose]() {
      await connection.drain()
    },
  } as Connection<R>
  return connection
}
