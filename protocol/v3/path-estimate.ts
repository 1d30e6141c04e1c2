import { V3_CLOCK_INTERVAL_BYTES, V3_INITIAL_FLIGHT_BYTES, V3_MAX_FLIGHT_BYTES } from '../limits.js'

/** On slow links no more than this much time is kept in the network's buffers, ms… */
const CALM_MS = 50
/** …but never fewer bytes than two intervals, or the clock would not tick. */
const MIN_FLIGHT_BYTES = 2 * V3_CLOCK_INTERVAL_BYTES
/** Rate samples in each of the two halves of the window over which the maximum is taken. */
const RATE_SAMPLES = 16

/** In flight, as a multiple of what the path holds, until more no longer makes it faster: a queue of half a round trip. */
const GROWING_GAIN = 1.5
/** The rate must rise by this factor per round trip, or… */
const GROWTH = 1.25
/** …after so many of them the path counts as full. */
const STALLED_ROUNDS = 2
/** From then on the queue that is left to stand is this part of the least round trip… */
const QUEUE_SHARE = 0.2
/** …or this, ms, if that is more: event loops on the way are late by milliseconds, on paths of any length. */
const QUEUE_MS = 20
/** …or what pongs are late by even without it, on average, times this: as much must be in flight, or the path starves. */
const LATE_GAIN = 3

/** The least round trip is that of the last one or two such times: a path may become longer. */
const LEAST_WINDOW_MS = 10_000
/** Our own queue is in every round trip of a busy path, so it is drained for one of them: in flight meanwhile. */
const DRAIN_GAIN = 0.9
/** A drain that is not over by then is given up, in round trips. */
const DRAIN_ROUNDS = 3

/** What a pong says. Times in ms, sizes in bytes. */
export interface PathSample {
  readonly now: number
  /** When its ping was sent. */
  readonly at: number
  /** In flight then, all of which has arrived… */
  readonly bytes: number
  /** …in this time. */
  readonly elapsed: number
  /** Nothing was sent since the ping before: it waited for no bytes of ours but those of a queue. */
  readonly bare: boolean
  /** There was more to send than the path took: only then does it say what the path can carry. */
  readonly limited: boolean
}

/**
 * What a path holds, and so how many bytes may be in flight: its greatest recent rate times its least recent round
 * trip, and a little more to keep it full. That little is a queue in front of every small response: twice as much in
 * flight as the path holds would double the time that each takes.
 */
export class PathEstimate {
  #cap: number = V3_INITIAL_FLIGHT_BYTES
  #rate = 0
  #rateBefore = 0
  #samples = 0
  #growing = true
  #roundAt = -Infinity
  #roundRate = 0
  #stalled = 0
  #least: number | undefined
  #leastBefore = Infinity
  #leastSince = -Infinity
  /** When the drain is given up; undefined: none. */
  #drainUntil: number | undefined
  /** When the queue was gone… */
  #probedAt = Infinity
  /** …and when it was let grow again: pings in between met none of ours. */
  #probedUntil = -Infinity
  #lateSum = 0
  #lateCount = 0
  /** How late pongs are that meet no queue, ms: event loops and schedulers on the way, on average. */
  #late = 0

  /** The least round trip of the last 10 to 20 s, ms. */
  get least(): number | undefined {
    return this.#least === undefined ? undefined : Math.min(this.#least, this.#leastBefore)
  }

  /** Bytes that may be in flight. */
  get cap(): number {
    return this.#drainUntil === undefined ? this.#cap : Math.min(this.#cap, this.#drainCap)
  }

  learn(sample: PathSample): void {
    this.#learnRoundTrip(sample)
    this.#learnLateness(sample)
    if (this.#drainUntil === undefined) {
      if (!sample.bare) this.#learnRate(sample)
    } else if (sample.at >= this.#probedAt || sample.now >= this.#drainUntil) {
      this.#drainUntil = undefined
      this.#probedUntil = sample.now
    }
  }

  /** True as long as no queue of ours is left: send a ping, before anything else. */
  probe(now: number, inFlight: number): boolean {
    if (this.#drainUntil === undefined || inFlight > this.#drainCap) return false
    this.#probedAt = Math.min(this.#probedAt, now)
    return true
  }

  get #best(): number {
    return Math.max(this.#rate, this.#rateBefore)
  }

  get #drainCap(): number {
    return Math.max(V3_CLOCK_INTERVAL_BYTES, DRAIN_GAIN * this.#best * (this.least ?? 0))
  }

  #learnRoundTrip({ now, at, limited }: PathSample): void {
    const roundTrip = now - at
    if (now - this.#leastSince < LEAST_WINDOW_MS) {
      this.#least = Math.min(this.#least ?? Infinity, roundTrip)
      return
    }
    this.#leastBefore = this.#least ?? Infinity
    this.#least = roundTrip
    if (limited && this.#leastSince !== -Infinity) {
      this.#drainUntil = now + DRAIN_ROUNDS * roundTrip
      this.#probedAt = Infinity
      this.#probedUntil = Infinity
    }
    this.#leastSince = now
  }

  #learnLateness({ now, at, bare }: PathSample): void {
    if (at < this.#probedAt || this.#probedUntil === -Infinity) return
    if (at > this.#probedUntil) {
      this.#late = this.#lateSum / Math.max(1, this.#lateCount)
      this.#lateSum = this.#lateCount = 0
      this.#probedUntil = -Infinity
    } else if (bare) {
      this.#lateSum += now - at - (this.least ?? 0)
      this.#lateCount++
    }
  }

  #learnRate({ now, at, bytes, elapsed, limited }: PathSample): void {
    if (elapsed <= 0) return
    const rate = bytes / elapsed
    if (!limited && rate <= this.#rate) return
    this.#rate = Math.max(this.#rate, rate)
    if (limited) {
      if (++this.#samples >= RATE_SAMPLES) {
        this.#samples = 0
        this.#rateBefore = this.#rate
        this.#rate = rate
      }
      if (this.#growing && at >= this.#roundAt) this.#round(now)
    }
    const cap = this.#wanted()
    if (limited || cap > this.#cap) this.#cap = cap
  }

  /** A round trip of a path that was asked for more than it took. */
  #round(now: number): void {
    this.#roundAt = now
    if (this.#best >= this.#roundRate * GROWTH) {
      this.#roundRate = this.#best
      this.#stalled = 0
    } else if (++this.#stalled === STALLED_ROUNDS) {
      this.#growing = false
    }
  }

  #wanted(): number {
    const least = this.least ?? 0
    const queue = Math.max(Math.min(least, Math.max(least * QUEUE_SHARE, QUEUE_MS)), this.#late * LATE_GAIN)
    const path = this.#best * (this.#growing ? least * GROWING_GAIN : least + queue)
    const calm = Math.min(V3_INITIAL_FLIGHT_BYTES, this.#best * CALM_MS)
    return Math.min(V3_MAX_FLIGHT_BYTES, Math.max(path, calm, MIN_FLIGHT_BYTES))
  }
}
