import type { Clock, Timer } from './clock.js'
import { LOOP_LAG_MS } from './limits.js'

export interface LivenessOptions {
  readonly clock: Clock
  /** ms between pings. */
  readonly interval: number
  /** ms without any inbound frame after which the peer is dead. */
  readonly deadAfter: number
  /** Called every interval. */
  readonly ping: () => void
  /** Called at most once. */
  readonly dead: () => void
}

/**
 * Pings a peer and notices its death. Counts silent rounds instead of comparing times, so that hearing costs a store
 * and a stopped event loop counts as one round, however long it stood.
 *
 * Late timers lie: after a stop, timers run before the sockets are read, when the pongs that came meanwhile are not
 * yet seen. A late round is therefore not counted; the next one is.
 */
export class Liveness {
  readonly #clock: Clock
  readonly #interval: number
  readonly #rounds: number
  readonly #ping: () => void
  readonly #dead: () => void
  readonly #timer: Timer
  #due: number
  #heard = false
  #silentRounds = 0
  #lastWasLate = false
  #suspended = false
  #stopped = false

  constructor(options: LivenessOptions) {
    this.#clock = options.clock
    // At least two rounds fit in `deadAfter`, or one lost pong would be a death.
    this.#interval = Math.max(1, Math.min(options.interval, options.deadAfter / 2))
    this.#rounds = Math.ceil(options.deadAfter / this.#interval)
    this.#ping = options.ping
    this.#dead = options.dead
    this.#due = this.#clock.now() + this.#interval
    this.#timer = this.#clock.timer(() => {
      this.#tick()
    }, this.#interval)
  }

  /** Any inbound frame. */
  heard(): void {
    this.#heard = true
  }

  /** Nobody is declared dead until `resume`; pings go on. */
  suspend(): void {
    this.#suspended = true
  }

  resume(): void {
    if (!this.#suspended) return
    this.#suspended = false
    this.#silentRounds = 0
  }

  stop(): void {
    this.#stopped = true
    this.#timer.clear()
  }

  #tick(): void {
    if (this.#stopped) return
    const now = this.#clock.now()
    const late = now - this.#due > LOOP_LAG_MS
    if (this.#heard || this.#suspended) {
      this.#heard = false
      this.#silentRounds = 0
    } else if (!late || this.#lastWasLate) {
      // After two late rounds in a row the sockets have been read in between.
      this.#silentRounds++
    }
    this.#lastWasLate = late
    if (this.#silentRounds >= this.#rounds) {
      this.stop()
      this.#dead()
      return
    }
    this.#due = now + this.#interval
    this.#timer.refresh()
    this.#ping()
  }
}
