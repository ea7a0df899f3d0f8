/** Thrown by the codec, the frame check and the reassembler; nothing else is. The socket ends with 4502. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}
