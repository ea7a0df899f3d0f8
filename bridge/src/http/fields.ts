import { codeOf } from '@cometmq/protocol'
import { RefusedError } from '@cometmq/session'

export const badRequest = (text: string): RefusedError =>
  new RefusedError(codeOf('BAD_REQUEST'), text, { outcome: 'not-executed' })

/** Reads one object of a request. Every method throws BAD_REQUEST and names the field. */
export class Fields {
  readonly #what: string
  readonly #values: Readonly<Record<string, unknown>>

  /** A field that is not in `known` is most likely a slip: it is refused. */
  constructor(value: unknown, what: string, known: readonly string[]) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array)
      throw badRequest(`${what} must be an object`)
    for (const name of Object.keys(value))
      if (!known.includes(name))
        throw badRequest(`${what} has a field ${JSON.stringify(name.slice(0, 40))}; there are ${known.join(', ')}`)
    this.#what = what
    this.#values = value as Record<string, unknown>
  }

  /** Undefined when it is not there; null counts as not there. */
  get(name: string): unknown {
    return this.#values[name] ?? undefined
  }

  text(name: string): string | undefined {
    const value = this.get(name)
    if (value === undefined || typeof value === 'string') return value
    throw this.#wrong(name, 'a text')
  }

  required(name: string): string {
    const value = this.text(name)
    if (value === undefined || value === '') throw this.#wrong(name, 'a text')
    return value
  }

  /** A whole number from `least` to `most`. */
  count(name: string, least = 0, most = Number.MAX_SAFE_INTEGER): number | undefined {
    const value = this.get(name)
    if (value === undefined) return undefined
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
    throw this.#wrong(name, `a whole number from ${least} to ${most}`)
  }

  flag(name: string): boolean {
    const value = this.get(name)
    if (value === undefined || typeof value === 'boolean') return value ?? false
    throw this.#wrong(name, 'true or false')
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.get(name)
    if (value === undefined || (choices as readonly unknown[]).includes(value)) return value as T | undefined
    throw this.#wrong(name, choices.map(choice => JSON.stringify(choice)).join(' or '))
  }

  /** 1 to `most` items. */
  list(name: string, most: number): readonly unknown[] | undefined {
    const value = this.get(name)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.length > 0 && value.length <= most) return value as readonly unknown[]
    throw this.#wrong(name, `a list of 1 to ${most} items`)
  }

  texts(name: string, most: number): readonly string[] | undefined {
    const value = this.get(name)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.length <= most && value.every(item => typeof item === 'string')) return value
    throw this.#wrong(name, `a list of at most ${most} texts`)
  }

  textMap(name: string): Readonly<Record<string, string>> | undefined {
    const value = this.get(name)
    if (value === undefined) return undefined
    const isMap = typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array)
    if (isMap && Object.values(value as object).every(item => typeof item === 'string')) return value as Record<string, string>
    throw this.#wrong(name, 'an object whose values are texts')
  }

  #wrong(name: string, kind: string): RefusedError {
    return badRequest(`\`${name}\` of ${this.#what} must be ${kind}`)
  }
}
