export {
  header,
  text,
  int,
  long,
  bigLong,
  bool,
  optional,
  withDefault,
  parseInt32,
  parseLong,
  parseBigLong,
  type Field,
  type FieldKind,
  type HeaderTable,
  type ValueOf,
  type InputOf,
} from './header.ts'
export * from './codes/request-codes.ts'
export * from './codes/response-codes.ts'
export * from './headers/nameserver.ts'
export * from './headers/send.ts'
export * from './headers/pull.ts'
export * from './headers/offsets.ts'
export * from './headers/clients.ts'
export * from './headers/transaction.ts'
export * from './headers/topics.ts'
export * from './headers/groups.ts'
export * from './headers/query.ts'
export * from './headers/pop.ts'
export * from './bodies/types.ts'
export * from './message/errors.ts'
export * from './message/int64.ts'
export * from './message/sys-flag.ts'
export { crc32 } from './message/crc.ts'
export * from './message/record.ts'
export * from './message/properties.ts'
export * from './message/property-keys.ts'
export * from './message/tags.ts'
export * from './message/ids.ts'
export * from './message/names.ts'
export * from './message/batch.ts'
export { parseJson, JsonError, type JsonValue, type JsonObject } from './json/parse.ts'
export { stringifyJson, encodeJson, messageQueueMap, messageQueueKey } from './json/stringify.ts'
export * from './json/read.ts'
export * from './bodies/data-version.ts'
export * from './bodies/topic-config.ts'
export * from './bodies/group-config.ts'
export * from './bodies/register-broker.ts'
export * from './bodies/route.ts'
export * from './bodies/lists.ts'
export * from './bodies/heartbeat.ts'
export * from './bodies/locks.ts'
export * from './bodies/pop-receipt.ts'
export * from './bodies/pop-batch-ack.ts'
export * from './bodies/pop-assignment.ts'
export * from './bodies/connections.ts'
export * from './bodies/stats.ts'
export * from './bodies/offsets.ts'
export * from './bodies/running-info.ts'
export * from './bodies/consume-queue.ts'
export * from './message/compression.ts'
