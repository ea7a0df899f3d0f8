/** Finds opaque and code of each answer in a byte stream of JSON frames, and nothing else of it. */
export class AnswerReader {
  readonly #answered: (opaque: number, code: number) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(answered: (opaque: number, code: number) => void) {
    this.#answered = answered
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= 8) {
      const end = at + 4 + bytes.readInt32BE(at)
      if (end > bytes.length) break
      if (bytes[at + 4] !== 0) throw new Error('the answer has no JSON header')
      const headerEnd = at + 8 + (bytes.readInt32BE(at + 4) & 0xffffff)
      this.#answered(numberAfter(bytes, OPAQUE, at + 8, headerEnd), numberAfter(bytes, CODE, at + 8, headerEnd))
      at = end
    }
    this.#rest = bytes.subarray(at)
  }
}

const OPAQUE = Buffer.from('"opaque":')
const CODE = Buffer.from('"code":')

function numberAfter(bytes: Buffer, key: Buffer, from: number, to: number): number {
  const at = bytes.indexOf(key, from)
  if (at === -1 || at >= to) throw new Error(`no ${key.toString()} in an answer`)
  let value = 0
  for (let i = at + key.length; bytes[i]! >= 48 && bytes[i]! <= 57; i++) value = value * 10 + bytes[i]! - 48
  return value
}
