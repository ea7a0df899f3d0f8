import { defaultLimits, type SessionLimits } from '@cometmq/session'
import { type BridgeLimits, defaultBridgeLimits } from './options.ts'

/**
 * Limits from texts like `framesPerSecond=1000` or `inboundBytesPerSecond=unlimited`: names are those of BridgeLimits and SessionLimits, values
 * whole numbers above 0 in the unit of the name. Throws TypeError, with the names there are, for anything else.
 */
export function limitsOf(settings: readonly string[]): { limits: Partial<BridgeLimits>; sessionLimits: Partial<SessionLimits> } {
  const limits: Partial<Record<string, number>> = {}
  const sessionLimits: Partial<Record<string, number>> = {}
  for (const setting of settings) {
    const [, name = '', text = ''] = /^(\w+)=(\w+)$/.exec(setting) ?? []
    const target = Object.hasOwn(defaultBridgeLimits, name)
      ? limits
      : Object.hasOwn(defaultLimits, name)
        ? sessionLimits
        : undefined
    if (!target) throw new TypeError(`${setting.slice(0, 80)} is no limit; there are, as name=value: ${names.join(', ')}`)
    target[name] = valueOf(name, text)
  }
  return { limits, sessionLimits }
}

const names = [...Object.keys(defaultBridgeLimits), ...Object.keys(defaultLimits)]

/** What is counted over time may go without a limit; what is allocated may not. */
function valueOf(name: string, text: string): number {
  if (text === 'unlimited' && isRate(name)) return Infinity
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0
  if (value < 1) {
    const also = isRate(name) ? ', or unlimited' : ''
    throw new TypeError(`${name}=${text.slice(0, 40)}: it must be a whole number above 0${also}`)
  }
  return value
}

const isRate = (name: string): boolean => /PerSecond$|Burst$|^maxConnectionsPerSubject$/.test(name)
