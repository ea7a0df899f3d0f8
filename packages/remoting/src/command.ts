/**
 * One remoting command, request or response, as it travels (spec: remoting, sections 1.1 to 1.4;
 * Java: org.apache.rocketmq.remoting.protocol.RemotingCommand).
 */
export interface Command {
  /** Request code, or the response code when `flag` has the response bit. */
  readonly code: number
  /** Request id, int32; a response repeats it. */
  readonly opaque: number
  /** Bit 0: response. Bit 1: one-way, no answer is expected. */
  readonly flag: number
  /** Version ordinal of the sender (org.apache.rocketmq.common.MQVersion), 0 when absent. */
  readonly version: number
  /** Name of the sender's language: JAVA, GO, OTHER … ; 'OTHER' when absent or unknown. */
  readonly language: string
  /** Free text, mostly an error description; null when absent. Judge an answer by `code` only. */
  readonly remark: string | null
  /** Header fields; null when the frame had none. Values are always strings. Has no prototype when decoded from bytes. */
  readonly ext: Readonly<Record<string, string>> | null
  /** Never empty: null when there are no bytes. May be a view on a larger buffer: copy it to keep it past the handler. */
  readonly body: Buffer | null
}

export const RESPONSE_FLAG = 1
export const ONEWAY_FLAG = 2

export const isResponse = (command: Command): boolean => (command.flag & RESPONSE_FLAG) !== 0
export const isOneway = (command: Command): boolean => (command.flag & ONEWAY_FLAG) !== 0

/** What a handler gives back; opaque, flag, version and language are filled in by the server. */
export interface Reply {
  readonly code: number
  readonly remark?: string | null
  readonly ext?: Readonly<Record<string, string>> | null
  readonly body?: Buffer | null
}

/** What a caller asks; opaque, flag, version and language are filled in by the caller. */
export interface Request {
  readonly code: number
  readonly ext?: Readonly<Record<string, string>> | null
  readonly body?: Buffer | null
}

/** Our version ordinal on the wire: V5_3_3 (spec: remoting, section 1.6). */
export const OUR_VERSION = 479
