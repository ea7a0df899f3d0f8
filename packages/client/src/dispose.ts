/** `Symbol.asyncDispose`, or what down-levelled `await using` looks for in a runtime that has none. */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose)
