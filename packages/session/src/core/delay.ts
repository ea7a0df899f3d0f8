/** RocketMQ's default levels 1 to 18 in ms (spec store, messageDelayLevel; Java: MessageStoreConfig). */
const levels = [
  1_000, 5_000, 10_000, 30_000, 60_000, 120_000, 180_000, 240_000, 300_000, 360_000, 420_000, 480_000, 540_000, 600_000,
  1_200_000, 1_800_000, 3_600_000, 7_200_000,
]

/** The level of exactly this delay; 0 when there is none. */
export const delayLevelOf = (ms: number): number => levels.indexOf(ms) + 1
