import { type Command, Option } from 'commander'
import { addBridge, bridgeAccess } from './bridge.ts'
import { collect, command, duration, port, type Run, runs } from './options.ts'

export function addServers(program: Command, run: Run): void {
  const serve = server(
    command(
      program,
      'serve',
      'run name server and broker in one process',
      'comet serve',
      'comet serve --data /var/lib/comet --host 0.0.0.0 --insecure-listen',
      'comet serve --bridge-port 8080 --origin http://localhost:5173',
    ),
  )
    .addOption(
      new Option('--nameserver-port <port>', 'port of the name server; 0: any free one')
        .argParser(port)
        .default(9876)
        .env('COMET_NAMESERVER_PORT'),
    )
    .addOption(
      new Option('--broker-port <port>', 'port of the broker; 0: any free one (default: 10911)')
        .argParser(port)
        .env('COMET_BROKER_PORT'),
    )
    .addOption(
      new Option('--bridge-port <port>', 'also run a bridge for browsers on this port; 0: any free one (default: none)')
        .argParser(port)
        .env('COMET_BRIDGE_PORT'),
    )
  bridgeAccess(serve)
  runs(serve, run, async () => (await import('../commands/serve.ts')).serve)

  const ns = server(
    command(program, 'nameserver', 'run a name server', 'comet nameserver', 'comet nameserver --port 9877'),
  ).option('-p, --port <port>', 'port; 0: any free one (default: 9876)', port)
  runs(ns, run, async () => (await import('../commands/nameserver.ts')).nameserver)

  const broker = server(
    command(
      program,
      'broker',
      'run a broker',
      'comet broker -n localhost:9876',
      'comet broker -c broker.conf --set brokerName=b-1',
    ),
  )
    .option('-n, --nameserver <list>', 'name servers to register at, host:port;host:port (default: $NAMESRV_ADDR)')
    .addOption(
      new Option('--broker-port <port>', 'port; 0: any free one (default: 10911)').argParser(port).env('COMET_BROKER_PORT'),
    )
  runs(broker, run, async () => (await import('../commands/broker.ts')).broker)

  addBridge(program, run)

  const shutdown = command(
    program,
    'shutdown <server>',
    'stop a running broker or nameserver and wait until it is gone',
    'comet shutdown broker',
    'comet shutdown nameserver --data /var/lib/comet',
  )
    .option('--data <folder>', 'data folder of the process (default: ./comet-data)')
    .option('--ready-file <file>', 'the file given as --ready-file when it was started')
    .option('--timeout <duration>', 'how long to wait', duration, 60_000)
  runs(shutdown, run, async () => (await import('../commands/shutdown.ts')).shutdown)
}

function server(target: Command): Command {
  return target
    .option('--data <folder>', 'data folder (default: ./comet-data)')
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('-c, --config <file>', "settings under RocketMQ's names, as in broker.conf")
    .option('--set <key=value>', 'one setting; may be repeated, wins over the file', collect)
    .option('--ready-file <file>', 'written when all is ready: JSON with process id, addresses and data folder')
    .option('--insecure-listen', 'allow an address that others can reach although nobody has to authenticate')
    .addOption(
      new Option('--log-level <level>', 'lowest level of the log on standard error')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('warn'),
    )
    .addOption(new Option('--log-format <format>', 'format of the log').choices(['text', 'json']).default('text'))
}
