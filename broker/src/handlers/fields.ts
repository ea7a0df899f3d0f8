import { CommandError, ResponseCode, type Command } from '@cometmq/remoting'

/** A body that must be there. */
export function body(request: Command): Buffer {
  if (request.body === null) throw new CommandError(ResponseCode.SYSTEM_ERROR, `request ${request.code} needs a body`)
  return request.body
}

/** Strict JSON of a request's body. */
export function jsonBody(request: Command): unknown {
  try {
    return JSON.parse(body(request).toString('utf8')) as unknown
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(ResponseCode.SYSTEM_ERROR, `the body of request ${request.code} is not JSON: ${(error as Error).message}`)
  }
}

/** A value as a remark may repeat it: short. */
export const shown = (value: string): string => (value.length <= 64 ? value : `${value.slice(0, 61)}...`)
