/** How far below the highest id a new one may still be. */
const SPAN = 4_096
const WORDS = SPAN / 32

/**
 * Which request ids have been used on a socket. They count up, but a router with threads may send them slightly out
 * of order, so "lower than the last" does not yet mean "ended". What is far below the highest counts as seen.
 */
export class SeenIds {
  readonly #bits = new Int32Array(WORDS)
  #highest = 0

  get highest(): number {
    return this.#highest
  }

  /** Marks `id`; false if it was seen before, or can be no new one. */
  add(id: number): boolean {
    if (id <= this.#highest - SPAN || id <= 0) return false
    if (id > this.#highest) this.#forget(id)
    const word = (id % SPAN) >>> 5
    const bit = 1 << (id & 31)
    if (((this.#bits[word] as number) & bit) !== 0) return false
    this.#bits[word] = (this.#bits[word] as number) | bit
    return true
  }

  /** Moves the window up to `id`. */
  #forget(id: number): void {
    if (id - this.#highest >= SPAN) this.#bits.fill(0)
    else {
      for (let gone = this.#highest + 1; gone <= id; gone++) {
        const word = (gone % SPAN) >>> 5
        this.#bits[word] = (this.#bits[word] as number) & ~(1 << (gone & 31))
      }
    }
    this.#highest = id
  }
}
