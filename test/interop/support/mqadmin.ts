import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { rmSync } from 'node:fs'
import { clientClassPath } from './build.ts'
import { javaFlags, temporaryFolder } from './java.ts'
import { ended, start } from './process.ts'
import type { Server } from './server.ts'

/** mqadmin of rocketmq-tools, all commands in one JVM (test/interop/java AdminRunner). */
export class Mqadmin {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #home = temporaryFolder('mqadmin')
  readonly #server: Server
  readonly #waiting: ((answer: { out: string; thrown: string }) => void)[] = []

  constructor(server: Server, version: string) {
    this.#server = server
    const args = [
      ...javaFlags(this.#home),
      `-Djava.io.tmpdir=${this.#home}`,
      '-cp',
      clientClassPath(version),
      'interop.AdminRunner',
    ]
    this.#child = start(
      'java',
      args,
      line => {
        if (line.startsWith('{"out"')) this.#waiting.shift()?.(JSON.parse(line) as { out: string; thrown: string })
      },
      { cwd: this.#home },
    ) as ChildProcessWithoutNullStreams
    this.#child.stderr.resume()
    this.#child.once('exit', () => this.#waiting.splice(0).forEach(answer => answer({ out: '', thrown: 'the JVM ended' })))
  }

  /** What a command printed, an exception's text included. The name server is added to the arguments. */
  async print(command: string, ...args: string[]): Promise<string> {
    const answer = await new Promise<{ out: string; thrown: string }>(resolve => {
      this.#waiting.push(resolve)
      this.#child.stdin.write(JSON.stringify([command, '-n', this.#server.nameServer, ...args]) + '\n')
    })
    return answer.out + answer.thrown
  }

  /** Like `print`; throws when the output holds an exception. */
  async run(command: string, ...args: string[]): Promise<string> {
    const out = await this.print(command, ...args)
    if (/^\tat |^[\w.]+(Exception|Error):|the JVM ended/m.test(out))
      throw new Error(`mqadmin ${command} ${args.join(' ')} printed:\n${out.slice(0, 1500)}`)
    return out
  }

  /** Rows under the last heading (a line that starts with #), cut at blanks; rows end at an empty line. */
  async table(command: string, ...args: string[]): Promise<string[][]> {
    const lines = (await this.run(command, ...args)).split('\n')
    const heading = lines.findLastIndex(line => line.startsWith('#'))
    const end = lines.findIndex((line, i) => i > heading && line.trim() === '')
    return lines.slice(heading + 1, end === -1 ? undefined : end).map(line => line.trim().split(/\s+/))
  }

  async close(): Promise<void> {
    this.#child.stdin.end()
    await ended(this.#child)
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** `name : value` or `name = value` lines. */
export function values(out: string): Map<string, string> {
  const map = new Map<string, string>()
  for (const line of out.split('\n')) {
    const match = /^\s*([\w./-]+)\s*[:=]\s*(.*?)\s*$/.exec(line)
    if (match !== null) map.set(match[1]!, match[2]!)
  }
  return map
}
