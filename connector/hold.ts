import type { Clock, Timer } from '../protocol/clock.js'

/** A time in which nothing is attempted. Longer ones win: asking for less than is left changes nothing. */
export class Hold {
  readonly #clock: Clock
  readonly #over: () => void
  #timer: Timer | undefined
  #until = 0

  /** `over` is called when a hold has passed, not when it is cleared. */
  constructor(clock: Clock, over: () => void) {
    this.#clock = clock
    this.#over = over
  }

  get active(): boolean {
    return this.#timer !== undefined
  }

  /** ms; 0 when none is active. */
  get remaining(): number {
    return this.active ? Math.max(0, Math.round(this.#until - this.#clock.now())) : 0
  }

  extend(ms: number): void {
    if (this.active && ms <= this.remaining) return
    this.#timer?.clear()
    this.#until = this.#clock.now() + ms
    this.#timer = this.#clock.timer(() => {
      this.#timer = undefined
      this.#over()
    }, ms)
  }

  clear(): void {
    this.#timer?.clear()
    this.#timer = undefined
  }
}
