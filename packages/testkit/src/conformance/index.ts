import { abortCases } from './cases/abort.ts'
import { ackCases } from './cases/acks.ts'
import { authCases } from './cases/auth.ts'
import { batchCases } from './cases/batch.ts'
import { broadcastCases } from './cases/broadcast.ts'
import { errorCases } from './cases/errors.ts'
import { groupCases } from './cases/group.ts'
import { leaseCases } from './cases/leases.ts'
import { limitCases } from './cases/limits.ts'
import { resumeCases } from './cases/resume.ts'
import { sendCases } from './cases/send.ts'
import { tagCases } from './cases/tags.ts'
import type { Case } from './types.ts'

export { runConformance } from './run.ts'
export * from './types.ts'

/** The conformance suite of the SDKs and the bridge: runs unchanged in every runtime. */
export const conformanceCases: readonly Case[] = [
  ...sendCases,
  ...batchCases,
  ...groupCases,
  ...broadcastCases,
  ...tagCases,
  ...ackCases,
  ...leaseCases,
  ...limitCases,
  ...resumeCases,
  ...authCases,
  ...errorCases,
  ...abortCases,
]
