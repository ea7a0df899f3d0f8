import { adviceFor } from '@cometmq/cluster'
import { CliError, ownAdvice } from '../errors.ts'
import { ExitCode, exitCodeMeaning, exitCodeOf } from '../exit-codes.ts'
import { type Io } from '../io.ts'

/** `comet explain`: every error code with its advice and exit code. */
export async function explain(io: Io, code: string | undefined): Promise<number> {
  const advice: Record<string, string> = { ...adviceFor, ...ownAdvice }
  if (code === undefined) {
    for (const name of Object.keys(advice).sort()) io.out(`${name.padEnd(20)}  ${advice[name]}\n`)
    io.out('\nExit codes\n')
    for (const [number, meaning] of exitCodeMeaning) io.out(`${String(number).padStart(3)}  ${meaning}\n`)
    return ExitCode.OK
  }
  const name = code.toUpperCase()
  if (!Object.hasOwn(advice, name))
    throw new CliError('E_USAGE', `no error code ${code}`, 'it is not one of ours', { whatToDo: 'comet explain lists all' })
  io.out(`${name}\n  try: ${advice[name]}\n  exit code: ${exitCodeOf(name)}\n`)
  return ExitCode.OK
}
