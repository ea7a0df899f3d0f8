import { bool, int, key, matching, text, type KeyTable } from './keys.ts'

/** Keys of RocketMQ's NamesrvConfig that have an effect here (spec store, 12.5). */
const path = matching(/^$|\//, 'a path with its folder')
const inDataFolder = 'default in the data folder where RocketMQ has $HOME/namesrv'
const runtime = true

export const nameServerKeys = {
  listenPort: key(int(0, 65_535), 9876, 'port; 0 takes a free one'),
  bindAddress: key(text, '0.0.0.0', 'address listened on'),
  kvConfigPath: key(path, '', 'file of the key-value settings; empty: kvConfig.json in the data folder', {
    differs: inDataFolder,
  }),
  configStorePath: key(path, '', 'file that request 318 writes to; empty: namesrv.properties in the data folder', {
    differs: inDataFolder,
  }),
  serverChannelMaxIdleTimeSeconds: key(int(1, 2_147_483_647), 120, 'a connection silent in both directions this long is closed', {
    unit: 's',
  }),
  orderMessageEnable: key(bool, false, 'routes carry the order configuration of their topic', { runtime }),
  returnOrderTopicConfigToBroker: key(bool, true, 'brokers get the order configuration with their registration', { runtime }),
  scanNotActiveBrokerInterval: key(int(100, 2_147_483_647), 5000, 'silent brokers are looked for this often', { unit: 'ms' }),
  supportActingMaster: key(bool, false, 'a group without a master lists its lowest slave in its place', { runtime }),
  enableAllTopicList: key(bool, true, 'request 206 is answered', { runtime }),
  enableTopicList: key(bool, true, 'requests for topics of a cluster or unit are answered', { runtime }),
  needWaitForService: key(bool, false, 'routes are refused for a while after the start, until brokers have registered', {
    runtime,
  }),
  waitSecondsForService: key(int(0, 86_400), 45, 'for how long', { unit: 's', runtime }),
  deleteTopicWithBrokerRegistration: key(bool, false, 'a topic missing from a full registration is forgotten', { runtime }),
  configBlackList: key(
    text,
    'configBlackList;configStorePath;kvConfigPath',
    'keys that request 318 may not change, separated by ;',
  ),
} as const satisfies KeyTable
