export { ProtocolError } from './protocol-error.ts'
export { decode, type DecodeLimits } from './decode.ts'
export { createWriter, encode, encodeFrame, type Writer } from './encode.ts'
