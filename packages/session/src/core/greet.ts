import { CloseCode, type HelloFrame, type HelloOptions, Kind, PROTOCOL_VERSION, type WelcomeInfo } from '@cometmq/protocol'
import type { Principal } from '../principal.ts'
import { closeCodeOf, verify } from './auth.ts'
import type { Connection } from './connection.ts'
import { type Fault, faultOf } from './errors.ts'
import { maxTokenAgeMs } from './limits.ts'
import type { SessionRegistry } from './registry.ts'
import { openToken, type ResumeClaims } from './resume-token.ts'
import type { Session } from './session.ts'
import type { Shared } from './shared.ts'

export interface Door {
  readonly shared: Shared
  readonly registry: SessionRegistry
  isDraining(): boolean
}

/** From HELLO to WELCOME: version, token, quota, resume, and everything the client has open, in one round trip. */
export async function greet(door: Door, connection: Connection, [, rid, hello]: HelloFrame): Promise<void> {
  if (door.isDraining()) return connection.refuse(rid, leaving, CloseCode.GOING_AWAY)
  if (hello.proto !== PROTOCOL_VERSION) return connection.refuse(rid, wrongVersion(hello.proto), CloseCode.VERSION)
  let principal: Principal
  try {
    principal = await verify(door.shared, hello.auth ?? connection.context.token, connection.context)
  } catch (error) {
    const fault = faultOf(error)
    if (fault.code === 50001)
      door.shared.logger.error('a token was not verified', { link: connection.link.id, error: String(error) })
    return connection.refuse(rid, fault, closeCodeOf(fault.code))
  }
  if (connection.isClosed) return
  if (door.isDraining()) return connection.refuse(rid, leaving, CloseCode.GOING_AWAY)
  const resume = resumeOf(door, hello, principal)
  const { maxConnections } = principal.scopes
  const limit = maxConnections ?? door.shared.limits.maxConnectionsPerSubject
  if (door.registry.socketsOf(principal.subject, resume.session) >= limit)
    return connection.refuse(rid, tooManySockets(limit), CloseCode.CONNECTION_QUOTA)
  const session = enter(door, connection, principal, resume)
  const results = await session.open(hello, resume.how === 2)
  // Closed meanwhile, or taken over by another socket.
  if (session.connection !== connection) return
  const hb = heartbeatOf(hello.hb, door.shared.limits.heartbeatMs)
  session.welcome([Kind.WELCOME, rid, welcomeOf(session, resume, hb, results)], hello)
  connection.welcomed()
}

interface Resume {
  /** 0 none, 1 cold, 2 hot. */
  readonly how: 0 | 1 | 2
  readonly session?: Session
  readonly claims?: ResumeClaims
  /** Why not, when the client asked. */
  readonly cause?: string
}

/** No silent fallback: the client always learns what it got, and why not more. */
function resumeOf(door: Door, hello: HelloOptions, principal: Principal): Resume {
  if (!hello.resume) return { how: 0 }
  const claims = openToken(door.shared.resumeKey, hello.resume.token)
  if (!claims) return { how: 0, cause: 'the resume token was not sealed by this bridge, or with a key that is no longer used' }
  if (claims.subject !== principal.subject) return { how: 0, cause: 'the resume token belongs to another subject' }
  if (door.shared.clock.now() - claims.iat > maxTokenAgeMs) return { how: 0, cause: 'the resume token is too old' }
  const session = door.registry.find(claims)
  if (session) return { how: 2, session, claims }
  return {
    how: 1,
    claims,
    cause: 'the state of the session is not at this node (it restarted, the state ran out, or it is another node)',
  }
}

function enter(door: Door, connection: Connection, principal: Principal, resume: Resume): Session {
  const { registry, shared } = door
  const { claims } = resume
  let session = resume.session
  if (session) {
    session.epoch++
    shared.counters.resumedHot++
  } else if (claims) {
    session = registry.create(claims.session, claims.epoch + 1, principal)
    shared.counters.resumedCold++
  } else {
    session = registry.create(registry.newId(), 1, principal)
  }
  registry.attach(session, connection, principal)
  return session
}

function welcomeOf(session: Session, resume: Resume, hb: number, results: WelcomeInfo['results']): WelcomeInfo {
  const { limits, node, clock } = session.shared
  const { tokenTtl } = session
  return {
    session: session.id,
    epoch: session.epoch,
    node,
    resumeToken: session.resumeToken().token,
    resumed: resume.how,
    ...(resume.cause === undefined ? {} : { resumeCause: resume.cause }),
    now: clock.now(),
    hb,
    pong: limits.pongMs,
    limits: {
      maxFrame: limits.maxFrameBytes,
      maxBody: limits.maxBodyBytes,
      maxProperties: limits.maxPropertyBytes,
      maxSubs: limits.maxSubs,
      maxProducers: limits.maxProducers,
    },
    ...(tokenTtl === undefined ? {} : { tokenTtl }),
    features: [],
    results,
  }
}

/** A client may want fewer pings (it sleeps) or more (a proxy cuts silent sockets early). */
const heartbeatOf = (wanted: number | undefined, usual: number): number =>
  wanted === undefined || !(wanted > 0) ? usual : Math.min(Math.max(wanted, 1_000), 120_000)

const leaving: Fault = {
  code: 50390,
  text: 'this node is leaving; connect to another one',
  outcome: 'not-executed',
  retryAfter: 1_000,
}

const wrongVersion = (asked: number): Fault => ({
  code: 40000,
  text: `version ${asked} of cometmq was asked for; this bridge speaks ${PROTOCOL_VERSION}`,
  outcome: 'not-executed',
})

const tooManySockets = (limit: number): Fault => ({
  code: 42992,
  text: `this user has ${limit} connections already; close one of them, or share one between tabs`,
  outcome: 'not-executed',
})
