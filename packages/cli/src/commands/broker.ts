import { type Io } from '../io.ts'
import { removeFile } from '../process-file.ts'
import {
  claimFolder,
  dataFolderOf,
  releaseFolder,
  type ServerOptions,
  serverLogger,
  startFailure,
  untilStopped,
  writeReadyFile,
} from './server.ts'
import { startBrokerPart } from './start-parts.ts'

/** `comet broker`: what RocketMQ's mqbroker is. */
export async function broker(io: Io, options: ServerOptions & { nameserver?: string; brokerPort?: number }): Promise<number> {
  const dataFolder = dataFolderOf(io, options)
  const logger = serverLogger(io, options)
  claimFolder(dataFolder, 'broker', ['serve', 'broker'])
  try {
    const started = await startBrokerPart(io, options, {
      dataFolder,
      port: options.brokerPort,
      nameServers: options.nameserver,
      logger,
    })
    const { name, nameServers, running } = started
    writeReadyFile(io, options, { broker: { name, address: running.address, port: running.port }, dataFolder })
    // Scripts wait for this line, so it is RocketMQ's.
    const registered = nameServers === '' ? '' : ` and name server is ${nameServers}`
    io.out(`The broker[${name}, ${running.address}] boot success. serializeType=JSON${registered}\n`)
    return await untilStopped(io, logger, async () => {
      if (options.readyFile !== undefined) removeFile(options.readyFile)
      await running.close()
    })
  } catch (error) {
    throw startFailure(error, dataFolder)
  } finally {
    releaseFolder(dataFolder, 'broker')
  }
}
