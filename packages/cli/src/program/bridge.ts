import { type Command, Option } from 'commander'
import { collect, command, count, duration, port, type Run, runs } from './options.ts'

export function addBridge(program: Command, run: Run): void {
  const bridge = command(
    program,
    'bridge',
    'run a bridge: WebSocket and HTTP for browsers and other clients',
    'comet bridge -n localhost:9876 --origin http://localhost:5173',
    'comet bridge --host 0.0.0.0 --auth-key jwks.json --tls-cert cert.pem --tls-key key.pem --processes 4',
  )
    .option('-n, --nameserver <list>', 'name servers, host:port;host:port (default: $NAMESRV_ADDR or 127.0.0.1:9876)')
    .addOption(new Option('-p, --port <port>', 'port; 0: any free one').argParser(port).default(8080).env('COMET_BRIDGE_PORT'))
    .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
    .option('--tls-cert <file>', 'certificate chain, PEM; with --tls-key')
    .option('--tls-key <file>', 'private key of the certificate, PEM')
    .option(
      '--resume-key-file <file>',
      'secret text that all nodes of the bridge share, so that clients can resume at another one',
    )
    .option('--processes <n>', 'processes that share the port', count, 1)
    .addOption(new Option('--metrics <who>', 'who may read /metrics').choices(['loopback', 'all', 'off']).default('loopback'))
    .addOption(
      new Option('--drain <duration>', 'how long clients get to move elsewhere before it stops')
        .argParser(duration)
        .default(10_000, '10s'),
    )
    .option('--ready-file <file>', 'written when all is ready: JSON with process id and address')
    .option('--insecure-listen', 'allow an address that others can reach although nobody has to authenticate')
    .addOption(
      new Option('--log-level <level>', 'lowest level of the log on standard error')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('warn'),
    )
    .addOption(new Option('--log-format <format>', 'format of the log').choices(['text', 'json']).default('text'))
  bridgeAccess(bridge)
  runs(bridge, run, async () => (await import('../commands/bridge.ts')).bridge)
}

/** Who may connect, and how. */
export function bridgeAccess(target: Command): Command {
  return target
    .option('--origin <origin>', 'origin of pages that may connect to the bridge; may be repeated, *: any', collect)
    .option(
      '--auth-key <file>',
      'key that tokens are signed with: PEM, JWK set, secret, or the address of a JWK set; may be repeated',
      collect,
    )
    .option('--auth-jwks <url>', 'address of a JWK set that tokens are signed with; may be repeated', collect)
    .option('--auth-issuer <name>', 'issuer (iss) that tokens must have')
    .option('--auth-audience <name>', 'audience (aud) that tokens must have')
    .option('--auth-none', 'nobody needs a token: for development; beyond this machine only with --insecure-listen')
    .option('--pages <folder>', 'static pages that the bridge serves at / (default of serve: the demo pages)')
    .option('--limit <name=value>', 'a limit of the bridge, like framesPerSecond=1000; may be repeated', collect)
    .addOption(new Option('--engine <name>', 'WebSocket library').choices(['auto', 'uws', 'ws']).default('auto'))
}
