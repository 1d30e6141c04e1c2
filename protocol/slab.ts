/**
 * Memory for outgoing frames, used again and again. Buffers made per frame would be the garbage collector's largest
 * load: node counts them as external memory, and pressure from that makes it mark the whole heap dozens of times per
 * GiB.
 */
const SLAB_BYTES = 256 * 1024
/** Unused slabs kept for the next burst. */
const MAX_SPARE = 8

export class Slab {
  readonly bytes: Buffer
  /** The same memory, for masking word by word. */
  readonly words: Uint32Array
  /** Bytes given out so far. */
  used = 0
  /** Pieces given out and not yet released. */
  #pieces = 0

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.words = new Uint32Array(this.bytes.buffer, 0, size >>> 2)
  }

  retain(): void {
    this.#pieces++
  }

  /** One piece has been written. A slab without any begins anew. */
  release(): void {
    if (--this.#pieces > 0) return
    this.used = 0
    if (this !== current && this.bytes.length === SLAB_BYTES && spare.length < MAX_SPARE) spare.push(this)
  }
}

const spare: Slab[] = []
let current = new Slab(SLAB_BYTES)

/** A slab with `size` bytes free: the one that everybody uses now, unless it is full. */
export function slabFor(size: number): Slab {
  if (current.used + size <= SLAB_BYTES) return current
  // What is larger than any slab gets one of its own.
  if (size > SLAB_BYTES) return new Slab(size)
  return (current = spare.pop() ?? new Slab(SLAB_BYTES))
}
