export { startBroker, type BrokerLimits, type BrokerOptions, type RunningBroker } from './broker.ts'
export * from './config.ts'
