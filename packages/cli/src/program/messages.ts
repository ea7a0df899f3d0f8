import { type Command } from 'commander'
import { asking, collect, command, duration, int, printing, type Run, runs } from './options.ts'

export function addMessages(program: Command, run: Run): void {
  const msg = program.command('msg').alias('m').description('send, follow and find messages')

  const send = printing(
    asking(
      command(
        msg,
        'send <topic> [body]',
        'send messages',
        'comet msg send orders "hello"',
        'cat orders.ndjson | comet msg send orders --lines',
        'comet msg send orders -f photo.jpg --key 42',
      ),
    ),
  )
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
  runs(send, run, async () => (await import('../commands/msg-send.ts')).send)

  const tail = printing(
    asking(
      command(
        msg,
        'tail <topic>',
        'print messages as they arrive',
        'comet msg tail orders',
        'comet msg tail orders --since -15m --tag paid --grep alice',
        'comet msg tail orders -o ndjson --limit 100',
      ),
    ),
  )
    .option(
      '--since <time>',
      'start at a time: -15m, "today 09:00", 2026-01-01T10:00; earliest: from the beginning (default: from now on)',
    )
    .option('--tag <tags>', 'only these tags: a || b')
    .option('--grep <pattern>', 'only bodies that match this regular expression')
    .option('--limit <count>', 'end after so many messages', int)
  runs(tail, run, async () => (await import('../commands/msg-tail.ts')).tail)

  const find = printing(
    asking(
      command(
        msg,
        'find <topic>',
        'find messages by key',
        'comet msg find orders --key 42',
        'comet msg find orders --key 42 --since -1d -o json',
      ),
    ),
  )
    .requiredOption('-k, --key <key>', 'index key; may be repeated: one of them is enough', collect)
    .option('--since <time>', 'stored at this time or later')
    .option('--until <time>', 'stored at this time or earlier')
    .option('--limit <count>', 'at most so many', int, 32)
  runs(find, run, async () => (await import('../commands/msg-find.ts')).find)

  const get = printing(
    asking(
      command(
        msg,
        'get [id]',
        'show one message',
        'comet msg get 7F00000100002A9F0000000000001000',
        'comet msg get 7F0000012B3C4D5E0000A1B2C3D40001 --topic orders',
        'comet msg get --topic orders --at broker-a/3/1500',
      ),
    ),
  )
    .option('-t, --topic <topic>', 'topic of the message; needed for ids made by clients')
    .option('--at <broker/queue/offset>', 'by its place instead of an id')
    .option('--body', 'print only the body, as it is')
  runs(get, run, async () => (await import('../commands/msg-find.ts')).get)
}
