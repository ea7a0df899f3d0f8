import { Core, type CoreOptions } from '../../src/connection/core.ts'
import { ScriptedBridge } from './scripted-bridge.ts'
import { ScriptedPart } from './scripted-part.ts'

export interface Setup {
  readonly bridge: ScriptedBridge
  readonly core: Core
  /** Types of the states so far. */
  readonly states: string[]
  readonly part: (type?: 'producer' | 'subscription') => ScriptedPart
}

export function setUp(options: Partial<CoreOptions> = {}): Setup {
  const bridge = new ScriptedBridge()
  const states: string[] = []
  const core = new Core({
    environment: bridge.environment,
    urls: ['ws://a'],
    auth: undefined,
    backoff: { min: 250, max: 20_000, giveUpAfter: Infinity },
    idle: 2_000,
    observers: [{ state: state => void states.push(state.type) }],
    ...options,
  })
  return { bridge, core, states, part: type => new ScriptedPart(core.nextPartId(), type) }
}

/** A connection that is open, with a producer and a subscription. */
export function open(options: Partial<CoreOptions> = {}): Setup & { producer: ScriptedPart; consumer: ScriptedPart } {
  const setup = setUp(options)
  const producer = setup.part('producer')
  const consumer = setup.part('subscription')
  setup.core.attach(producer)
  setup.core.attach(consumer)
  setup.bridge.socket.accept()
  setup.bridge.socket.welcome()
  setup.bridge.socket.news()
  return { ...setup, producer, consumer }
}
