import * as codes from './close-code.ts'

/** WebSocket close codes, by name. */
export const CloseCode: typeof codes = /* @__PURE__ */ Object.assign({}, codes)
export type CloseCode = (typeof codes)[keyof typeof codes]

/** Whether a client may come back after this code: all but 4500–4999 of the range 4000–4999, and everything outside it. */
export const mayReconnect = (code: number): boolean => code < 4500 || code > 4999
