import type { CaseResult, Target } from '@cometmq/testkit/conformance'

export interface Runner {
  readonly name: string
  /** Why it cannot run here. */
  missing(): string | undefined
  /** `folder`: an empty one for bundles. */
  run(target: Target, folder: string): Promise<CaseResult[]>
}
