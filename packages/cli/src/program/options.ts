import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Io } from '../io.ts'
import { formats } from '../output/printer.ts'
import { parseDuration } from '../output/times.ts'

export const int = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
export const count = (text: string): number => {
  const number = int(text)
  if (number < 1) throw new InvalidArgumentError('It must be at least 1.')
  return number
}
export const port = (text: string): number => {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It must be a port, 0 to 65535.')
  return Number(text)
}
export const duration = (text: string): number => {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration like 500ms, 10s or 5m.')
  return ms
}
export const collect = (text: string, earlier: string[] | undefined): string[] => [...(earlier ?? []), text]

export const examples = (...lines: string[]): string => `Examples:\n${lines.map(line => `  ${line}`).join('\n')}\n`

export function command(parent: Command, usage: string, description: string, ...lines: string[]): Command {
  return parent
    .command(usage)
    .description(description)
    .addHelpText('before', examples(...lines))
    .option('--debug', 'say where an error happened')
}

/** Options of commands that ask a cluster and print. */
export function asking(target: Command): Command {
  return target
    .option('-n, --nameserver <list>', 'name servers, host:port;host:port (default: $NAMESRV_ADDR or 127.0.0.1:9876)')
    .option('--timeout <duration>', 'limit for each request, like 5s', duration)
}

export function printing(target: Command): Command {
  return target
    .addOption(new Option('-o, --output <format>', 'format; table on a terminal, else tsv').choices(formats))
    .option('--json [fields]', 'JSON, only these fields (a,b,c); without a list: names the fields')
    .option('-q, --quiet', 'names only')
    .option('--utc', 'times in UTC')
    .option('--epoch', 'times in epoch milliseconds')
}

export function confirming(target: Command): Command {
  return target
    .option('-y, --yes', 'do not ask')
    .option('--no-input', 'never ask: fail instead')
    .option('--dry-run', 'only say what would be done')
}

/** Where a command runs, and who gets its exit code. */
export interface Run {
  io: Io
  done: (code: number) => void
}

/** What `load` gives gets the io, the arguments and the options; it is loaded only when the command runs. */
export function runs<Args extends unknown[]>(
  target: Command,
  run: Run,
  load: () => Promise<(io: Io, ...args: Args) => Promise<number>>,
): void {
  target.action(async (...args: unknown[]) => {
    const action = await load()
    run.done(await action(run.io, ...(args.slice(0, -1) as Args)))
  })
}
