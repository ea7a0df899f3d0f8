/** WebSocket close codes (spec bridge, section 6). 4000–4499: reconnect; 4500–4999: stop. */
export const CloseCode = {
  NORMAL: 4000,
  GOING_AWAY: 4001,
  RESTART: 4002,
  TOKEN_EXPIRED: 4003,
  STATE_LOST: 4004,
  NO_PONG: 4005,
  OVERLOADED: 4006,
  SLOW: 4406,
  REPLACED: 4408,
  UNAUTHORISED: 4500,
  ORIGIN: 4501,
  PROTOCOL: 4502,
  VERSION: 4503,
  FORBIDDEN: 4504,
  TOO_LARGE: 4505,
  LIMIT_OVERRUN: 4506,
  BANNED_RATE: 4507,
  CONNECTION_QUOTA: 4508,
} as const
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode]

/** Whether a client may come back after this code: all but 4500–4999 of the range 4000–4999, and everything outside it. */
export const mayReconnect = (code: number): boolean => code < 4500 || code > 4999
