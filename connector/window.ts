/**
 * How many sockets to keep ready. On protocol 1.0 each request uses a socket up, and its replacement takes a connect
 * and a handshake: over 100 ms of round trip a fixed window of 2 carries some ten requests a second, however many
 * wait. So the window grows by one whenever a request takes the last ready socket, which doubles it per round trip as
 * long as sockets are taken as fast as they are offered, and it shrinks once a part of it has stood unused for a while.
 *
 * Pure: no sockets, no timers.
 */

/** How long surplus sockets must stand unused before the window shrinks, ms. */
export const WINDOW_REVIEW_MS = 10_000

export class SlidingWindow {
  readonly #base: number
  readonly #max: number
  #size: number
  /** The fewest ready sockets since the last review. */
  #fewest = Infinity

  constructor(base: number, max: number) {
    this.#base = base
    this.#max = Math.max(base, max)
    this.#size = base
  }

  /** Sockets to keep: ready ones and those being opened together. */
  get size(): number {
    return this.#size
  }

  /** True while the window is larger than at rest, so that it needs reviews. */
  get grown(): boolean {
    return this.#size > this.#base
  }

  /** A request has used a socket up; `ready` are left that could take another one now. */
  taken(ready: number): void {
    if (ready < this.#fewest) this.#fewest = ready
    if (ready === 0 && this.#size < this.#max) this.#size++
  }

  /**
   * Every `WINDOW_REVIEW_MS`: sockets that no request needed since the last review are surplus, and half of them go.
   * Returns true if the window shrank.
   */
  review(ready: number): boolean {
    const unused = Math.min(this.#fewest, ready)
    this.#fewest = ready
    const before = this.#size
    this.#size = Math.max(this.#base, before - Math.floor(unused / 2))
    return this.#size < before
  }

  /** All sockets are gone: what the demand was says nothing about what it will be. */
  reset(): void {
    this.#size = this.#base
    this.#fewest = Infinity
  }
}
