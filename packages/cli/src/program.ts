import { Command, type CommanderError } from 'commander'
import { CliError } from './errors.ts'
import { type Io } from './io.ts'
import { addMessages } from './program/messages.ts'
import { command, examples, type Run, runs } from './program/options.ts'
import { addServers } from './program/servers.ts'
import { addToken } from './program/token.ts'
import { addGroups, addTopics } from './program/topics-groups.ts'

/** Builds the tree of commands; `done` gets the exit code of the one that ran. */
export function createProgram(io: Io, done: (code: number) => void): Command {
  const program = new Command('comet')
    .description('Runs a CometMQ broker and works with any RocketMQ-compatible cluster.')
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError(true)
    .configureOutput({ writeOut: text => io.out(text), writeErr: () => {} })
    .addHelpText('before', examples('comet serve', 'comet topic create orders --queues 8', 'comet msg tail orders'))
    .option('-V, --version', 'print the version')
  const run = { io, done }
  addServers(program, run)
  addToken(program, run)
  addTopics(program, run)
  addGroups(program, run)
  addMessages(program, run)
  addHelpers(program, run)
  return program
}

function addHelpers(program: Command, run: Run): void {
  const explain = command(
    program,
    'explain [code]',
    'explain an error code or the exit codes',
    'comet explain E_NO_ROUTE',
    'comet explain',
  )
  runs(explain, run, async () => (await import('./commands/explain.ts')).explain)
  const version = program.command('version').description('print the version')
  runs(version, run, async () => {
    const { versionText } = await import('./version.ts')
    return async out => {
      out.out(`${versionText(false)}\n`)
      return 0
    }
  })
}

/** Commander's complaints in our three lines; undefined when it only printed help. */
export function usageError(error: CommanderError, command: string): CliError | undefined {
  if (error.exitCode === 0) return undefined
  const [first = '', second] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = second?.replace(/^\(|\)$/g, '').trim()
  const help = `${command} --help shows what is possible`
  return new CliError('E_USAGE', first || 'no command given', 'the command line cannot be understood', {
    whatToDo: suggestion ? `${suggestion} ${help}` : help,
  })
}
