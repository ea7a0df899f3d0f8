import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { build, type Histogram } from 'hdr-histogram-js'
import { type Caller, createCaller, type Serialize, silentLogger, systemClock, tcpTransport } from '@cometmq/remoting'
import { AnswerReader } from './answer-reader.ts'
import { latencyOf, type Row } from './report.ts'
import { type SendTemplate } from './send-template.ts'

export interface LoadResult {
  messages: number
  seconds: number
  failed: number
  latency: NonNullable<Row['latency']>
}

export const connectLoad = (serialize: Serialize): Caller =>
  createCaller({ transport: tcpTransport, clock: systemClock, logger: silentLogger, serialize })

/** Requests written to the socket at once, at most. */
const BURST_BYTES = 256 * 1024

/**
 * Keeps `window` send requests unanswered on one connection for some seconds. The load shares two cores with the broker, so it must cost
 * little: frames are copies of a prepared one with number and keys written in, answers are looked at without decoding them. Latency is from
 * handing the bytes to the socket to seeing the answer.
 */
export async function drive(
  address: string,
  template: SendTemplate,
  options: { window: number; seconds: number },
): Promise<LoadResult> {
  const [host, port] = address.split(':') as [string, string]
  const socket = connect({ host, port: Number(port), noDelay: true })
  await once(socket, 'connect')
  try {
    return await new Drive(socket, template, options).result
  } finally {
    socket.destroy()
  }
}

class Drive {
  readonly result: Promise<LoadResult>
  readonly #socket: Socket
  readonly #template: SendTemplate
  readonly #window: number
  readonly #histogram: Histogram = build({ highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3 })
  readonly #sentAt: Float64Array
  readonly #startedAt = performance.now()
  readonly #until: number
  #next = 0
  #unanswered = 0
  #succeeded = 0
  #failed = 0
  #finish!: (result: LoadResult) => void

  constructor(socket: Socket, template: SendTemplate, options: { window: number; seconds: number }) {
    this.#socket = socket
    this.#template = template
    this.#window = options.window
    this.#until = this.#startedAt + options.seconds * 1000
    // Answers may come in any order, but only within the window.
    this.#sentAt = new Float64Array(options.window * 64)
    const reader = new AnswerReader((opaque, code) => this.#answered(opaque, code))
    this.result = new Promise((resolve, reject) => {
      this.#finish = resolve
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the broker closed the connection')))
    })
    socket.on('data', chunk => {
      reader.push(chunk)
      this.#fill()
    })
    this.#fill()
  }

  #answered(opaque: number, code: number): void {
    this.#unanswered--
    if (code === 0) this.#succeeded++
    else this.#failed++
    const took = performance.now() - this.#sentAt[(opaque - this.#template.firstOpaque) % this.#sentAt.length]!
    this.#histogram.recordValue(Math.max(1, Math.round(took * 1000)))
  }

  #fill(): void {
    const now = performance.now()
    if (now >= this.#until) {
      if (this.#unanswered === 0) this.#end(now)
      return
    }
    const { frameBytes } = this.#template
    while (this.#unanswered < this.#window) {
      const count = Math.min(this.#window - this.#unanswered, Math.max(1, Math.floor(BURST_BYTES / frameBytes)))
      const burst = Buffer.allocUnsafe(count * frameBytes)
      for (let i = 0; i < count; i++) {
        this.#sentAt[this.#next % this.#sentAt.length] = now
        this.#template.write(burst, i * frameBytes, this.#next++)
      }
      this.#unanswered += count
      this.#socket.write(burst)
    }
  }

  #end(now: number): void {
    this.#finish({
      messages: this.#succeeded * this.#template.messages,
      seconds: (now - this.#startedAt) / 1000,
      failed: this.#failed,
      latency: latencyOf(this.#histogram),
    })
  }
}
