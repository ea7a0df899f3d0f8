/** How configuration keys are described: one row each, from which types, checks, texts and documentation derive. */

export interface Kind<T> {
  /** What is allowed, in words. */
  readonly allowed: string
  /** Undefined: not allowed. */
  parse(text: string): T | undefined
}

export const text: Kind<string> = { allowed: 'a text', parse: value => value }

export const bool: Kind<boolean> = {
  allowed: 'true or false',
  parse: value => (/^true$/i.test(value) ? true : /^false$/i.test(value) ? false : undefined),
}

/** A whole number, both bounds included. */
export const int = (min: number, max: number): Kind<number> => ({
  allowed: `a whole number from ${min} to ${max}`,
  parse(value) {
    const number = /^[+-]?\d+$/.test(value) ? Number(value) : NaN
    return number >= min && number <= max ? number : undefined
  },
})

export const oneOf = <const T extends string>(...names: readonly T[]): Kind<T> => ({
  allowed: names.join(' or '),
  parse: value => names.find(name => name === value),
})

/** A text that `pattern` accepts. */
export const matching = (pattern: RegExp, allowed: string): Kind<string> => ({
  allowed,
  parse: value => (pattern.test(value) ? value : undefined),
})

/** What defaults may depend on besides other keys. */
export interface Environment {
  hostName: string
  /** First address of this machine that is not loopback; 127.0.0.1 when there is none. */
  address: string
  home: string
  variables: Readonly<Record<string, string | undefined>>
}

export type Values = Readonly<Record<string, string | number | boolean>>

export interface Key<T extends string | number | boolean = string | number | boolean> {
  readonly kind: Kind<T>
  /** A function gets the keys above it in the table. */
  readonly default: T | ((environment: Environment, values: Values) => T)
  /** '' when it has none. */
  readonly unit: string
  readonly meaning: string
  /** Whether request 25 may change it while the broker runs. */
  readonly change: 'restart' | 'runtime'
  /** How it differs from RocketMQ's key of this name; 'own key' when RocketMQ has none. */
  readonly differs?: string
  /** Shown as `******` in texts. */
  readonly secret?: boolean
}

interface More {
  unit?: string
  runtime?: boolean
  differs?: string
}

export const key = <T extends string | number | boolean>(
  kind: Kind<T>,
  byDefault: Key<T>['default'],
  meaning: string,
  more: More = {},
): Key<T> => ({
  kind,
  default: byDefault,
  meaning,
  unit: more.unit ?? '',
  change: more.runtime === true ? 'runtime' : 'restart',
  ...(more.differs === undefined ? {} : { differs: more.differs }),
})

export type KeyTable = Readonly<Record<string, Key<string> | Key<number> | Key<boolean>>>

/** Literal types of `oneOf` are kept; the rest widens. */
export type ValuesOf<K extends KeyTable> = { readonly [P in keyof K]: K[P]['kind'] extends Kind<infer T> ? T : never }
