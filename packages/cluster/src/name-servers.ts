import { type Command, type Logger, type Request } from '@cometmq/remoting'
import { type Calls } from './calls.ts'
import { ClusterError, refused } from './errors.ts'

/** `host:port;host:port`, also with commas or blanks between; a missing port is 9876. Throws E_ARGUMENT. */
export function parseNameServers(text: string): string[] {
  const addresses = text.split(/[;,\s]+/).filter(part => part !== '')
  return addresses.map(address => {
    const match = /^(?:https?:\/\/)?(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(address)
    const port = Number(match?.[2] ?? 9876)
    if (!match || port > 65_535) throw refused('E_ARGUMENT', `no name server address: ${address}`, 'it must look like host:port')
    return `${match[1]}:${port}`
  })
}

/** Several name servers hold the same data: asks the one that answered last, and the others in turn when it does not. */
export class NameServers {
  readonly #calls: Calls
  readonly #addresses: readonly string[]
  readonly #logger: Logger
  #current = 0

  constructor(calls: Calls, addresses: readonly string[], logger: Logger) {
    if (addresses.length === 0) throw refused('E_ARGUMENT', 'no name server given', 'the list of name servers is empty')
    this.#calls = calls
    this.#addresses = addresses
    this.#logger = logger
  }

  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** The answer of the first that gives one, whatever its code. Rejects with E_NO_NAME_SERVER when none does. */
  async ask(
    what: string,
    request: Request,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<{ answer: Command; address: string }> {
    const failures: string[] = []
    let last: ClusterError | undefined
    const first = this.#current
    for (let step = 0; step < this.#addresses.length; step++) {
      const index = (first + step) % this.#addresses.length
      const address = this.#addresses[index]!
      try {
        const answer = await this.#calls.ask(what, address, request, timeoutMs, signal)
        this.#current = index
        return { answer, address }
      } catch (error) {
        if (!(error instanceof ClusterError) || error.code === 'E_ABORTED') throw error
        this.#logger.warn('name server does not answer', { address, why: error.why })
        failures.push(`${address}: ${error.why}`)
        last = error
      }
    }
    throw new ClusterError('E_NO_NAME_SERVER', `${what}: no name server answered`, {
      why: failures.join('; '),
      outcome: last?.outcome ?? 'not-executed',
      cause: last,
    })
  }
}
