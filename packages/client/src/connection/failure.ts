// Codes of the catalogue that the connection gives itself. One constant each, so that bundlers put the numbers in their places.

export const TOKEN_REFUSED = 40193
export const CLOSED = 60000
export const OFFLINE = 60001
export const CONNECTION_LOST = 60003
