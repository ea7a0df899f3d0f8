import { type Io } from '../io.ts'
import { runServer, type ServerOptions, writeReadyFile } from './server.ts'
import { startBrokerPart } from './start-parts.ts'

/** `comet broker`: what RocketMQ's mqbroker is. */
export const broker = (io: Io, options: ServerOptions & { nameserver?: string; brokerPort?: number }): Promise<number> =>
  runServer(io, options, {
    role: 'broker',
    rivals: ['serve', 'broker'],
    async start({ dataFolder, logger, closers }) {
      const { running, name, nameServers } = await startBrokerPart(io, options, {
        dataFolder,
        port: options.brokerPort,
        nameServers: options.nameserver,
        logger,
      })
      closers.add(() => running.close())
      writeReadyFile(io, options, closers, { broker: { name, address: running.address, port: running.port }, dataFolder })
      // Scripts wait for this line, so it is RocketMQ's.
      const registered = nameServers === '' ? '' : ` and name server is ${nameServers}`
      io.out(`The broker[${name}, ${running.address}] boot success. serializeType=JSON${registered}\n`)
    },
  })
