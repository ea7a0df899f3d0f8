import { type Logger } from '@cometmq/remoting'
import { type Io } from './io.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof levels)[number]
export type LogFormat = 'text' | 'json'

/** One line an event on standard error: `time LEVEL message key=value …`, or one JSON object. */
export function lineLogger(io: Io, lowest: LogLevel, format: LogFormat): Logger {
  const from = levels.indexOf(lowest)
  const log =
    (level: LogLevel) =>
    (message: string, fields: Record<string, unknown> = {}): void => {
      if (levels.indexOf(level) < from) return
      const time = new Date().toISOString()
      io.err((format === 'json' ? asJson(time, level, message, fields) : asText(time, level, message, fields)) + '\n')
    }
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}

const plain = (value: unknown): unknown => {
  if (value instanceof Error) return value.message
  return typeof value === 'bigint' ? value.toString() : value
}

const asJson = (time: string, level: string, message: string, fields: Record<string, unknown>): string =>
  JSON.stringify({ time, level, message, ...fields }, (_key, value: unknown) => plain(value))

function asText(time: string, level: string, message: string, fields: Record<string, unknown>): string {
  const parts = Object.entries(fields).map(([name, value]) => `${name}=${valueText(plain(value))}`)
  return [time, level.toUpperCase(), message, ...parts].join(' ')
}

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, (_key, item: unknown) => plain(item))
  return text !== undefined && /[\s"=]/.test(text) ? JSON.stringify(text) : (text ?? 'undefined')
}
