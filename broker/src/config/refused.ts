/**
 * Keys that have no effect here but would weaken what was asked for if they were only skipped:
 * any value but these is refused.
 */
export interface Refusal {
  /** Values that ask for nothing we lack; '' is always one. */
  readonly harmless: readonly string[]
  readonly reason: string
}

const off = (reason: string): Refusal => ({ harmless: ['false'], reason })
const one = (reason: string): Refusal => ({ harmless: ['1', '0'], reason })
const NO_REPLICAS = 'this release has no replication, so no message would be on more than one machine'
const NO_ACCESS_CONTROL = 'this release has no access control, so everyone could do everything'
const NO_ROCKSDB = 'this release does not read or write RocksDB, so state kept there would be missing'
const NO_PROPERTY_CRC = 'this release does not check checksums over whole records'

export const refusedBrokerKeys: Readonly<Record<string, Refusal>> = {
  aclEnable: off(NO_ACCESS_CONTROL),
  authenticationEnabled: off(NO_ACCESS_CONTROL),
  authorizationEnabled: off(NO_ACCESS_CONTROL),
  useTLS: off('TLS is not set up by this key here, and connections would not be encrypted'),
  enableControllerMode: off('this release has no controller, so there would be no failover'),
  enableDLegerCommitLog: off(NO_REPLICAS),
  inSyncReplicas: one(NO_REPLICAS),
  minInSyncReplicas: one(NO_REPLICAS),
  totalReplicas: one(NO_REPLICAS),
  allAckInSyncStateSet: off(NO_REPLICAS),
  enableAutoInSyncReplicas: off(NO_REPLICAS),
  storeType: { harmless: ['default'], reason: NO_ROCKSDB },
  configManagerVersion: { harmless: ['v1'], reason: NO_ROCKSDB },
  timerRocksDBEnable: off(NO_ROCKSDB),
  transRocksDBEnable: off(NO_ROCKSDB),
  indexRocksDBEnable: off(NO_ROCKSDB),
  readOnlyCommitLogStorePaths: {
    harmless: [],
    reason: 'this release reads one commit log folder, so what lies in the others would be missing',
  },
  messageStorePlugIn: { harmless: [], reason: 'Java plug-ins cannot be loaded' },
  enableLmq: off('this release has no light queues'),
  enableMultiDispatch: off('this release has no light queues'),
  enabledAppendPropCRC: off(NO_PROPERTY_CRC),
  forceVerifyPropCRC: off(NO_PROPERTY_CRC),
  rejectPullConsumerEnable: off('this release cannot tell pull consumers from push consumers'),
}

export const refusedNameServerKeys: Readonly<Record<string, Refusal>> = {
  enableControllerInNamesrv: off('this release has no controller, so there would be no failover'),
}
