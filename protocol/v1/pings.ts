interface Barrier {
  readonly id: number
  readonly done: () => void
}

/**
 * Numbers the pings of one socket, so that a pong tells the round trip and what has arrived before it. A peer may
 * answer only the newest ping (RFC 6455 §5.5.3): a pong stands for all earlier ones.
 */
export class Pings {
  #lastId = 0
  #lastAt = 0
  #barriers: Barrier[] = []
  #roundTrip: number | undefined

  /** ms, or undefined before the first pong. */
  get roundTrip(): number | undefined {
    return this.#roundTrip
  }

  /** The payload of the next ping. */
  next(now: number): Buffer {
    this.#lastId++
    this.#lastAt = now
    const payload = Buffer.allocUnsafe(4)
    payload.writeUInt32BE(this.#lastId)
    return payload
  }

  /** As `next`; `done` is called with its pong, or by `end`. */
  barrier(now: number, done: () => void): Buffer {
    const payload = this.next(now)
    this.#barriers.push({ id: this.#lastId, done })
    return payload
  }

  /** Unsolicited pongs carry whatever their sender likes: what is not ours is ignored. */
  pong(payload: Buffer, now: number): void {
    if (payload.length !== 4) return
    const id = payload.readUInt32BE(0)
    if (id === 0 || id > this.#lastId) return
    if (id === this.#lastId) this.#roundTrip = now - this.#lastAt
    this.#release(id)
  }

  /** No pong will come any more. */
  end(): void {
    this.#release(this.#lastId)
  }

  #release(upTo: number): void {
    if (this.#barriers.length === 0) return
    const reached = this.#barriers.filter((barrier) => barrier.id <= upTo)
    this.#barriers = this.#barriers.filter((barrier) => barrier.id > upTo)
    for (const barrier of reached) barrier.done()
  }
}
