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
import { startNameServerPart } from './start-parts.ts'

/** `comet nameserver`: what RocketMQ's mqnamesrv is. */
export async function nameserver(io: Io, options: ServerOptions & { port?: number }): Promise<number> {
  const dataFolder = dataFolderOf(io, options)
  const logger = serverLogger(io, options)
  claimFolder(dataFolder, 'nameserver', ['serve', 'nameserver'])
  try {
    const { running, address } = await startNameServerPart(io, options, {
      dataFolder,
      port: options.port,
      logger,
      ownSettings: true,
    })
    writeReadyFile(io, options, { nameserver: { address, port: running.port }, dataFolder })
    // Scripts wait for this line, so it is RocketMQ's.
    io.out('The Name Server boot success. serializeType=JSON\n')
    return await untilStopped(io, logger, async () => {
      if (options.readyFile !== undefined) removeFile(options.readyFile)
      await running.close()
    })
  } catch (error) {
    throw startFailure(error, dataFolder)
  } finally {
    releaseFolder(dataFolder, 'nameserver')
  }
}
