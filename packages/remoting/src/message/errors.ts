/** Bytes that are no message, batch, property string or compressed body of RocketMQ. */
export class MessageFormatError extends Error {
  override readonly name = 'MessageFormatError'
}
