/**
 * Sums and counts per key, sampled so that the last minute, hour and day can be told
 * (Java: org.apache.rocketmq.common.stats.StatsItem: a minute is 7 samples 10 s apart, an hour 7 samples 10 min apart,
 * a day 25 samples an hour apart; a snapshot is newest minus oldest).
 */
export interface StatsSnapshot {
  sum: number
  /** Per second. */
  tps: number
  /** Average value per count. */
  avgpt: number
}

interface Sample {
  at: number
  sum: number
  times: number
}

class Window {
  readonly #samples: Sample[] = []
  readonly #size: number
  constructor(size: number) {
    this.#size = size
  }

  sample(at: number, sum: number, times: number): void {
    this.#samples.push({ at, sum, times })
    if (this.#samples.length > this.#size) this.#samples.shift()
  }

  snapshot(at: number, sum: number, times: number): StatsSnapshot {
    const oldest = this.#samples[0]
    if (oldest === undefined) return { sum: 0, tps: 0, avgpt: 0 }
    const grown = sum - oldest.sum
    const counted = times - oldest.times
    const seconds = (at - oldest.at) / 1000
    return { sum: grown, tps: seconds > 0 ? grown / seconds : 0, avgpt: counted > 0 ? grown / counted : 0 }
  }
}

/** One counted thing. Adding is two additions; nothing is allocated. */
export class Counter {
  sum = 0
  times = 0
  /** Monotonic ms of the last addition that a sample saw. */
  lastGrowth = 0
  #sumAtSample = 0
  readonly #minute = new Window(7)
  readonly #hour = new Window(7)
  readonly #day = new Window(25)

  add(value: number): void {
    this.sum += value
    this.times++
  }

  sample(window: 'minute' | 'hour' | 'day', at: number): void {
    const target = window === 'minute' ? this.#minute : window === 'hour' ? this.#hour : this.#day
    target.sample(at, this.sum, this.times)
    if (this.sum !== this.#sumAtSample) this.lastGrowth = at
    this.#sumAtSample = this.sum
  }

  minute(at: number): StatsSnapshot {
    return this.#minute.snapshot(at, this.sum, this.times)
  }

  hour(at: number): StatsSnapshot {
    return this.#hour.snapshot(at, this.sum, this.times)
  }

  day(at: number): StatsSnapshot {
    return this.#day.snapshot(at, this.sum, this.times)
  }
}
