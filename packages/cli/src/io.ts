/** Everything a command uses of the process around it, so that tests can run commands without one. */
export interface Io {
  out(text: string): void
  outBytes(bytes: Uint8Array): void
  err(text: string): void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly outIsTerminal: boolean
  readonly errIsTerminal: boolean
  readonly inIsTerminal: boolean
  /** All of standard input. */
  readAll(): Promise<Buffer>
  /** Lines of standard input, without their ends. */
  lines(): AsyncIterable<string>
  /** Asks on the terminal; resolves with the line typed. */
  ask(question: string): Promise<string>
  /** `listener` runs for each SIGINT and SIGTERM. Returns how to stop listening. */
  onStopSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): () => void
  /** Ends the process at once. */
  exitNow(code: number): void
}

export function processIo(): Io {
  // A reader that went away is not an error of ours (head, less).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
  return {
    out: text => void process.stdout.write(text),
    outBytes: bytes => void process.stdout.write(bytes),
    err: text => void process.stderr.write(text),
    env: process.env,
    cwd: process.cwd(),
    outIsTerminal: process.stdout.isTTY === true,
    errIsTerminal: process.stderr.isTTY === true,
    inIsTerminal: process.stdin.isTTY === true,
    readAll,
    lines,
    ask,
    onStopSignal: listener => {
      const onSignal = (signal: NodeJS.Signals): void => listener(signal as 'SIGINT' | 'SIGTERM')
      process.on('SIGINT', onSignal)
      process.on('SIGTERM', onSignal)
      return () => {
        process.off('SIGINT', onSignal)
        process.off('SIGTERM', onSignal)
      }
    },
    exitNow: code => process.exit(code),
  }
}

async function readAll(): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function* lines(): AsyncIterable<string> {
  const { createInterface } = await import('node:readline')
  yield* createInterface({ input: process.stdin, crlfDelay: Infinity })
}

async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question)
  } finally {
    terminal.close()
  }
}
