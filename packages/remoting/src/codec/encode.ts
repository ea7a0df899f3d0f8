import { ONEWAY_FLAG, RESPONSE_FLAG, type Reply, type Request } from '../command.ts'
import { MAX_FRAME_BYTES } from '../frame.ts'
import { maxBinaryBytes, maxJsonBytes, putBinaryHeader, putInt32, putJsonHeader } from './header-writers.ts'
import { languageCode } from './languages.ts'
import { type OutputBuffer } from './output.ts'

/** Serialization of the headers of requests. Answers always have JSON headers, as those of a Java server do by default. */
export type Serialize = 'JSON' | 'ROCKETMQ'

/** How one side presents itself in every header it sends; build it once with `createStamp`. */
export interface Stamp {
  readonly language: string
  readonly languageCode: number
  readonly serialize: Serialize
}

export const createStamp = (language: string, serialize: Serialize): Stamp => ({
  language,
  languageCode: languageCode(language),
  serialize,
})

/** The command would be larger than a frame may be. Nothing was written. */
export class FrameTooLargeError extends Error {
  override readonly name = 'FrameTooLargeError'
  constructor(bytes: number) {
    super(`the frame would have ${bytes} bytes, more than ${MAX_FRAME_BYTES}`)
  }
}

const PREFIX_BYTES = 8
const JSON_TYPE = 0
const BINARY_TYPE = 1
const MAX_INT16 = 32_767

/** Appends an answer. Throws FrameTooLargeError. */
export function encodeReply(out: OutputBuffer, opaque: number, reply: Reply, stamp: Stamp): void {
  const { ext = null, remark = null, body = null } = reply
  out.reserve(PREFIX_BYTES + maxJsonBytes(ext, remark))
  const end = putJsonHeader(
    out.block,
    out.position + PREFIX_BYTES,
    reply.code,
    RESPONSE_FLAG,
    opaque,
    stamp.language,
    ext,
    remark,
  )
  endFrame(out, JSON_TYPE, end, body)
}

/** Appends a request. Codes that do not fit the ROCKETMQ header's int16 go out with a JSON header. Throws FrameTooLargeError. */
export function encodeRequest(out: OutputBuffer, opaque: number, oneway: boolean, request: Request, stamp: Stamp): void {
  const { code, ext = null, body = null } = request
  const flag = oneway ? ONEWAY_FLAG : 0
  if (stamp.serialize === 'ROCKETMQ' && code <= MAX_INT16) {
    out.reserve(PREFIX_BYTES + maxBinaryBytes(ext))
    endFrame(
      out,
      BINARY_TYPE,
      putBinaryHeader(out.block, out.position + PREFIX_BYTES, code, flag, opaque, stamp.languageCode, ext),
      body,
    )
  } else {
    out.reserve(PREFIX_BYTES + maxJsonBytes(ext, null))
    endFrame(
      out,
      JSON_TYPE,
      putJsonHeader(out.block, out.position + PREFIX_BYTES, code, flag, opaque, stamp.language, ext, null),
      body,
    )
  }
}

/** Completes the frame whose header has been written to `headerEnd`, or leaves no trace of it. */
function endFrame(out: OutputBuffer, type: number, headerEnd: number, body: Buffer | null): void {
  const headerBytes = headerEnd - out.position - PREFIX_BYTES
  const frameBytes = PREFIX_BYTES + headerBytes + (body === null ? 0 : body.length)
  if (frameBytes > MAX_FRAME_BYTES) throw new FrameTooLargeError(frameBytes)
  putInt32(out.block, out.position, frameBytes - 4)
  putInt32(out.block, out.position + 4, (type << 24) | headerBytes)
  out.position = headerEnd
  if (body !== null && body.length !== 0) out.append(body)
}
