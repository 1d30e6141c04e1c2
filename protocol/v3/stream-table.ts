/** The least size; a power of two, as all sizes are. */
const MIN_SLOTS = 16

/**
 * The streams that run, by id. A hash table with open addressing: ids count up, so that nearly every one finds its own
 * slot free. Why not a `Map`: see roster.ts. It never shrinks; its size is bounded by the socket's capacity.
 */
export class StreamTable<S extends { readonly id: number }> {
  #slots: (S | undefined)[] = emptySlots(MIN_SLOTS)
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): S | undefined {
    return this.#slots[this.#find(id)]
  }

  /** An id that is there already is not added again. */
  add(stream: S): void {
    if ((this.#size + 1) * 2 > this.#slots.length) this.#grow()
    const slot = this.#find(stream.id)
    if (this.#slots[slot] === undefined) this.#size++
    this.#slots[slot] = stream
  }

  delete(id: number): boolean {
    const slots = this.#slots
    const mask = slots.length - 1
    let hole = this.#find(id)
    if (slots[hole] === undefined) return false
    this.#size--
    // Those behind it that had to make way for it move up, or they would not be found any more.
    for (let slot = (hole + 1) & mask; ; slot = (slot + 1) & mask) {
      const stream = slots[slot]
      if (stream === undefined) break
      const wayFromHome = (slot - stream.id) & mask
      if (wayFromHome < ((slot - hole) & mask)) continue
      slots[hole] = stream
      hole = slot
    }
    slots[hole] = undefined
    return true
  }

  clear(): void {
    this.#slots = emptySlots(MIN_SLOTS)
    this.#size = 0
  }

  /** All of them now, by id: what is called with one may end others. */
  list(): S[] {
    return this.#slots.filter((stream) => stream !== undefined).sort((a, b) => a.id - b.id)
  }

  /** The slot of `id`, or the empty one where it would be. */
  #find(id: number): number {
    const slots = this.#slots
    const mask = slots.length - 1
    let slot = id & mask
    for (let stream = slots[slot]; stream !== undefined && stream.id !== id; stream = slots[slot]) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #grow(): void {
    const before = this.#slots
    this.#slots = emptySlots(before.length * 2)
    for (const stream of before) if (stream !== undefined) this.#slots[this.#find(stream.id)] = stream
  }
}

function emptySlots<S>(count: number): (S | undefined)[] {
  return new Array<S | undefined>(count).fill(undefined)
}
