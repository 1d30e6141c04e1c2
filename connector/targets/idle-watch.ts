import type { Clock, Timer } from '../../protocol/clock.js'
import { type Listed, Roster } from '../../protocol/roster.js'

/** What {@link IdleWatch} looks after. Whoever moves a byte sets `idleTicks` to 0. */
export interface Watched extends Listed {
  idleTicks: number
  onIdleTimeout(): void
}

/** Ticks per timeout: it comes at most an eighth late. */
const TICKS = 8

/**
 * One timer for all running requests. A byte that moves costs an assignment, no look at the clock; and a stall of our
 * own event loop counts as one tick, however long it was.
 */
export class IdleWatch {
  readonly #watched = new Roster<Watched>()
  readonly #timer: Timer
  #running = false

  constructor(clock: Clock, idleTimeout: number) {
    this.#timer = clock.timer(() => {
      this.#tick()
    }, idleTimeout / TICKS)
    this.#timer.clear()
  }

  add(watched: Watched): void {
    this.#watched.add(watched)
    if (this.#running) return
    this.#running = true
    this.#timer.refresh()
  }

  delete(watched: Watched): void {
    this.#watched.delete(watched)
  }

  #tick(): void {
    this.#watched.forEach((watched) => {
      // The first tick may come at once, so one more than TICKS make a full timeout.
      if (++watched.idleTicks > TICKS) watched.onIdleTimeout()
    })
    this.#running = this.#watched.size > 0
    if (this.#running) this.#timer.refresh()
  }
}
