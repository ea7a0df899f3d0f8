import { type OutgoingMessage, type SendOptions as ClusterSendOptions, type SendResult } from '@cometmq/cluster'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { callOptions, type CommonOptions, withCluster } from '../context.ts'
import { CliError } from '../errors.ts'
import { ExitCode } from '../exit-codes.ts'
import { type Io } from '../io.ts'
import { count, type Noun, text } from '../output/columns.ts'
import { printedFieldNames, Printer } from '../output/printer.ts'
import { splitPairs } from './pairs.ts'

export interface SendOptions extends CommonOptions {
  file?: string
  lines?: boolean
  tag?: string
  key?: string[]
  property?: string[]
  orderKey?: string
  queue?: string
  delay?: number
  delayLevel?: number
  count: number
  group: string
}

const results: Noun<SendResult> = {
  kind: 'sent',
  version: 1,
  nameOf: row => row.msgId,
  columns: [
    text('status', row => row.status),
    text('msgId', row => row.msgId),
    text('offsetMsgId', row => row.offsetMsgId, { wide: true }),
    text('topic', row => row.queue.topic, { wide: true }),
    text('broker', row => row.queue.brokerName),
    count('queue', row => row.queue.queueId),
    count('offset', row => row.queueOffset),
  ],
}

/** `comet msg send`: one message, the same one several times, or one a line of standard input. */
export async function send(io: Io, topic: string, body: string | undefined, options: SendOptions): Promise<number> {
  if (printedFieldNames(io, results, options)) return ExitCode.OK
  const printer = new Printer(io, results, options)
  return withCluster(io, options, async cluster => {
    const producer = cluster.producer({ group: options.group })
    const message = templateOf(topic, options)
    const limits = limitsOf(options)
    for await (const bodyBytes of bodies(io, body, options))
      printer.row(await producer.send({ ...message, body: bodyBytes }, limits))
    producer.close()
    return ExitCode.OK
  })
}

function templateOf(topic: string, options: SendOptions): Omit<OutgoingMessage, 'body'> {
  return {
    topic,
    properties: splitPairs(options.property, '--property'),
    ...(options.tag === undefined ? {} : { tag: options.tag }),
    ...(options.key === undefined ? {} : { keys: options.key }),
    ...(options.orderKey === undefined ? {} : { orderKey: options.orderKey }),
    ...(options.delay === undefined ? {} : { delayMs: options.delay }),
    ...(options.delayLevel === undefined ? {} : { delayLevel: options.delayLevel }),
  }
}

function limitsOf(options: SendOptions): ClusterSendOptions {
  if (options.queue === undefined) return callOptions(options)
  const match = /^(.+)\/(\d+)$/.exec(options.queue)
  if (!match) throw new CliError('E_USAGE', `--queue ${options.queue} is not understood`, 'it must be broker/id')
  return { ...callOptions(options), queue: { brokerName: match[1]!, queueId: Number(match[2]) } }
}

async function* bodies(io: Io, body: string | undefined, options: SendOptions): AsyncIterable<Buffer> {
  if (options.lines) {
    for await (const line of io.lines()) if (line !== '') yield Buffer.from(line)
    return
  }
  const bytes = await oneBody(io, body, options)
  for (let sent = 0; sent < options.count; sent++) yield bytes
}

async function oneBody(io: Io, body: string | undefined, options: SendOptions): Promise<Buffer> {
  if (options.file !== undefined && options.file !== '-') return readBody(resolve(io.cwd, options.file))
  if (body !== undefined && body !== '-' && options.file === undefined) return Buffer.from(body)
  if (io.inIsTerminal)
    throw new CliError('E_USAGE', 'no body given', 'there is neither a body nor --file, and standard input is a terminal')
  return io.readAll()
}

function readBody(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new CliError('E_FILE', 'the body cannot be read', (cause as Error).message, { cause })
  }
}
