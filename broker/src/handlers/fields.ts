import { CommandError, ResponseCode, type Command } from '@cometmq/remoting'

/** A body that must be there. */
export function body(request: Command): Buffer {
  if (request.body === null) throw new CommandError(ResponseCode.SYSTEM_ERROR, `request ${request.code} needs a body`)
  return request.body
}

/** A value as a remark may repeat it: short. */
export const shown = (value: string): string => (value.length <= 64 ? value : `${value.slice(0, 61)}...`)
