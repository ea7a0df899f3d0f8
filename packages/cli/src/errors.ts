import { exitCodeOf } from './exit-codes.ts'
import { type Io } from './io.ts'

/** Codes of failures on this side of the cluster, with advice; those of the cluster are in @cometmq/cluster. */
export const ownAdvice = {
  E_USAGE: 'look at the help of the command: add --help',
  E_CONFIRM: 'run it on a terminal and type the name, or add --yes',
  E_PARTIAL: 'look at the items that failed and run the command again for them',
  E_DATA_IN_USE: 'stop the other process (comet shutdown broker), or give this one a data folder of its own (--data)',
  E_PORT: 'choose another port, or 0 for any free one; or stop what uses it',
  E_INSECURE_LISTEN: 'listen on 127.0.0.1, switch authentication on, or accept it by name with --insecure-listen',
  E_CONFIG: 'correct the setting: the reason names it',
  E_NOT_RUNNING: 'check the data folder (--data) or the ready file (--ready-file); nothing may be running any more',
  E_STOP: 'look into its log; it may still be writing. Stop it by its process id when it hangs',
  E_FILE: 'check the path and its permissions',
  E_UNEXPECTED: 'this is a defect: please report it with the output of the same command and --debug',
} as const

export type OwnCode = keyof typeof ownAdvice

/** A failure with the three lines a user reads: what, why, what to try. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly code: OwnCode
  readonly why: string
  readonly whatToDo: string

  constructor(code: OwnCode, what: string, why: string, options: { whatToDo?: string; cause?: unknown } = {}) {
    super(what, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.why = why
    this.whatToDo = options.whatToDo ?? ownAdvice[code]
  }
}

interface Explained {
  code: string
  message: string
  why: string
  whatToDo: string
}

function isExplained(error: unknown): error is Error & Explained {
  const { code, why, whatToDo } = error as Partial<Explained>
  return error instanceof Error && typeof code === 'string' && typeof why === 'string' && typeof whatToDo === 'string'
}

/** Prints the three lines, with `debug` also where it happened; returns the exit code. */
export function report(error: unknown, io: Io, debug: boolean): number {
  const explained = isExplained(error) ? error : unexpected(error)
  const oneLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ')
  io.err(`${explained.code}: ${oneLine(explained.message)}\n`)
  io.err(`  why: ${oneLine(explained.why)}\n`)
  io.err(`  try: ${oneLine(explained.whatToDo)}\n`)
  if (debug) io.err(details(error))
  return exitCodeOf(explained.code)
}

function unexpected(error: unknown): Explained {
  const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return { code: 'E_UNEXPECTED', message: 'something unexpected happened', why, whatToDo: ownAdvice.E_UNEXPECTED }
}

function details(error: unknown): string {
  let text = ''
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { brokerCode, address, outcome } = cause as { brokerCode?: number; address?: string; outcome?: string }
    const facts = Object.entries({ brokerCode, address, outcome }).filter(([, value]) => value !== undefined)
    text += `  debug: ${facts.map(([name, value]) => `${name}=${value}`).join(' ')} ${cause.stack ?? ''}\n`
  }
  return text
}
