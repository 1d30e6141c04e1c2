/** What a {@link Roster} lists. Only the roster touches `place`; -1: not listed. */
export interface Listed {
  place: number
}

/**
 * Everything of a kind that runs now, in no order: an entry comes and goes with every request.
 *
 * A `Set` would be simpler, and costs a third of a small request. V8 moves a Set under such load into a new table
 * every few dozen entries. The old table still refers to what was in it, and to the new one; as soon as one of them
 * is in the old generation, every later table and every request in it survives the young generation's collections, and is
 * copied twice, until the next full one. This array is only ever replaced by a larger one.
 */
export class Roster<T extends Listed> {
  readonly #entries: (T | undefined)[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  add(entry: T): void {
    if (entry.place !== -1) return
    entry.place = this.#size
    this.#entries[this.#size++] = entry
  }

  delete(entry: T): void {
    const { place } = entry
    if (place === -1) return
    const last = this.#entries[--this.#size] as T
    last.place = place
    this.#entries[place] = last
    this.#entries[this.#size] = undefined
    entry.place = -1
  }

  /** `visit` may delete the entry it is given. */
  forEach(visit: (entry: T) => void): void {
    for (let i = this.#size - 1; i >= 0; i--) {
      const entry = this.#entries[i]
      if (entry !== undefined) visit(entry)
    }
  }
}
