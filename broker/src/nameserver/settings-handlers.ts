import {
  CommandError,
  deleteKVConfigRequest,
  encodeKVTable,
  getKVConfigRequest,
  getKVConfigResponse,
  getKVListByNamespaceRequest,
  putKVConfigRequest,
  RequestCode,
  ResponseCode,
  type Command,
  type Handler,
  type Reply,
} from '@cometmq/remoting'
import type { NameServerContext } from './context.ts'

/** Key-value settings and the name server's own configuration, asked by tools (spec remoting, 3.1). */
export function settingsHandlers(context: NameServerContext): [number, Handler][] {
  const { settings } = context
  return [
    [RequestCode.PUT_KV_CONFIG, request => putKV(context, request)],
    [RequestCode.GET_KV_CONFIG, request => getKV(context, request)],
    [RequestCode.DELETE_KV_CONFIG, request => deleteKV(context, request)],
    [RequestCode.GET_KVLIST_BY_NAMESPACE, request => listKV(context, request)],
    [RequestCode.UPDATE_NAMESRV_CONFIG, request => updateConfig(context, request)],
    [RequestCode.GET_NAMESRV_CONFIG, () => ({ code: ResponseCode.SUCCESS, body: Buffer.from(settings.configText()) })],
  ]
}

async function putKV({ kv }: NameServerContext, request: Command): Promise<Reply> {
  const { namespace, key, value } = putKVConfigRequest.decode(request.ext)
  if (namespace === '' || key === '') throw new CommandError(ResponseCode.SYSTEM_ERROR, 'namespace and key must not be empty')
  await kv.put(namespace, key, value)
  return { code: ResponseCode.SUCCESS }
}

function getKV({ kv }: NameServerContext, request: Command): Reply {
  const { namespace, key } = getKVConfigRequest.decode(request.ext)
  const value = kv.get(namespace, key)
  if (value === undefined)
    return { code: ResponseCode.QUERY_NOT_FOUND, remark: `No config item, Namespace: ${namespace} Key: ${key}` }
  return { code: ResponseCode.SUCCESS, ext: getKVConfigResponse.encode({ value }) }
}

async function deleteKV({ kv }: NameServerContext, request: Command): Promise<Reply> {
  const { namespace, key } = deleteKVConfigRequest.decode(request.ext)
  await kv.delete(namespace, key)
  return { code: ResponseCode.SUCCESS }
}

function listKV({ kv }: NameServerContext, request: Command): Reply {
  const { namespace } = getKVListByNamespaceRequest.decode(request.ext)
  const table = kv.list(namespace)
  if (table === undefined) return { code: ResponseCode.QUERY_NOT_FOUND, remark: `No config item, Namespace: ${namespace}` }
  return { code: ResponseCode.SUCCESS, body: encodeKVTable(table) }
}

async function updateConfig(context: NameServerContext, request: Command): Promise<Reply> {
  const { settings, logger } = context
  const changed = settings.update((request.body ?? Buffer.alloc(0)).toString('utf8'))
  if (changed.length > 0) {
    await context.saveSettings()
    logger.info(`configuration changed: ${changed.join(', ')}`)
  }
  return { code: ResponseCode.SUCCESS }
}
