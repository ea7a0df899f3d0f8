import { type Command, Option } from 'commander'
import { collect, command, count, duration, type Run, runs } from './options.ts'

export function addToken(program: Command, run: Run): void {
  const token = command(
    program,
    'token',
    'make a token for clients of the bridge, or the secret that signs them',
    'comet token --new-key bridge.key',
    "comet token --key bridge.key --subject alice --pub 'orders-*' --sub 'orders-*:billing' --where tenant=acme --ttl 1h",
  )
    .option('--new-key <file>', 'write a new secret to this file, readable by you only; without a subject that is all')
    .option('--key <file>', 'secret, or private key as PEM, that signs the token')
    .option('--subject <name>', 'who the client is')
    .option('--pub <topics>', 'topics it may send to, * for any characters; may be repeated', collect)
    .option(
      '--sub <topics[:group]>',
      'topics it may read, as a member of the group or (without one) in any way; may be repeated',
      collect,
    )
    .option('--where <name=value>', 'reads only messages with this property (TAGS: the tag); may be repeated', collect)
    .addOption(new Option('--ttl <duration>', 'how long the token is good').argParser(duration).default(3_600_000, '1h'))
    .option('--server', 'for clients that are no browsers: they send no origin')
    .option('--inspect', 'may look at single messages and lags of topics it may read')
    .option('--rate <n>', 'frames or requests a second, instead of the limit of the bridge', count)
    .option('--conns <n>', 'connections at a time, instead of the limit of the bridge', count)
    .option('--delay-max <duration>', 'longest delay of messages; 0: none', duration)
    .option('--issuer <name>', 'issuer (iss)')
    .option('--audience <name>', 'audience (aud)')
  runs(token, run, async () => (await import('../commands/token.ts')).token)
}
