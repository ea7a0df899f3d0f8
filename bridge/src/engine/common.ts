import { STATUS_CODES } from 'node:http'
import { type EngineHandlers, type HttpRequest, type ListenOptions, type Refusal, type UpgradeDecision } from './types.ts'

export const statusLine = (status: number): string => `${status} ${STATUS_CODES[status] ?? 'Unknown'}`

/** 120 s without a byte in either direction cut a connection in uWebSockets; sessions ping long before. */
export const IDLE_SECONDS = 120
/** How long a peer may take to answer a close frame. */
export const CLOSE_MS = 5_000
/** Bytes of the head of a request: tokens may come in it. */
export const MAX_HEAD_BYTES = 16_384

export const isRefusal = (decision: UpgradeDecision): decision is Refusal => 'status' in decision

/** The decision on an upgrade, at once when the handler gives one at once. A failure or a late answer is a refusal. Never rejects. */
export function decide(
  request: HttpRequest,
  options: Pick<ListenOptions, 'clock' | 'limits' | 'logger'> & { handlers: EngineHandlers },
  done: (decision: UpgradeDecision) => void,
): void {
  let finished = false
  const finish = (decision: UpgradeDecision): void => {
    if (finished) return
    finished = true
    done(decision)
  }
  const failed = (error: unknown): void => {
    options.logger.error('deciding on a new socket failed', { error })
    finish({ status: 500, body: 'internal error' })
  }
  try {
    const decision = options.handlers.upgrade(request)
    if (!(decision instanceof Promise)) return finish(decision)
    const timer = options.clock.setTimeout(
      () => finish({ status: 503, body: 'the decision took too long' }),
      options.limits.upgradeMs,
    )
    decision.then(finish, failed).finally(() => timer.cancel())
  } catch (error) {
    failed(error)
  }
}

const MAPPED = /^(?:0{0,4}:){2,5}ffff:/i

/** IPv4 addresses in IPv6 form become IPv4 ones. */
export const plainAddress = (address: string): string => {
  const mapped = MAPPED.exec(address)
  const rest = mapped ? address.slice(mapped[0].length) : ''
  return /^\d+\.\d+\.\d+\.\d+$/.test(rest) ? rest : address
}

/** Text of 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) return ''
  const isMapped = bytes.subarray(0, 10).every(byte => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  if (isMapped) return bytes.subarray(12).join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push((((bytes[at] as number) << 8) | (bytes[at + 1] as number)).toString(16))
  // URL writes IPv6 addresses in their shortest form.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

export const splitUrl = (url: string): { path: string; query: string } => {
  const at = url.indexOf('?')
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) }
}

export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: string
  constructor(code: string, text: string) {
    super(text)
    this.code = code
  }
}
