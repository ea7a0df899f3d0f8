import { CommanderError } from 'commander'
import { report } from './errors.ts'
import { ExitCode } from './exit-codes.ts'
import { type Io, processIo } from './io.ts'
import { createProgram, usageError } from './program.ts'

/** Runs one command line; resolves with its exit code. Never rejects. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  const debug = args.includes('--debug')
  let code: number = ExitCode.OK
  const program = createProgram(io, result => (code = result))
  try {
    if (args.length === 0) {
      io.out(program.helpInformation())
      return ExitCode.USAGE
    }
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, io, debug)
    const failure = usageError(error, commandPath(args))
    return failure ? report(failure, io, debug) : ExitCode.OK
  }
}

/** `comet topic` of `topic cretae x`: the words before the first option, at most two. */
const commandPath = (args: readonly string[]): string => {
  const first = args[0]
  const nested = first !== undefined && ['topic', 't', 'group', 'g', 'msg', 'm'].includes(first)
  return nested ? `comet ${first}` : 'comet'
}

/** The entry of bin/comet.js. */
export async function start(): Promise<void> {
  process.exitCode = await run(process.argv.slice(2), processIo())
}
