import { type Cluster, type ReceivedMessage } from '@cometmq/cluster'
import { parseOffsetMessageId } from '@cometmq/remoting'
import { callOptions, type CommonOptions, withCluster } from '../context.ts'
import { CliError } from '../errors.ts'
import { ExitCode } from '../exit-codes.ts'
import { type Io } from '../io.ts'
import { printedFieldNames, Printer } from '../output/printer.ts'
import { messages, timeOption } from './messages.ts'

export interface FindOptions extends CommonOptions {
  key: string[]
  since?: string
  until?: string
  limit: number
}

/** `comet msg find`: exit code 3 when no message has the key. */
export async function find(io: Io, topic: string, options: FindOptions): Promise<number> {
  if (printedFieldNames(io, messages, options)) return ExitCode.OK
  const from = timeOption(options.since, '--since')
  const to = timeOption(options.until, '--until')
  const found = await withCluster(io, options, async cluster => {
    const query = {
      ...callOptions(options),
      maxMessages: options.limit,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    }
    const lists: ReceivedMessage[] = []
    for (const key of options.key) lists.push(...(await cluster.messages.byKey(topic, key, query)))
    return lists.slice(0, options.limit)
  })
  new Printer(io, messages, options).list(found)
  if (found.length > 0) return ExitCode.OK
  io.err(`no message of topic ${topic} has the key ${options.key.join(' or ')}\n`)
  return ExitCode.NOT_FOUND
}

export interface GetOptions extends CommonOptions {
  topic?: string
  at?: string
  body?: boolean
}

/** `comet msg get`: by a client's id, a broker's id, or a place. */
export async function get(io: Io, id: string | undefined, options: GetOptions): Promise<number> {
  if (printedFieldNames(io, messages, options)) return ExitCode.OK
  const message = await withCluster(io, options, cluster => {
    if (options.at !== undefined) return atPlace(cluster, options.at, options)
    if (id === undefined) throw new CliError('E_USAGE', 'no message named', 'an id or --at is needed')
    return options.topic === undefined ? byBrokerId(cluster, id, options) : byAnyId(cluster, id, options.topic, options)
  })
  if (options.body) io.outBytes(message.body)
  else new Printer(io, messages, options).one(message, () => {})
  return ExitCode.OK
}

async function atPlace(cluster: Cluster, at: string, options: GetOptions): Promise<ReceivedMessage> {
  const match = /^(.+)\/(\d+)\/(\d+)$/.exec(at)
  if (!match || options.topic === undefined)
    throw new CliError('E_USAGE', `--at ${at} is not understood`, 'it must be broker/queue/offset, together with --topic')
  const queue = { topic: options.topic, brokerName: match[1]!, queueId: Number(match[2]) }
  const message = await cluster.messages.atOffset(queue, Number(match[3]), callOptions(options))
  return message ?? notFound(`at ${at} in topic ${options.topic}`)
}

async function byAnyId(cluster: Cluster, id: string, topic: string, options: GetOptions): Promise<ReceivedMessage> {
  const found = await cluster.messages.byUniqueKey(topic, id, callOptions(options))
  if (found[0]) return found[0]
  return (await namesKnownBroker(cluster, id, options))
    ? cluster.messages.byOffsetMsgId(id, callOptions(options))
    : notFound(`${id} in topic ${topic}`)
}

async function byBrokerId(cluster: Cluster, id: string, options: GetOptions): Promise<ReceivedMessage> {
  if (await namesKnownBroker(cluster, id, options)) return cluster.messages.byOffsetMsgId(id, callOptions(options))
  throw new CliError(
    'E_USAGE',
    `${id} is not the id of a broker of this cluster`,
    'ids made by clients do not tell where the message is',
    {
      whatToDo: 'add --topic TOPIC',
    },
  )
}

/** Both kinds of id look alike. Nobody is connected to whom the name server does not know. */
async function namesKnownBroker(cluster: Cluster, id: string, options: GetOptions): Promise<boolean> {
  let place
  try {
    place = parseOffsetMessageId(id)
  } catch {
    return false
  }
  const brokers = await cluster.brokers.list(callOptions(options))
  return brokers.some(
    broker => broker.address === `${place.address}:${place.port}` || broker.address === `[${place.address}]:${place.port}`,
  )
}

function notFound(what: string): never {
  const error = new Error(`no message ${what}`)
  throw Object.assign(error, {
    code: 'E_NOT_FOUND',
    why: 'no broker of the topic has it',
    whatToDo: 'check the id, and that it is not older than the retention time',
  })
}
