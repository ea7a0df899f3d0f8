/** Limits of requests that send messages. */

export const maxBatchItems = 512
/** Of what is gathered; one larger item travels alone. */
export const maxBatchBytes = 1024 * 1024
export const maxAtomicItems = 10_000
export const maxAtomicBytes = 4 * 1024 * 1024
/** Unanswered requests per broker. */
export const maxUnansweredBatches = 4
export const maxUnansweredSingles = 256
/** For one attempt. */
export const requestTimeoutMs = 3_000
/** From submission on: what was not sent by then fails, and nothing is tried again. */
export const deadlineMs = 10_000
/** After the first attempt. */
export const maxRetries = 2
/** Before a broker is asked again that refused the same request. */
export const retryPausesMs = [50, 250] as const
