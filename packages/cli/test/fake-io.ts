import { type Io } from '../src/io.ts'

/** An Io that keeps what is written, answers questions from a list, and sends signals when told to. */
export class FakeIo implements Io {
  stdout = ''
  stderr = ''
  exitedWith: number | undefined
  env: Record<string, string | undefined> = {}
  cwd = process.cwd()
  outIsTerminal = false
  errIsTerminal = false
  inIsTerminal = false
  input = ''
  readonly answers: string[] = []
  readonly #listeners = new Set<(signal: 'SIGINT' | 'SIGTERM') => void>()
  #waiting: { text: string; found: () => void }[] = []

  out(text: string): void {
    this.stdout += text
    this.#waiting = this.#waiting.filter(wait => !(this.stdout.includes(wait.text) && (wait.found(), true)))
  }

  outBytes(bytes: Uint8Array): void {
    this.out(Buffer.from(bytes).toString('utf8'))
  }

  err(text: string): void {
    this.stderr += text
  }

  async readAll(): Promise<Buffer> {
    return Buffer.from(this.input)
  }

  async *lines(): AsyncIterable<string> {
    yield* this.input.split('\n')
  }

  async ask(question: string): Promise<string> {
    this.stderr += question
    return this.answers.shift() ?? ''
  }

  onStopSignal(listener: (signal: 'SIGINT' | 'SIGTERM') => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  exitNow(code: number): void {
    this.exitedWith = code
  }

  signal(signal: 'SIGINT' | 'SIGTERM'): void {
    for (const listener of this.#listeners) listener(signal)
  }

  /** Resolves as soon as standard output holds `text`. */
  printed(text: string): Promise<void> {
    if (this.stdout.includes(text)) return Promise.resolve()
    return new Promise(found => this.#waiting.push({ text, found }))
  }
}
