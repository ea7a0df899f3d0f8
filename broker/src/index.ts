export { startBroker, type BrokerLimits, type BrokerOptions, type RunningBroker } from './broker.ts'
export * from './config.ts'
export { createNodeDisk } from './store/node-disk.ts'
export { startNameServer, type NameServer, type NameServerOptions } from './nameserver/nameserver.ts'
