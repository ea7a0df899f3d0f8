import { Kind } from '@cometmq/protocol'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ScriptedSocket } from '../support/scripted-bridge.ts'
import type { ScriptedPart } from '../support/scripted-part.ts'
import { setUp } from '../support/core.ts'

/** What can happen, each with a number that picks among what there is. */
const events = [
  'attach',
  'detach',
  'send',
  'accept',
  'welcome',
  'greet',
  'answer',
  'cut',
  'close',
  'goaway',
  'wake',
  'wait',
  'sleep',
] as const
const happening = fc.tuple(fc.constantFrom(...events), fc.nat(1_000_000))

function play(script: readonly (readonly [(typeof events)[number], number])[]) {
  const { bridge, core, part } = setUp({ urls: ['ws://a', 'ws://b'] })
  const parts: ScriptedPart[] = []
  const all: ScriptedPart[] = []
  const answers = new Map<number, number>()
  const greeted = new Set<ScriptedSocket>()
  const accepted = new Set<ScriptedSocket>()
  const pick = <T>(from: readonly T[], n: number): T | undefined => from[n % Math.max(1, from.length)]
  const alive = (): ScriptedSocket[] => bridge.sockets.filter(socket => !socket.closed)
  const settle = (rid: number): void => void answers.set(rid, answers.get(rid)! + 1)
  const act: Record<(typeof events)[number], (n: number) => void> = {
    attach: n => {
      const one = part(n % 2 === 0 ? 'producer' : 'subscription')
      parts.push(one)
      all.push(one)
      core.attach(one)
    },
    detach: n => {
      const one = pick(parts, n)
      if (!one) return
      parts.splice(parts.indexOf(one), 1)
      core.detach(one)
    },
    send: () => {
      const rid = core.nextRid()
      answers.set(rid, 0)
      const frame = [Kind.SEND, rid, 1, 0, {}, new Uint8Array()] as const
      core.pending.set(rid, { receipt: () => settle(rid), fail: () => settle(rid), again: () => frame })
      core.send(frame)
    },
    accept: () => {
      for (const socket of alive()) {
        if (accepted.has(socket)) continue
        accepted.add(socket)
        socket.accept()
      }
    },
    welcome: n => {
      for (const socket of alive()) {
        if (!accepted.has(socket) || greeted.has(socket)) continue
        greeted.add(socket)
        socket.welcome({ resumed: socket.hello.resume ? ((n % 3) as 0 | 1 | 2) : 0 })
      }
    },
    greet: n => {
      act.accept(n)
      act.welcome(n)
    },
    answer: n => {
      const socket = pick(
        alive().filter(one => greeted.has(one)),
        n,
      )
      for (const frame of socket?.received ?? []) {
        if (frame[0] === Kind.SEND) socket!.give([Kind.RECEIPT, [[frame[1], 0, null, 0, 0]]])
        if (frame[0] === Kind.POPEN || frame[0] === Kind.SUB) socket!.give([Kind.OK, frame[1], { limit: [1, 1] }])
      }
    },
    cut: n => pick(alive(), n)?.cut(),
    close: n => pick(alive(), n)?.cut(pick([4000, 4001, 4003, 4004, 4006, 4406, 4408], n)),
    goaway: n => {
      pick(
        alive().filter(one => greeted.has(one)),
        n,
      )?.give([Kind.GOAWAY, 4001, 20_000, n % 2 ? 'ws://c' : null, n % 500])
      bridge.clock.advance(500)
    },
    wake: () => bridge.wake(),
    wait: n => bridge.clock.advance(n % 2_000),
    sleep: n => bridge.clock.jump(n),
  }
  for (const [event, n] of script) act[event](n)
  return { bridge, core, all, parts, answers }
}

describe('whatever happens', () => {
  it('nothing is left behind at the end, and every request is settled exactly once', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80, size: 'max' }), script => {
        const { bridge, core, parts, answers } = play(script)
        core.end()
        expect([...answers.values()].every(count => count === 1)).toBe(true)
        expect(core.pending.size).toBe(0)
        expect(bridge.clock.pending).toBe(0)
        expect(bridge.listening).toBe(false)
        expect(bridge.sockets.every(socket => socket.closed)).toBe(true)
        for (const part of parts) expect(part.log.at(-1)).toBe('ended')
      }),
      { numRuns: 500 },
    )
  })

  it('once the network is good again, everything is answered', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80, size: 'max' }), script => {
        const { bridge, core, parts, answers } = play([...script, ['attach', 0]])
        // At most: an attempt that hangs, a told or own wait, and the grace of a node that leaves.
        for (let i = 0; i < 200; i++) {
          for (const socket of bridge.sockets) {
            if (socket.closed) continue
            if (!socket.received.some(frame => frame[0] === Kind.HELLO)) socket.accept()
            if (socket.maxFrame === 0) socket.welcome({ resumed: 0 })
            for (const frame of socket.received) {
              if (frame[0] === Kind.SEND) socket.give([Kind.RECEIPT, [[frame[1], 0, null, 0, 0]]])
              if (frame[0] === Kind.POPEN || frame[0] === Kind.SUB) socket.give([Kind.OK, frame[1], { limit: [1, 1] }])
              if (frame[0] === Kind.PING) socket.give([Kind.PONG, frame[1]])
            }
          }
          bridge.clock.advance(500)
        }
        expect(core.state.type).toBe('open')
        expect(bridge.sockets.filter(socket => !socket.closed)).toHaveLength(1)
        expect([...answers.values()].every(count => count === 1)).toBe(true)
        for (const part of parts) expect(['new', 'hot', 'cold', 'none']).toContain(part.log.at(-1))
        core.end()
      }),
      { numRuns: 200 },
    )
  })
})
