// Of a message. One constant each, so that bundlers put the numbers in their places.

/** Its body is being made. */
export const preparing = 0
export const ready = 1
export const sent = 2
export const settled = 3
