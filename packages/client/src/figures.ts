// Every figure of the client that neither options nor the bridge give, in one place; bundlers put the numbers where they are used.

// ---- connection

/** From opening a socket to WELCOME, and for the application's auth callback. */
export const attemptMs = 10_000
export const authMs = 30_000
/** Between attempts while the runtime says that there is no network. */
export const offlineMs = 60_000
/** A timer that fires this late means that the runtime slept (spec bridge, section 7). */
export const lateMs = 2_000
/** What the client adds to the bridge's ping interval. */
export const patienceMs = 10_000
/** How long a probe may take; twice that on slow links. */
export const probeMs = 1_000
/** A token this close to its end is not used for a new connection. */
export const marginMs = 10_000
/** A token that ends sooner is replaced when the runtime wakes up. */
export const refreshMs = 60_000
/** Before a part that was refused for the moment is opened again, when the bridge does not say. */
export const retryMs = 2_000
/** How long `drain` waits by default, and leaving an `await using` block. */
export const drainMs = 10_000
/** Largest frame we take; the bridge cuts larger ones. */
export const maxFrameBytes = 1_048_576
/** Largest frame we send until WELCOME says more. */
export const helloFrameBytes = 65_536
/** Frames that come in fragments: together, and at a time. */
export const maxFragmentedBytes = 33_554_432
export const maxFragmented = 8

// ---- producers

/** Bodies of one frame; a larger message goes alone. */
export const frameBytes = 131_072
/** Messages that may wait before `writable` asks its source to stop. */
export const writableMessages = 64
/** How long leaving an `await using` block waits for a producer. */
export const closeMs = 5_000
/** The longest that timers of all runtimes can wait. */
export const maxTimerMs = 2_147_483_647

// ---- consumers

/** Settlements gather for this long. */
export const flushMs = 10
/** The same in a broadcast, where a resume goes by what came, and the bridge only keeps a note of what was not taken. */
export const takenMs = 500
/** Between two looks at leases. */
export const shortestMs = 50
/** Until the bridge says what it grants. */
export const defaultLeaseMs = 30_000
/** An inflated body may be so many times the largest body of the bridge. */
export const maxInflation = 8
/** What counts in the window besides the body, bytes. */
export const entryOverheadBytes = 64
