import { type ClientFrame, CloseCode, Kind, type PopenArgs, type SeekTarget, type SubArgs } from '@cometmq/protocol'
import { closeReason, errFrame, type Fault, refuse } from './errors.ts'
import { query } from './queries.ts'
import { allows } from './scopes.ts'
import type { Session } from './session.ts'

const notSupported: Fault = {
  code: 50101,
  text: 'this bridge has no transactions, no recall and no request–reply yet',
  outcome: 'not-executed',
}

/** Requests that are answered by OK or ERR. `refused`: the client is over its rate. */
export function control(session: Session, frame: ClientFrame, refused: Fault | undefined): void {
  switch (frame[0]) {
    case Kind.POPEN:
    case Kind.SUB:
    case Kind.UNSUB:
    case Kind.SEEK:
    case Kind.QUERY:
      if (refused) return session.requests.refuse(frame[1], refused)
      return execute(session, frame)
    case Kind.TXEND:
    case Kind.RECALL:
    case Kind.REQ:
      return session.requests.refuse(frame[1], notSupported)
    case Kind.TXSTATE:
    case Kind.RESP:
      return session.send(errFrame(0, notSupported))
    default:
      // A second HELLO; FRAG, which transports put together.
      return session.disconnect(CloseCode.PROTOCOL, closeReason(40090, `a frame of kind ${frame[0]} does not belong here`))
  }
}

type RequestFrame = Extract<ClientFrame, readonly [16 | 32 | 40 | 43 | 64, ...unknown[]]>

function execute(session: Session, frame: RequestFrame): void {
  const { requests, publishing, subs } = session
  switch (frame[0]) {
    case Kind.POPEN: {
      const args: PopenArgs = [frame[1], frame[2], frame[3], frame[4]]
      return requests.begin(frame[1], {
        run: async ({ signal }) => ({ ...(await publishing.open(args, signal)) }),
        undo: () => publishing.close(frame[2]),
        cancelled: 'not-executed',
      })
    }
    case Kind.SUB: {
      const args: SubArgs = [frame[1], frame[2], frame[3]]
      return requests.begin(frame[1], {
        run: async () => ({ ...(await subs.open(args)) }),
        done: () => subs.release(frame[2]),
        undo: () => void subs.close(frame[2]),
        cancelled: 'not-executed',
      })
    }
    case Kind.UNSUB:
      return requests.begin(frame[1], { run: () => unsubscribe(session, frame[2], frame[3]) })
    case Kind.SEEK:
      return requests.begin(frame[1], { run: () => seek(session, frame[2], frame[3]) })
    case Kind.QUERY:
      return requests.begin(frame[1], {
        run: ({ signal }) => query(session, subs, { what: frame[2], args: frame[3], signal }),
        repeatable: true,
        cancelled: 'not-executed',
      })
  }
}

/** One that is not there is closed already, which is what was asked for. */
async function unsubscribe(session: Session, sid: number, mode: 0 | 1): Promise<undefined> {
  if (mode === 0) await session.subs.close(sid)
  else session.subs.get(sid)?.subscription?.stop()
  return undefined
}

async function seek(session: Session, sid: number, target: SeekTarget): Promise<undefined> {
  const slot = session.subs.get(sid)
  if (!slot) throw refuse(40091, `subscription ${sid} is not open in this session`)
  const { mode, group = '', topics } = slot.spec
  const { scopes } = session.principal
  if (mode === 'group' && !topics.every(([topic]) => allows(scopes, { type: 'seek-group', topic, group })))
    throw refuse(40390, `moving group ${group} moves it for all its members; the token needs the scope \`inspect\` for that`)
  await slot.seek(target)
  return undefined
}
