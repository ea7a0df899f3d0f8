// Bits of the `flags` field of SEND, SENDB and of a delivered entry. To be imported as `Flag`, see kind.ts.

/** No receipt is wanted (SEND, SENDB). */
export const oneway = 1
/** The body is zlib data (`CompressionStream('deflate')`); it is stored and delivered as it is. */
export const compressed = 2
/** A half message of a transaction (SEND). */
export const half = 4
/** The body is UTF-8 text. */
export const text = 8
/** Sent before under the same id with unknown outcome; a second copy may exist. On an entry: this copy may be the second. */
export const resent = 16
/** SENDB: all entries in one broker batch, all or nothing. */
export const atomic = 32
