import { sendCases } from './cases/send.ts'
import type { Case } from './types.ts'

export { runConformance } from './run.ts'
export * from './types.ts'

/** The conformance suite of the SDKs and the bridge: runs unchanged in every runtime. */
export const conformanceCases: readonly Case[] = [...sendCases]
