import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { CliError } from './errors.ts'
import { type Io } from './io.ts'
import { formats } from './output/printer.ts'
import { parseDuration } from './output/times.ts'

/** The arguments and options of a command, in commander's order, and where its code is: loaded only when it runs. */
type Action<Module> = (load: () => Promise<Module>, run: (module: Module, io: Io, ...args: never[]) => Promise<number>) => void

const int = (text: string): number => {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
const port = (text: string): number => {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidArgumentError('It must be a port, 0 to 65535.')
  return Number(text)
}
const duration = (text: string): number => {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('It must be a duration like 500ms, 10s or 5m.')
  return ms
}
const collect = (text: string, earlier: string[] | undefined): string[] => [...(earlier ?? []), text]

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
  addServers(program, io, done)
  addTopics(program, io, done)
  addGroups(program, io, done)
  addMessages(program, io, done)
  addHelpers(program, io, done)
  return program
}

const examples = (...lines: string[]): string => `Examples:\n${lines.map(line => `  ${line}`).join('\n')}\n`

function command(parent: Command, usage: string, description: string, ...lines: string[]): Command {
  return parent.command(usage).description(description).addHelpText('before', examples(...lines)).option('--debug', 'say where an error happened')
}

/** Options of commands that ask a cluster and print. */
function asking(target: Command): Command {
  return target
    .option('-n, --nameserver <list>', 'name servers, host:port;host:port (default: $NAMESRV_ADDR or 127.0.0.1:9876)')
    .option('--timeout <duration>', 'limit for each request, like 5s', duration)
}

function printing(target: Command): Command {
  return target
    .addOption(new Option('-o, --output <format>', 'format; table on a terminal, else tsv').choices(formats))
    .option('--json [fields]', 'JSON, only these fields (a,b,c); without a list: names the fields')
    .option('-q, --quiet', 'names only')
    .option('--utc', 'times in UTC')
    .option('--epoch', 'times in epoch milliseconds')
}

function confirming(target: Command): Command {
  return target
    .option('-y, --yes', 'do not ask')
    .option('--no-input', 'never ask: fail instead')
    .option('--dry-run', 'only say what would be done')
}

/** Loads the module on the first run and hands it the io, the arguments and the options. */
function runs<Module>(target: Command, io: Io, done: (code: number) => void): Action<Module> {
  return (load, run) => {
    target.action(async (...args: unknown[]) => {
      const module = await load()
      done(await run(module, io, ...(args.slice(0, -1) as never[])))
    })
  }
}

function addServers(program: Command, io: Io, done: (code: number) => void): void {
  const serve = server(command(program, 'serve', 'run name server and broker in one process', 'comet serve', 'comet serve --data /var/lib/comet --host 0.0.0.0 --insecure-listen'))
    .option('--nameserver-port <port>', 'port of the name server; 0: any free one', port, 9876)
    .option('--broker-port <port>', 'port of the broker; 0: any free one', port)
  runs<typeof import('./commands/serve.ts')>(serve, io, done)(() => import('./commands/serve.ts'), (m, ...args) => m.serve(...(args as Parameters<typeof m.serve>)))

  const ns = server(command(program, 'nameserver', 'run a name server', 'comet nameserver', 'comet nameserver --port 9877')).option(
    '-p, --port <port>',
    'port; 0: any free one (default: 9876)',
    port,
  )
  runs<typeof import('./commands/nameserver.ts')>(ns, io, done)(() => import('./commands/nameserver.ts'), (m, ...args) => m.nameserver(...(args as Parameters<typeof m.nameserver>)))

  const broker = server(command(program, 'broker', 'run a broker', 'comet broker -n localhost:9876', 'comet broker -c broker.conf --set brokerName=b-1'))
    .option('-n, --nameserver <list>', 'name servers to register at, host:port;host:port (default: $NAMESRV_ADDR)')
    .option('--broker-port <port>', 'port; 0: any free one', port)
  runs<typeof import('./commands/broker.ts')>(broker, io, done)(() => import('./commands/broker.ts'), (m, ...args) => m.broker(...(args as Parameters<typeof m.broker>)))

  const shutdown = command(program, 'shutdown <server>', 'stop a running broker or nameserver and wait until it is gone', 'comet shutdown broker', 'comet shutdown nameserver --data /var/lib/comet')
    .option('--data <folder>', 'data folder of the process (default: ./comet-data)')
    .option('--ready-file <file>', 'the file given as --ready-file when it was started')
    .option('--timeout <duration>', 'how long to wait', duration, 60_000)
  runs<typeof import('./commands/shutdown.ts')>(shutdown, io, done)(() => import('./commands/shutdown.ts'), (m, ...args) => m.shutdown(...(args as Parameters<typeof m.shutdown>)))
}

function server(target: Command): Command {
  return target
    .option('--data <folder>', 'data folder (default: ./comet-data)')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('-c, --config <file>', "settings under RocketMQ's names, as in broker.conf")
    .option('--set <key=value>', 'one setting; may be repeated, wins over the file', collect)
    .option('--ready-file <file>', 'written when all is ready: JSON with process id, addresses and data folder')
    .option('--insecure-listen', 'allow an address that others can reach although nobody has to authenticate')
    .addOption(new Option('--log-level <level>', 'lowest level of the log on standard error').choices(['debug', 'info', 'warn', 'error']).default('warn'))
    .addOption(new Option('--log-format <format>', 'format of the log').choices(['text', 'json']).default('text'))
}

function addTopics(program: Command, io: Io, done: (code: number) => void): void {
  type Module = typeof import('./commands/topic.ts')
  const load = () => import('./commands/topic.ts')
  const topic = program.command('topic').alias('t').description('list, show, create and delete topics')

  const ls = printing(asking(command(topic, 'ls', 'list topics', 'comet topic ls', 'comet topic ls --all -o wide', 'comet topic ls -q | wc -l')))
    .option('-a, --all', "also RocketMQ's own topics and those of retries and dead letters")
  runs<Module>(ls, io, done)(load, (m, ...args) => m.list(...(args as Parameters<Module['list']>)))

  const create = printing(asking(command(topic, 'create <topic>', 'create or change a topic on all brokers', 'comet topic create orders', 'comet topic create orders --queues 16 --perm rw')))
    .option('--queues <count>', 'read and write queues on each broker', int, 8)
    .addOption(new Option('--perm <permission>', 'what clients may do').choices(['rw', 'r', 'w', 'none']).default('rw'))
    .option('--order', 'messages are kept in order when a broker is away')
    .option('--attribute <key=value>', 'as message.type=FIFO; may be repeated', collect)
    .option('--cluster <name>', 'only on brokers of this cluster')
    .option('--broker <name>', 'only on this broker')
    .option('--dry-run', 'only say what would be done')
  runs<Module>(create, io, done)(load, (m, ...args) => m.create(...(args as Parameters<Module['create']>)))

  const rm = confirming(printing(asking(command(topic, 'rm <topic>', 'delete a topic with its messages, on all brokers', 'comet topic rm orders', 'comet topic rm orders --yes'))))
    .option('--cluster <name>', 'only on brokers of this cluster')
  runs<Module>(rm, io, done)(load, (m, ...args) => m.remove(...(args as Parameters<Module['remove']>)))

  const info = printing(asking(command(topic, 'info <topic>', 'queues, offsets, brokers and groups of a topic', 'comet topic info orders', 'comet topic info orders -o json')))
  runs<Module>(info, io, done)(load, (m, ...args) => m.info(...(args as Parameters<Module['info']>)))
}

function addGroups(program: Command, io: Io, done: (code: number) => void): void {
  type Module = typeof import('./commands/group.ts')
  const load = () => import('./commands/group.ts')
  const group = program.command('group').alias('g').description('list and show consumer groups')

  const ls = printing(asking(command(group, 'ls', 'list consumer groups with members and lag', 'comet group ls', 'comet group ls --json group,lag')))
    .option('-a, --all', "also RocketMQ's own groups")
  runs<Module>(ls, io, done)(load, (m, ...args) => m.list(...(args as Parameters<Module['list']>)))

  const info = printing(asking(command(group, 'info <group>', 'members, subscriptions and lag of a group', 'comet group info billing', 'comet group info billing -o json')))
  runs<Module>(info, io, done)(load, (m, ...args) => m.info(...(args as Parameters<Module['info']>)))
}

function addMessages(program: Command, io: Io, done: (code: number) => void): void {
  const msg = program.command('msg').alias('m').description('send, follow and find messages')

  const send = printing(asking(command(msg, 'send <topic> [body]', 'send messages', 'comet msg send orders "hello"', 'cat orders.ndjson | comet msg send orders --lines', 'comet msg send orders -f photo.jpg --key 42')))
    .option('-f, --file <file>', 'body from a file; - is standard input')
    .option('--lines', 'each line of standard input is a message')
    .option('--tag <tag>', 'tag of the messages')
    .option('-k, --key <key>', 'index key; may be repeated', collect)
    .option('--property <key=value>', 'user property; may be repeated', collect)
    .option('--order-key <key>', 'messages of the same key go to the same queue')
    .option('--queue <broker/id>', 'send to this queue')
    .option('--delay <duration>', 'deliver later, like 10s', duration)
    .option('--delay-level <level>', 'deliver after a delay level, 1 to 18', int)
    .option('--count <count>', 'send it so many times', int, 1)
    .option('--group <group>', 'producer group', 'COMET_CLI')
  runs<typeof import('./commands/msg-send.ts')>(send, io, done)(() => import('./commands/msg-send.ts'), (m, ...args) => m.send(...(args as Parameters<typeof m.send>)))

  const tail = printing(asking(command(msg, 'tail <topic>', 'print messages as they arrive', 'comet msg tail orders', 'comet msg tail orders --since -15m --tag paid --grep alice', 'comet msg tail orders -o ndjson --limit 100')))
    .option('--since <time>', 'start at a time: -15m, "today 09:00", 2026-01-01T10:00; start: from the beginning (default: from now on)')
    .option('--tag <tags>', 'only these tags: a || b')
    .option('--grep <pattern>', 'only bodies that match this regular expression')
    .option('--limit <count>', 'end after so many messages', int)
  runs<typeof import('./commands/msg-tail.ts')>(tail, io, done)(() => import('./commands/msg-tail.ts'), (m, ...args) => m.tail(...(args as Parameters<typeof m.tail>)))

  const find = printing(asking(command(msg, 'find <topic>', 'find messages by key', 'comet msg find orders --key 42', 'comet msg find orders --key 42 --since -1d -o json')))
    .requiredOption('-k, --key <key>', 'index key')
    .option('--since <time>', 'stored at this time or later')
    .option('--until <time>', 'stored at this time or earlier')
    .option('--limit <count>', 'at most so many', int, 32)
  runs<typeof import('./commands/msg-find.ts')>(find, io, done)(() => import('./commands/msg-find.ts'), (m, ...args) => m.find(...(args as Parameters<typeof m.find>)))

  const get = printing(asking(command(msg, 'get [id]', 'show one message', 'comet msg get 7F00000100002A9F0000000000001000', 'comet msg get 7F0000012B3C4D5E0000A1B2C3D40001 --topic orders', 'comet msg get --topic orders --at broker-a/3/1500')))
    .option('-t, --topic <topic>', 'topic of the message; needed for ids made by clients')
    .option('--at <broker/queue/offset>', 'by its place instead of an id')
    .option('--body', 'print only the body, as it is')
  runs<typeof import('./commands/msg-find.ts')>(get, io, done)(() => import('./commands/msg-find.ts'), (m, ...args) => m.get(...(args as Parameters<typeof m.get>)))
}

function addHelpers(program: Command, io: Io, done: (code: number) => void): void {
  const explain = command(program, 'explain [code]', 'explain an error code or the exit codes', 'comet explain E_NO_ROUTE', 'comet explain')
  runs<typeof import('./commands/explain.ts')>(explain, io, done)(() => import('./commands/explain.ts'), (m, ...args) => m.explain(...(args as Parameters<typeof m.explain>)))
  const version = program.command('version').description('print the version')
  runs<typeof import('./version.ts')>(version, io, done)(() => import('./version.ts'), async (m, out) => {
    out.out(`${m.versionText(false)}\n`)
    return 0
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
