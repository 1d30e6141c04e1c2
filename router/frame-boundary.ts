const CLOSE = 0x8

/**
 * Where WebSocket frames begin and end (RFC 6455 §5.2) in one direction of an upgraded connection. Nothing but the
 * headers is looked at: a chunk costs a step per frame in it, and no copy.
 */
export class FrameBoundary {
  /** The next octet's place in the header of the current frame… */
  #at = 0
  /** …where the mask begins, and where the payload does: as far as the second octet has told. */
  #lengthEnd = 2
  #end = 2
  #opcode = 0
  /** Of the payload; what is still to come of it once the header is complete. */
  #length = 0
  #payload = false
  #closed = false

  /** The bytes so far end between two frames: one more could be put in here. */
  get clean(): boolean {
    return this.#at === 0
  }

  /** A Close frame (RFC 6455 §5.5.1) was there: no other frame may follow it. */
  get closed(): boolean {
    return this.#closed
  }

  push(chunk: Buffer): void {
    for (let i = 0; i < chunk.length;) {
      if (this.#payload) {
        const skipped = Math.min(this.#length, chunk.length - i)
        this.#length -= skipped
        i += skipped
      } else {
        this.#header(chunk[i++] as number)
        if (this.#at < this.#end) continue
        this.#payload = true
        if (this.#opcode === CLOSE) this.#closed = true
      }
      if (this.#length === 0) {
        this.#payload = false
        this.#at = 0
        this.#end = this.#lengthEnd = 2
      }
    }
  }

  #header(octet: number): void {
    const at = this.#at++
    if (at === 0) this.#opcode = octet & 0x0f
    else if (at === 1) {
      const length = octet & 0x7f
      this.#length = length < 126 ? length : 0
      this.#lengthEnd = length < 126 ? 2 : length === 126 ? 4 : 10
      this.#end = this.#lengthEnd + ((octet & 0x80) === 0 ? 0 : 4)
    } else if (at < this.#lengthEnd) {
      // Beyond 2⁵³ it is inexact, and no payload of that size ever ends.
      this.#length = this.#length * 256 + octet
    }
  }
}
