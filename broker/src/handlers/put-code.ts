import { ResponseCode } from '@cometmq/remoting'
import type { PutStatus } from '../store/types.ts'

/** Response code of a put that was not stored (spec store, 5.6). */
export function putCode(status: PutStatus): number {
  switch (status) {
    case 'PUT_OK':
      return ResponseCode.SUCCESS
    case 'MESSAGE_ILLEGAL':
    case 'PROPERTIES_SIZE_EXCEEDED':
      return ResponseCode.MESSAGE_ILLEGAL
    case 'SERVICE_NOT_AVAILABLE':
      return ResponseCode.SERVICE_NOT_AVAILABLE
    case 'OS_PAGE_CACHE_BUSY':
      return ResponseCode.SYSTEM_BUSY
  }
}
