import type { Clock, Timer } from '../clock.js'
import type { Link } from '../link.js'
import { KiB, V3_CLOCK_INTERVAL_BYTES } from '../limits.js'
import { PathEstimate } from './path-estimate.js'

/** Full for this long without a pong: this peer answers no pings now, go on without the clock until it does. */
const SILENT_MS = 2_000
/** Small and urgent things may exceed the cap by this much: they would only wait behind the same bytes. */
const URGENT_BYTES = 64 * KiB
/** Pings remembered; one pong stands for all earlier ones, so the oldest may be forgotten. */
const MAX_OUTSTANDING = 256

/** `crnk`, then the number of the ping, u32 BE. */
const PAYLOAD_BYTES = 8
const MAGIC = 0x63726e6b

interface Tick {
  readonly seq: number
  readonly at: number
  /** Bytes sent before this ping. */
  readonly sent: number
  /** What had arrived when it was sent, and when that was known. */
  readonly arrived: number
  readonly arrivedAt: number
  /** Nothing was sent since the ping before. */
  readonly bare: boolean
  readonly limited: boolean
}

/**
 * Tells how much of what was sent has arrived: every 64 KiB a ping is sent, and its pong comes after everything that
 * went before it (RFC 6455 §5.5.3). A peer may answer only the newest ping, so each stands for all bytes so far.
 * Keeps the bytes in flight near what the path holds, so that small responses do not wait behind what kernel and
 * network would otherwise buffer.
 *
 * The same pings serve liveness, the round-trip metric and barriers.
 */
export class DeliveryClock {
  readonly #link: Link
  readonly #clock: Clock
  readonly #onRoom: () => void
  readonly #ticks: Tick[] = []
  #seq = 0
  #answered = 0
  #sent = 0
  #pinged = 0
  #arrived = 0
  #arrivedAt: number
  #roundTrip: number | undefined
  readonly #path = new PathEstimate()
  #silent = false
  #waiting = false
  #timer: Timer | undefined

  /** True while the scheduler has more to send than it may: only then do samples say what the path can carry. */
  limited = false

  /** @param onRoom called when there may be room again without a pong having come */
  constructor(link: Link, clock: Clock, onRoom: () => void) {
    this.#link = link
    this.#clock = clock
    this.#onRoom = onRoom
    this.#arrivedAt = clock.now()
  }

  /** The latest round trip, ms. */
  get roundTrip(): number | undefined {
    return this.#roundTrip
  }

  /** The least recent round trip, ms. */
  get leastRoundTrip(): number | undefined {
    return this.#path.least
  }

  get inFlight(): number {
    return this.#sent - this.#arrived
  }

  get cap(): number {
    return this.#path.cap
  }

  /** The number of the last ping that has been answered. */
  get answered(): number {
    return this.#answered
  }

  hasRoom(urgent: boolean): boolean {
    return this.#silent || this.#sent - this.#arrived < (urgent ? this.cap + URGENT_BYTES : this.cap)
  }

  /** `bytes` were handed to the link. */
  sent(bytes: number): void {
    this.#sent += bytes
    if (this.#sent - this.#pinged >= V3_CLOCK_INTERVAL_BYTES) this.ping()
  }

  /** Sends a ping; returns its number. */
  ping(): number {
    const seq = ++this.#seq
    const payload = Buffer.allocUnsafe(PAYLOAD_BYTES)
    payload.writeUInt32BE(MAGIC, 0)
    payload.writeUInt32BE(seq >>> 0, 4)
    const bare = this.#pinged === this.#sent
    this.#pinged = this.#sent
    if (this.#ticks.length >= MAX_OUTSTANDING) this.#ticks.shift()
    this.#ticks.push({
      seq,
      at: this.#clock.now(),
      sent: this.#sent,
      arrived: this.#arrived,
      arrivedAt: this.#arrivedAt,
      bare,
      limited: this.limited,
    })
    this.#link.ping(payload)
    return seq
  }

  /** A pong of ours has come; false for one that answers no ping (unsolicited, repeated, or foreign). */
  pong(payload: Buffer): boolean {
    if (payload.length !== PAYLOAD_BYTES || payload.readUInt32BE(0) !== MAGIC) return false
    const seq = payload.readUInt32BE(4)
    const index = this.#ticks.findIndex((tick) => tick.seq === seq)
    const tick = this.#ticks[index]
    if (tick === undefined) return false
    this.#ticks.splice(0, index + 1)
    const now = this.#clock.now()
    this.#answered = seq
    this.#roundTrip = now - tick.at
    this.#arrived = tick.sent
    this.#arrivedAt = now
    this.#silent = false
    if (this.#waiting) {
      this.#waiting = false
      this.#timer?.clear()
    }
    this.#path.learn({
      now,
      at: tick.at,
      bytes: tick.sent - tick.arrived,
      elapsed: now - tick.arrivedAt,
      bare: tick.bare,
      limited: tick.limited || this.limited,
    })
    if (this.#path.probe(now, this.inFlight)) this.ping()
    return true
  }

  /** The scheduler has stopped because there is no room. */
  full(): void {
    if (this.#waiting) return
    this.#waiting = true
    if (this.#timer === undefined) this.#timer = this.#clock.timer(() => this.#giveUp(), SILENT_MS)
    else this.#timer.refresh()
  }

  stop(): void {
    this.#timer?.clear()
  }

  #giveUp(): void {
    this.#waiting = false
    this.#silent = true
    this.#onRoom()
  }
}
