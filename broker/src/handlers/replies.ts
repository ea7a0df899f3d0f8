import { ResponseCode, type Reply } from '@cometmq/remoting'

export const SUCCESS: Reply = { code: ResponseCode.SUCCESS }

export function bodyReply(body: Buffer, ext?: Record<string, string>): Reply {
  return ext === undefined ? { code: ResponseCode.SUCCESS, body } : { code: ResponseCode.SUCCESS, body, ext }
}
