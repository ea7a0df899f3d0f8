/** Limits of requests that send messages. */

export const maxBatchItems = 512
/** Of what is gathered; one larger item travels alone. */
export const maxBatchBytes = 1024 * 1024
export const maxAtomicItems = 10_000
export const maxAtomicBytes = 4 * 1024 * 1024
/**
 * Unanswered requests per broker. Few, so that items gather meanwhile: two requests of 500 messages cost a broker less than ten of 100.
 * Those that are as large as they may be need not wait.
 */
export const maxUnansweredBatches = 2
export const maxUnansweredFullBatches = 8
export const maxUnansweredSingles = 256
/** Per broker; one request more may go. A link takes 8 MiB. */
export const maxUnansweredBytes = 4 * 1024 * 1024
/** For one attempt. */
export const requestTimeoutMs = 3_000
/** From submission on: what was not sent by then fails, and nothing is tried again. */
export const deadlineMs = 10_000
/** After the first attempt. */
export const maxRetries = 2
/** Before a broker is asked again that refused the same request. */
export const retryPausesMs = [50, 250] as const
