/** A token bucket that is refilled by hand: `rate` at each look, never above `burst`. */
export class Bucket {
  readonly #burst: number
  readonly #rate: number
  #left: number

  constructor(burst: number, rate: number) {
    this.#burst = burst
    this.#rate = rate
    this.#left = burst
  }

  /** False: too much. */
  take(): boolean {
    return --this.#left >= 0
  }

  refill(): void {
    this.#left = Math.min(this.#burst, Math.max(0, this.#left) + this.#rate)
  }
}
