// Starts a bridge and asks for its health: `node bridge.js NAMESERVER ENGINE`.
import { anonymous, startBridge } from '@cometmq/bridge'
import { createCluster } from '@cometmq/cluster'
import { silentLogger, systemClock } from '@cometmq/remoting'
import { randomBytes } from 'node:crypto'

const [nameServer, engine] = process.argv.slice(2)
const common = { clock: systemClock, logger: silentLogger }
const cluster = createCluster({ nameServers: [nameServer], ...common })
const bridge = await startBridge({
  ...common,
  cluster,
  authenticate: anonymous,
  resumeKey: randomBytes(32),
  port: 0,
  engine,
})
const { status } = await globalThis.fetch(`http://127.0.0.1:${bridge.port}/healthz`)
await bridge.close()
await cluster.close()
console.log(JSON.stringify({ status, engine: bridge.engine }))
