import { COPY_BELOW_BYTES } from '../limits.js'

const EMPTY = Buffer.alloc(0)

/** Pieces of a body, first in first out, taken out in frames. */
export class ByteQueue {
  #pieces: Buffer[] = []
  #first = 0
  #bytes = 0
  /** Pieces before this index are known to pin no foreign buffer. */
  #kept = 0

  get bytes(): number {
    return this.#bytes
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#bytes += piece.length
  }

  /** The next frame's payload: at most `max` bytes. Small pieces share a frame, which costs less than one each. */
  take(max: number): Buffer {
    const piece = this.#pieces[this.#first]
    if (piece === undefined) return EMPTY
    if (piece.length > max) {
      this.#pieces[this.#first] = piece.subarray(max)
      // The rest may be a small view on a large buffer.
      this.#kept = Math.min(this.#kept, this.#first)
      this.#bytes -= max
      return piece.subarray(0, max)
    }
    if (piece.length < COPY_BELOW_BYTES && this.#first + 1 < this.#pieces.length) return this.#gather(max)
    this.#bytes -= piece.length
    this.#advance(1)
    return piece
  }

  /**
   * What stays queued after this turn is copied if it is small: received slices are views that pin the 64 KiB read
   * buffer under them, and thousands of tiny buffers cost more than their bytes.
   */
  keep(): void {
    const pieces = this.#pieces
    if (this.#kept < this.#first) this.#kept = this.#first
    if (this.#kept >= pieces.length) return
    let out = this.#kept
    // A small piece that was kept before takes in the small ones after it.
    if (out > this.#first && (pieces[out - 1] as Buffer).length < COPY_BELOW_BYTES) out--
    let run: Buffer[] = []
    let runBytes = 0
    const flush = (): void => {
      if (runBytes > 0) pieces[out++] = copyOf(run, runBytes)
      run = []
      runBytes = 0
    }
    for (let i = out, count = pieces.length; i < count; i++) {
      const piece = pieces[i] as Buffer
      if (piece.length >= COPY_BELOW_BYTES) {
        flush()
        pieces[out++] = piece
      } else {
        if (runBytes + piece.length > COPY_BELOW_BYTES * 2) flush()
        run.push(piece)
        runBytes += piece.length
      }
    }
    flush()
    pieces.length = out
    this.#kept = out
  }

  clear(): void {
    this.#pieces = []
    this.#first = 0
    this.#bytes = 0
    this.#kept = 0
  }

  #gather(max: number): Buffer {
    const pieces = this.#pieces
    let end = this.#first
    let bytes = 0
    for (; end < pieces.length; end++) {
      const length = (pieces[end] as Buffer).length
      if (bytes + length > max) break
      bytes += length
    }
    const alone = end === this.#first + 1
    const joined = alone ? (pieces[this.#first] as Buffer) : Buffer.concat(pieces.slice(this.#first, end), bytes)
    this.#bytes -= bytes
    this.#advance(end - this.#first)
    return joined
  }

  #advance(count: number): void {
    this.#first += count
    if (this.#first === this.#pieces.length) {
      this.#pieces.length = 0
      this.#first = 0
      this.#kept = 0
    } else if (this.#first >= 64) {
      this.#pieces.splice(0, this.#first)
      this.#kept = Math.max(0, this.#kept - this.#first)
      this.#first = 0
    }
  }
}

/** A copy in memory of its own: node's shared pool would be pinned by what lies beside it. */
function copyOf(pieces: readonly Buffer[], bytes: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes)
  let at = 0
  for (const piece of pieces) at += piece.copy(copy, at)
  return copy
}
