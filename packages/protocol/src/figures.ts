// Figures of the codec, in one place; bundlers put the numbers where they are used.

/** Arrays and maps within each other, the frame itself included. More is refused by both directions of the codec. */
export const defaultMaxDepth = 16
/**
 * Memory the values of one input may take: 4 × its length and this much. Small values need more memory than bytes (an empty byte string of
 * two bytes is an object of a hundred), so short inputs are given this in addition.
 */
export const slackBytes = 1_048_576
/** Up to this length, ASCII is read faster by a loop than by a call of TextDecoder. */
export const shortRead = 24
/** Up to this length a loop over the characters is faster than a call of TextEncoder. */
export const shortWrite = 48
/** A buffer of the writer that is larger is given back after `take`. */
export const keptBytes = 1_048_576
/** FRAG besides its piece. Array of five, kind, boolean: 3 bytes; two numbers: 9 each at most; head of the byte string: 5. */
export const overheadBytes = 26
