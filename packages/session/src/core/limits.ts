import type { SessionLimits } from '../types.ts'

/** Spec bridge, sections 4, 5, 7 and 8. */
export const defaultLimits: SessionLimits = {
  maxFrameBytes: 256 * 1024,
  maxBodyBytes: 4 * 1024 * 1024,
  maxPropertyBytes: 16_384,
  maxSubs: 64,
  maxProducers: 32,
  maxConnectionsPerSubject: 10,
  framesPerSecond: 200,
  frameBurst: 400,
  inboundBytesPerSecond: 1024 * 1024,
  publishWindowMessages: 256,
  publishWindowBytes: 4 * 1024 * 1024,
  keepMs: 120_000,
  helloMs: 5_000,
  heartbeatMs: 25_000,
  pongMs: 8_000,
  leaseMs: 30_000,
  maxDetached: 10_000,
}

/** A cold resume is granted for so long after the token was sealed. */
export const maxTokenAgeMs = 24 * 3_600_000
/** A token older than this is replaced with the next PONG. */
export const renewTokenMs = 10 * 60_000
/** Frames and body bytes kept while a handshake is under way. */
export const maxEarlyFrames = 256
export const maxEarlyBytes = 1024 * 1024
/** Answers to control requests that are kept for a hot resume, and control requests that may run at a time. */
export const maxControlResults = 1024
export const maxRunningRequests = 256
/** Round robin between the subscriptions of a session, and the most one session sends in one turn. */
export const quantumBytes = 16 * 1024
export const maxTurnBytes = 256 * 1024
/** Topics of one subscription. */
export const maxTopicsPerSub = 32
/** A window that is raised by little is told after this time, so that it never stands still. */
export const raiseDelayMs = 20
/** What a frame counts in the byte rate besides its bodies. */
export const frameOverheadBytes = 64
/** Part of HELLO (producers and subscriptions together) must be open after this time, or fails for itself. */
export const openMs = 8_000
export const minLeaseMs = 1_000
export const maxLeaseMs = 12 * 3_600_000
