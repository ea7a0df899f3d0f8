// What ws-adapter.mjs needs of the workspace, in one built file.
export { createCluster, parseNameServers } from '@cometmq/cluster'
export { bytes, connect, topic } from '@cometmq/node'
export { silentLogger, systemClock } from '@cometmq/remoting'
