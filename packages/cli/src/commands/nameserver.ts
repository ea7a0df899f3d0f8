import { type Io } from '../io.ts'
import { runServer, type ServerOptions, writeReadyFile } from './server.ts'
import { startNameServerPart } from './start-parts.ts'

/** `comet nameserver`: what RocketMQ's mqnamesrv is. */
export const nameserver = (io: Io, options: ServerOptions & { port?: number }): Promise<number> =>
  runServer(io, options, {
    role: 'nameserver',
    rivals: ['serve', 'nameserver'],
    async start({ dataFolder, logger, closers }) {
      const { running, address } = await startNameServerPart(io, options, {
        dataFolder,
        port: options.port,
        logger,
        ownSettings: true,
      })
      closers.add(() => running.close())
      writeReadyFile(io, options, closers, { nameserver: { address, port: running.port }, dataFolder })
      // Scripts wait for this line, so it is RocketMQ's.
      io.out('The Name Server boot success. serializeType=JSON\n')
    },
  })
