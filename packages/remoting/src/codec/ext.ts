/**
 * Header fields decoded from bytes. Objects made here inherit nothing, so a field named `__proto__` or `constructor` is a field like any
 * other, and yet V8 keeps them as fast as objects of a class, which it does not do for `Object.create(null)`.
 */
interface ExtConstructor {
  new (): Record<string, string>
  prototype: unknown
}

const Ext = function () {} as unknown as ExtConstructor
Ext.prototype = Object.freeze(Object.create(null))

export const newExt = (): Record<string, string> => new Ext()
