import { silentLogger, systemClock } from '@cometmq/remoting'
import { randomBytes } from 'node:crypto'
import {
  type BridgeOptions,
  type EngineName,
  type HttpLimits,
  httpMode,
  keysOfText,
  type RunningBridge,
  signToken,
  startBridge,
  tokenAuthentication,
  type TokenRights,
} from '../../src/index.ts'
import { type OwnBroker } from '../own-broker.ts'

export const secret = randomBytes(32).toString('base64url')
export const resumeKey = new Uint8Array(32).fill(7)
export const page = 'https://shop.example'

export const all: TokenRights = { pub: ['*'], sub: [{ topic: '*', group: '*' }], client: 'server', rate: 100_000 }

export const token = (rights: TokenRights = all, subject = 'alice', ttlSeconds = 60): Promise<string> =>
  signToken(secret, 'key', { subject, rights, ttlSeconds, now: Date.now() })

export interface Http extends RunningBridge {
  readonly base: string
  /** POST with a token; `raw` as it is, else JSON. */
  post(path: string, body: unknown, options?: PostOptions): Promise<Answer>
}
export interface PostOptions {
  readonly token?: string | null
  readonly headers?: Record<string, string>
  readonly raw?: boolean
  readonly signal?: AbortSignal
}
interface ProblemBody {
  readonly code: number
  readonly name: string
  readonly text: string
  readonly outcome: string
  readonly retryable: boolean
  readonly hint: string
  readonly retryAfter: number
}
/** Whatever an answer may have: tests look at what they expect. */
export interface AnswerBody extends ProblemBody {
  readonly receipts: readonly { id: string; queue: number; offset: number; error: ProblemBody }[]
  readonly messages: readonly {
    handle: string
    topic: string
    id: string
    body: string
    attempt: number
    redelivered?: boolean
  }[]
  readonly results: readonly { handle: string; leaseMs: number; error: ProblemBody }[]
  readonly leaseMs: number
  readonly ticket: string
}
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  readonly body: AnswerBody
}

export async function startHttp(
  own: OwnBroker,
  engine: EngineName,
  more: Partial<BridgeOptions> = {},
  limits: Partial<HttpLimits> = {},
): Promise<Http> {
  const keys = await keysOfText(secret, 'key')
  const bridge = await startBridge({
    cluster: own.cluster,
    clock: systemClock,
    logger: silentLogger,
    authenticate: tokenAuthentication({ keys, now: () => Date.now() }),
    resumeKey,
    port: 0,
    engine,
    origins: [page],
    http: httpMode(limits),
    ...more,
  })
  const base = `http://${bridge.address}`
  const usual = await token()
  const post: Http['post'] = async (path, body, { token: own = usual, headers = {}, raw = false, signal } = {}) => {
    const response = await fetch(base + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(own === null ? {} : { authorization: `Bearer ${own}` }),
        ...headers,
      },
      body: raw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body),
      ...(signal ? { signal } : {}),
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    const isJson = response.headers.get('content-type')?.startsWith('application/json')
    const parsed = (isJson ? JSON.parse(Buffer.from(bytes).toString()) : {}) as AnswerBody
    return { status: response.status, headers: response.headers, bytes, body: parsed }
  }
  return Object.assign(bridge, { base, post })
}

export interface SseEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: string
}

/** Reads server-sent events one by one. */
export class Sse {
  readonly response: Response
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  readonly #controller: AbortController
  #text = ''
  lastId: string | undefined

  private constructor(response: Response, controller: AbortController) {
    this.response = response
    this.#controller = controller
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<Sse> {
    const controller = new AbortController()
    return new Sse(await fetch(url, { headers, signal: controller.signal }), controller)
  }

  /** Comments and blocks without data are passed over; undefined at the end. */
  async next(): Promise<SseEvent | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end < 0) {
        this.#reader ??= this.response.body!.getReader()
        const { value, done } = await this.#reader.read().catch(() => ({ value: undefined, done: true }))
        if (done) return undefined
        this.#text += Buffer.from(value!).toString()
        continue
      }
      const lines = this.#text.slice(0, end).split('\n')
      this.#text = this.#text.slice(end + 2)
      const field = (name: string): string | undefined => lines.find(line => line.startsWith(`${name}: `))?.slice(name.length + 2)
      const id = field('id')
      this.lastId = id ?? this.lastId
      const data = field('data')
      if (data !== undefined) return { event: field('event') ?? 'message', id, data }
      if (id !== undefined) return { event: 'position', id, data: '' }
    }
  }

  /** The next that is no mere position. */
  async message(): Promise<{ body: string; [name: string]: unknown }> {
    for (;;) {
      const next = await this.next()
      if (next === undefined) throw new Error('the stream ended')
      if (next.event === 'message') return JSON.parse(next.data) as { body: string }
      if (next.event !== 'position') throw new Error(`${next.event}: ${next.data}`)
    }
  }

  close(): void {
    this.#controller.abort()
  }
}
