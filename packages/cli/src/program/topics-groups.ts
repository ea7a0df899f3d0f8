import { type Command, Option } from 'commander'
import { asking, collect, command, confirming, int, printing, type Run, runs } from './options.ts'

export function addTopics(program: Command, run: Run): void {
  const topic = program.command('topic').alias('t').description('list, show, create and delete topics')

  const ls = printing(
    asking(command(topic, 'ls', 'list topics', 'comet topic ls', 'comet topic ls --all -o wide', 'comet topic ls -q | wc -l')),
  ).option('-a, --all', "also RocketMQ's own topics and those of retries and dead letters")
  runs(ls, run, async () => (await import('../commands/topic.ts')).list)

  const create = printing(
    asking(
      command(
        topic,
        'create <topic>',
        'create or change a topic on all brokers',
        'comet topic create orders',
        'comet topic create orders --queues 16 --perm rw',
      ),
    ),
  )
    .option('--queues <count>', 'read and write queues on each broker', int, 8)
    .addOption(new Option('--perm <permission>', 'what clients may do').choices(['rw', 'r', 'w', 'none']).default('rw'))
    .option('--order', 'messages are kept in order when a broker is away')
    .option('--attribute <key=value>', 'as message.type=FIFO; may be repeated', collect)
    .option('--cluster <name>', 'only on brokers of this cluster')
    .option('--broker <name>', 'only on this broker')
    .option('--dry-run', 'only say what would be done')
  runs(create, run, async () => (await import('../commands/topic.ts')).create)

  const rm = confirming(
    printing(
      asking(
        command(
          topic,
          'rm <topic>',
          'delete a topic with its messages, on all brokers',
          'comet topic rm orders',
          'comet topic rm orders --yes',
        ),
      ),
    ),
  ).option('--cluster <name>', 'only on brokers of this cluster')
  runs(rm, run, async () => (await import('../commands/topic.ts')).remove)

  const info = printing(
    asking(
      command(
        topic,
        'info <topic>',
        'queues, offsets, brokers and groups of a topic',
        'comet topic info orders',
        'comet topic info orders -o json',
      ),
    ),
  )
  runs(info, run, async () => (await import('../commands/topic.ts')).info)
}

export function addGroups(program: Command, run: Run): void {
  const group = program.command('group').alias('g').description('list and show consumer groups')

  const ls = printing(
    asking(
      command(group, 'ls', 'list consumer groups with members and lag', 'comet group ls', 'comet group ls --json group,lag'),
    ),
  ).option('-a, --all', "also RocketMQ's own groups")
  runs(ls, run, async () => (await import('../commands/group.ts')).list)

  const info = printing(
    asking(
      command(
        group,
        'info <group>',
        'members, subscriptions and lag of a group',
        'comet group info billing',
        'comet group info billing -o json',
      ),
    ),
  )
  runs(info, run, async () => (await import('../commands/group.ts')).info)
}
