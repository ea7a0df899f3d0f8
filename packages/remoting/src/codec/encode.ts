import { OUR_VERSION, ONEWAY_FLAG, RESPONSE_FLAG, type Reply, type Request } from '../command.ts'
import { MAX_FRAME_BYTES } from '../frame.ts'
import { BINARY_FIXED_BYTES } from './binary-header.ts'
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
const JSON_TAIL = `,"serializeTypeCurrentRPC":"JSON","version":${OUR_VERSION}}`
const MAX_INT16 = 32_767

/** Appends an answer. Throws FrameTooLargeError. */
export function encodeReply(out: OutputBuffer, opaque: number, reply: Reply, stamp: Stamp): void {
  writeJson(out, jsonHeader(reply.code, RESPONSE_FLAG, opaque, stamp, reply.ext, reply.remark), reply.body)
}

/** Appends a request. Codes that do not fit the ROCKETMQ header's int16 go out with a JSON header. Throws FrameTooLargeError. */
export function encodeRequest(out: OutputBuffer, opaque: number, oneway: boolean, request: Request, stamp: Stamp): void {
  const flag = oneway ? ONEWAY_FLAG : 0
  if (stamp.serialize === 'ROCKETMQ' && request.code <= MAX_INT16) writeBinary(out, opaque, flag, request, stamp)
  else writeJson(out, jsonHeader(request.code, flag, opaque, stamp, request.ext, null), request.body)
}

/** Whether the text being built has characters beyond ASCII. Set by `quote`, reset by `writeJson`; nothing asynchronous lies between. */
let wide = false

// eslint-disable-next-line max-params -- one call per message: an object would be garbage
function jsonHeader(
  code: number,
  flag: number,
  opaque: number,
  stamp: Stamp,
  ext: Readonly<Record<string, string>> | null | undefined,
  remark: string | null | undefined,
): string {
  let text = '{"code":' + code
  if (ext !== null && ext !== undefined) text += ',"extFields":{' + jsonFields(ext) + '}'
  text += ',"flag":' + flag + ',"language":"' + stamp.language + '","opaque":' + opaque
  if (remark !== null && remark !== undefined) text += ',"remark":' + quote(remark)
  return text + JSON_TAIL
}

function jsonFields(ext: Readonly<Record<string, string>>): string {
  let text = ''
  for (const key in ext) {
    const value = ext[key]
    if (value === undefined || value === null) continue
    text += (text === '' ? '' : ',') + quote(key) + ':' + quote(value)
  }
  return text
}

/** A JSON string. Most header values are plain ASCII and need no escaping. */
function quote(value: string): string {
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i)
    if (unit < 0x20 || unit === 0x22 || unit === 0x5c || unit > 0x7e) return quoteUnusual(value)
  }
  return '"' + value + '"'
}

function quoteUnusual(value: string): string {
  const text = JSON.stringify(value)
  for (let i = 0; !wide && i < text.length; i++) wide = text.charCodeAt(i) > 0x7f
  return text
}

function writeJson(out: OutputBuffer, header: string, body: Buffer | null | undefined): void {
  const encoding = wide ? 'utf8' : 'latin1'
  const headerBytes = wide ? Buffer.byteLength(header) : header.length
  wide = false
  const at = startFrame(out, 0, headerBytes, body)
  out.block.write(header, at, headerBytes, encoding)
  out.position = at + headerBytes
  if (body !== null && body !== undefined && body.length !== 0) out.append(body)
}

/** Writes the prefix and gives the place of the header, for which there is room. */
function startFrame(out: OutputBuffer, type: number, headerBytes: number, body: Buffer | null | undefined): number {
  const bodyBytes = body?.length ?? 0
  const frameBytes = PREFIX_BYTES + headerBytes + bodyBytes
  if (frameBytes > MAX_FRAME_BYTES) throw new FrameTooLargeError(frameBytes)
  out.reserve(PREFIX_BYTES + headerBytes)
  putInt32(out.block, out.position, frameBytes - 4)
  putInt32(out.block, out.position + 4, (type << 24) | headerBytes)
  return out.position + PREFIX_BYTES
}

function writeBinary(out: OutputBuffer, opaque: number, flag: number, request: Request, stamp: Stamp): void {
  const extBytes = binaryExtBytes(request.ext)
  let at = startFrame(out, 1, BINARY_FIXED_BYTES + extBytes, request.body)
  const block = out.block
  putInt16(block, at, request.code)
  block[at + 2] = stamp.languageCode
  putInt16(block, at + 3, OUR_VERSION)
  putInt32(block, at + 5, opaque)
  putInt32(block, at + 9, flag)
  putInt32(block, at + 13, 0)
  putInt32(block, at + 17, extBytes)
  at += BINARY_FIXED_BYTES
  for (const key in request.ext) {
    const value = request.ext[key]
    if (value === undefined || value === null) continue
    const keyEnd = putText(block, at + 2, key)
    putInt16(block, at, keyEnd - at - 2)
    at = putText(block, keyEnd + 4, value)
    putInt32(block, keyEnd, at - keyEnd - 4)
  }
  out.position = at
  if (request.body !== null && request.body !== undefined && request.body.length !== 0) out.append(request.body)
}

function binaryExtBytes(ext: Request['ext']): number {
  let bytes = 0
  for (const key in ext) {
    const value = ext[key]
    if (value !== undefined && value !== null) bytes += 6 + utf8Bytes(key) + utf8Bytes(value)
  }
  return bytes
}

function utf8Bytes(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return Buffer.byteLength(text)
  return text.length
}

/** Writes UTF-8 and gives the place behind it. */
function putText(block: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) return at + block.write(text, at, 'utf8')
    block[at + i] = unit
  }
  return at + text.length
}

function putInt32(block: Buffer, at: number, value: number): void {
  block[at] = value >>> 24
  block[at + 1] = value >>> 16
  block[at + 2] = value >>> 8
  block[at + 3] = value
}

function putInt16(block: Buffer, at: number, value: number): void {
  block[at] = value >>> 8
  block[at + 1] = value
}
