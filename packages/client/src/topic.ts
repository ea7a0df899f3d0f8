/** RocketMQ 5's message types. A topic has one of them, and the broker refuses the others. */
export type Kind = 'normal' | 'fifo' | 'delay' | 'transaction' | 'priority'

type Result<Out> =
  { readonly value: Out; readonly issues?: undefined } | { readonly issues: readonly { readonly message: string }[] }

/** The common interface of zod, valibot, arktype and others (standardschema.dev). */
export interface StandardSchema<In = unknown, Out = In> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    validate(value: unknown): Result<Out> | Promise<Result<Out>>
    readonly types?: { readonly input: In; readonly output: Out } | undefined
  }
}

/** Values to bodies and back. `decode` may keep a view on the bytes: they do not change. Both may throw. */
export interface Codec<In = unknown, Out = In> {
  readonly name: string
  encode(value: In): Uint8Array
  decode(bytes: Uint8Array): Out
}

/** A topic with its kind, payload and tags as types. Made by `topic()`. */
export interface TopicDef<
  N extends string = string,
  In = never,
  Out = unknown,
  Tag extends string = string,
  K extends Kind = Kind,
> {
  readonly name: N
  readonly kind: K
  /** Empty: any tag. */
  readonly tags: readonly Tag[]
  readonly codec: Codec
  readonly schema?: StandardSchema<unknown, unknown>
  readonly '~in'?: (value: In) => void
  readonly '~out'?: () => Out
}

export type InOf<T> = T extends TopicDef<string, infer I, unknown> ? I : never
export type OutOf<T> = T extends TopicDef<string, never, infer O> ? O : never
export type TagOf<T> = T extends TopicDef<string, never, unknown, infer G> ? G : never
export type KindOf<T> = T extends TopicDef<string, never, unknown, string, infer K> ? K : never

interface Shape<Tag extends string, K extends Kind> {
  /** `normal` */
  kind?: K
  tags?: readonly Tag[]
}

/**
 * A topic. Without codec and schema its payload is a Uint8Array; with a schema it is JSON, checked when sent and when received; with a
 * codec alone it is what the codec takes and gives.
 */
export function topic<const N extends string, In, Out = In, const Tag extends string = string, const K extends Kind = 'normal'>(
  name: N,
  def: Shape<Tag, K> & { schema?: undefined; codec: Codec<In, Out> },
): TopicDef<N, NoInfer<In>, NoInfer<Out>, Tag, K>
export function topic<
  const N extends string,
  In = Uint8Array,
  Out = In,
  const Tag extends string = string,
  const K extends Kind = 'normal',
>(
  name: N,
  def?: Shape<Tag, K> & { schema?: StandardSchema<In, Out>; codec?: Codec },
): TopicDef<N, NoInfer<In>, NoInfer<Out>, Tag, K>
export function topic(name: string, def: object = {}): TopicDef {
  const { kind = 'normal', tags = [], schema, codec = schema ? json : bytes } = def as Partial<TopicDef>
  return schema ? { name, kind, tags, codec, schema } : { name, kind, tags, codec }
}

let encoder: InstanceType<typeof TextEncoder> | undefined
let decoder: InstanceType<typeof TextDecoder> | undefined
const toBytes = (value: string): Uint8Array => (encoder ??= new TextEncoder()).encode(value)
/** Throws when it is not UTF-8. A byte order mark is kept: it was sent. */
const toText = (value: Uint8Array): string =>
  (decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })).decode(value)

export const json: Codec = {
  name: 'json',
  encode(value) {
    const result = JSON.stringify(value) as string | undefined
    if (result === undefined) throw new TypeError(`JSON has no ${typeof value}`)
    return toBytes(result)
  },
  decode: value => JSON.parse(toText(value)) as unknown,
}

export const text: Codec<string> = {
  name: 'text',
  encode(value) {
    if (typeof value !== 'string') throw new TypeError(`a string is needed, not ${typeof value}`)
    return toBytes(value)
  },
  decode: toText,
}

export const bytes: Codec<Uint8Array> = {
  name: 'bytes',
  encode(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError('a Uint8Array is needed')
    return value
  },
  decode: value => value,
}
