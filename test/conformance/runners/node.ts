import { BridgeError, connect, json, text, topic } from '@cometmq/node'
import { conformanceCases, runConformance } from '@cometmq/testkit/conformance'
import type { Runner } from './types.ts'

export const nodeRunner: Runner = {
  name: 'node',
  missing: () => undefined,
  run: target => runConformance({ BridgeError, connect, json, text, topic }, target, conformanceCases),
}
