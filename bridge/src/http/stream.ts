import { codeOf, type CursorItem, Kind, type SubStart, type SubTopic } from '@cometmq/protocol'
import { RefusedError } from '@cometmq/session'
import { type HttpRequest, type HttpResponse } from '../engine/types.ts'
import { type HttpParts } from '../options.ts'
import { type HttpHandler } from '../routes.ts'
import { bearerOf, type Operation } from './door.ts'
import { badRequest, Fields } from './fields.ts'
import { type HttpLimits } from './limits.ts'
import { type Places } from './rates.ts'
import { checkOrigin, Reply, requestFault } from './reply.ts'
import { Sealer } from './sealer.ts'
import { openCursor, StreamCursor } from './stream-cursor.ts'
import { StreamLink } from './stream-link.ts'
import { subTopic } from './topics.ts'
import { type Tickets } from './tickets.ts'

export interface StreamsParts extends HttpParts {
  readonly tickets: Tickets
  readonly streams: Places
  readonly http: HttpLimits
}

const eventHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // Proxies that gather output would hold events back.
  'x-accel-buffering': 'no',
}
const maxTopics = 32
const maxFrameBytes = 16 * 1024 * 1024
const policies = ['drop-oldest', 'pause', 'latest-per-key'] as const

/** `POST /v1/ticket`: what opens one stream. */
export function ticketOperation({ tickets, http }: StreamsParts): Operation {
  return async ({ body, token, origin }) => {
    new Fields(body, 'the request', [])
    return Promise.resolve({ value: { ticket: tickets.issue(token, origin), expiresInMs: http.ticketMs } })
  }
}

/** `GET /v1/stream`: topics as server-sent events, every reader for itself. */
export function streamHandler(parts: StreamsParts): HttpHandler {
  const sealer = new Sealer(parts.resumeKey, 'stream')
  return (request, response) => {
    const reply = new Reply(request, response)
    try {
      if (request.method !== 'GET') throw new RefusedError(codeOf('NOT_SUPPORTED'), 'a stream has no head of its own')
      new Stream(parts, sealer, request, response, reply).open()
    } catch (error) {
      const fault = requestFault(error)
      if (fault !== undefined) reply.problem(fault)
    }
  }
}

interface Asked {
  readonly topics: readonly SubTopic[]
  readonly since: SubStart
  readonly slow: (typeof policies)[number]
  readonly ticket: string | undefined
  readonly lastEventId: string | undefined
}

class Stream {
  readonly #parts: StreamsParts
  readonly #sealer: Sealer
  readonly #request: HttpRequest
  readonly #response: HttpResponse
  readonly #reply: Reply

  constructor(parts: StreamsParts, sealer: Sealer, request: HttpRequest, response: HttpResponse, reply: Reply) {
    this.#parts = parts
    this.#sealer = sealer
    this.#request = request
    this.#response = response
    this.#reply = reply
  }

  /** Throws RefusedError for what can be seen at once; the rest the session says. */
  open(): void {
    const { streams, http, clock, sessions } = this.#parts
    const asked = askedOf(this.#request)
    // A ticket says which page it is, where the browser does not.
    if (asked.ticket === undefined || this.#request.headers['origin'] !== undefined)
      checkOrigin(this.#parts.admission, this.#request)
    const resumed = asked.lastEventId === undefined ? undefined : this.#resumed(asked.lastEventId)
    const who = this.#who(asked, resumed?.stream)
    const names = asked.topics.map(([topic]) => topic)
    const release = streams.take('', http.maxStreams, 'streams')
    const link = new StreamLink({
      topics: names,
      cursor: new StreamCursor(this.#sealer, who.stream, names),
      clock,
      random: () => Math.random(),
      begin: first => this.#response.stream(200, { ...this.#reply.headers, ...eventHeaders }, first),
      refuse: fault => this.#reply.problem(fault),
      ended: release,
    })
    this.#response.onAbort(() => link.leave())
    const context = { address: this.#request.remoteAddress, ...(who.origin === undefined ? {} : { origin: who.origin }) }
    const end = sessions.accept(link, context)
    link.start(end)
    end.frame([
      Kind.HELLO,
      1,
      {
        ...{ proto: 1, sdk: 'sse', runtime: 'http', hb: http.heartbeatMs, maxFrame: maxFrameBytes },
        ...(who.token === undefined ? {} : { auth: who.token }),
        subs: asked.topics.map((topic, index) => this.#sub(asked, topic, index, resumed?.items)),
      },
    ])
  }

  #sub({ since, slow }: Asked, topic: SubTopic, index: number, items: readonly CursorItem[] | undefined) {
    const own = items?.filter(([name]) => name === topic[0]) ?? []
    const start: SubStart = own.length > 0 ? { cursor: own } : since
    const most = Number.MAX_SAFE_INTEGER
    return [index + 2, index + 1, { mode: 'broadcast', topics: [topic], start, slow, limit: [most, most] }] as const
  }

  #resumed(text: string): { stream: string; items: readonly CursorItem[] } {
    const cursor = openCursor(this.#sealer, text)
    if (cursor !== undefined) return cursor
    throw new RefusedError(
      codeOf('RESUME_REFUSED'),
      'this event id is none of this bridge, or was sealed with a key no longer used',
      {
        outcome: 'not-executed',
        hint: 'begin again with `since`',
      },
    )
  }

  /** By a ticket, or by a token in the header. */
  #who(
    { ticket }: Asked,
    resumed: string | undefined,
  ): { stream: string; token?: string | undefined; origin?: string | undefined } {
    const { origin } = this.#request.headers
    if (ticket !== undefined) {
      const { id, ...who } = this.#parts.tickets.take(ticket, origin, resumed)
      return { stream: id, ...who }
    }
    const token = bearerOf(this.#request)
    if (token === undefined)
      throw new RefusedError(codeOf('TOKEN_MISSING'), 'a stream needs a ticket (POST /v1/ticket) or an Authorization header')
    return { stream: '', token, origin }
  }
}

/** Throws BAD_REQUEST. */
function askedOf({ query, headers }: HttpRequest): Asked {
  const values = new URLSearchParams(query)
  const known = ['topic', 'tags', 'since', 'slow', 'ticket', 'lastEventId']
  for (const name of values.keys())
    if (!known.includes(name))
      throw badRequest(`there is no parameter ${JSON.stringify(name.slice(0, 40))}; there are ${known.join(', ')}`)
  const names = values.getAll('topic').filter(name => name !== '')
  if (names.length === 0) throw badRequest('the parameter `topic` is missing; it may be repeated')
  if (names.length > maxTopics) throw badRequest(`a stream may have ${maxTopics} topics`)
  const slow = values.get('slow') ?? 'drop-oldest'
  if (!isPolicy(slow)) throw badRequest(`\`slow\` must be ${policies.join(' or ')}`)
  const tags = values.get('tags')?.split(',')
  return {
    topics: names.map(name => subTopic(name, tags)),
    since: sinceOf(values.get('since') ?? 'latest'),
    slow,
    ticket: values.get('ticket') ?? undefined,
    lastEventId: headers['last-event-id'] || (values.get('lastEventId') ?? undefined),
  }
}

const isPolicy = (text: string): text is Asked['slow'] => (policies as readonly string[]).includes(text)

function sinceOf(text: string): SubStart {
  if (text === 'latest' || text === 'earliest') return text
  const at = /^\d{1,15}$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isSafeInteger(at) && at >= 0) return { at }
  throw badRequest('`since` must be latest, earliest, or a time: ISO 8601 or epoch milliseconds')
}
