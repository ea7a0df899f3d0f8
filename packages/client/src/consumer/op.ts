// What becomes of a message. The number is that of its batch in the settler. One constant each, so that bundlers put the numbers in their places.

export const ack = 0
export const acked = 1
export const nack = 2
export const extend = 3
export const dead = 4
export type Op = typeof ack | typeof acked | typeof nack | typeof extend | typeof dead
