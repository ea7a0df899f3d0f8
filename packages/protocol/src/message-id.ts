/**
 * The id a message gets as UNIQ_KEY: the session's 20 hex digits and the request id as 12 hex digits. A request repeated through another
 * node of the bridge has the same session and request id, so its message has the same id.
 */
export const messageIdOf = (session: string, rid: number): string => session + rid.toString(16).toUpperCase().padStart(12, '0')
