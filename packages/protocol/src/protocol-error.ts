/** Thrown by the codec, the frame check and the reassembler; nothing else is. The socket ends with 4502. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** Arrays and maps within each other, the frame itself included. More is refused by both directions of the codec. */
export const defaultMaxDepth = 16
