import { BridgeError, connect, json, text, topic } from '@cometmq/web'
import { type CaseResult, conformanceCases, runConformance, type Target } from '@cometmq/testkit/conformance'

/** Runs the suite with `@cometmq/web`. */
export const run = (target: Target): Promise<CaseResult[]> =>
  runConformance({ BridgeError, connect, json, text, topic }, target, conformanceCases)
