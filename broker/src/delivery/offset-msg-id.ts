/**
 * The message id a broker hands out: uppercase hex of store host address, int32 port and int64 commit log position
 * (spec remoting, 5.5; Java: MessageDecoder.createMessageId). One instance per store host; the host's part is made once.
 */
export interface OffsetMessageIds {
  /** The id of the record that starts at `physicalOffset`. */
  of(physicalOffset: number): string
  /** Ids of all records of a batch, joined by commas. */
  ofAll(physicalOffsets: readonly number[]): string
}

const HEX: string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).toUpperCase().padStart(2, '0'))

function hex32(word: number): string {
  return HEX[(word >>> 24) & 255]! + HEX[(word >>> 16) & 255]! + HEX[(word >>> 8) & 255]! + HEX[word & 255]!
}

/** @param storeHost 4 or 16 address bytes and an int32 port, as records store it. */
export function offsetMessageIds(storeHost: Uint8Array): OffsetMessageIds {
  const host = Buffer.from(storeHost).toString('hex').toUpperCase()
  const of = (physicalOffset: number): string =>
    host + hex32(Math.floor(physicalOffset / 0x1_0000_0000)) + hex32(physicalOffset % 0x1_0000_0000)
  return { of, ofAll: offsets => offsets.map(of).join(',') }
}
