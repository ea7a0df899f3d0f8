// WebSocket close codes (spec bridge, section 6). 4000–4499: reconnect; 4500–4999: stop. To be imported as `CloseCode`, see kind.ts.

export const NORMAL = 4000
export const GOING_AWAY = 4001
export const RESTART = 4002
export const TOKEN_EXPIRED = 4003
export const STATE_LOST = 4004
export const NO_PONG = 4005
export const OVERLOADED = 4006
export const SLOW = 4406
export const REPLACED = 4408
export const UNAUTHORISED = 4500
export const ORIGIN = 4501
export const PROTOCOL = 4502
export const VERSION = 4503
export const FORBIDDEN = 4504
export const TOO_LARGE = 4505
export const LIMIT_OVERRUN = 4506
export const BANNED_RATE = 4507
export const CONNECTION_QUOTA = 4508
