import { COPY_BELOW_BYTES, KiB } from '../limits.js'

const EMPTY = Buffer.alloc(0)

/** What a socket reads at once, and so the largest piece that usually comes. */
const BLOCK_BYTES = 64 * KiB
/** Blocks kept for the next piece that has to wait. */
const MAX_SPARE_BLOCKS = 32
const spare: Buffer[] = []

/**
 * Pieces of a body, first in first out, taken out in frames. What is pushed is borrowed: it may be taken at once, and
 * what then remains must be made the queue's own by `keep`.
 */
export class ByteQueue {
  #pieces: Buffer[] = []
  /** The block that the piece of the same index lies in, if it does. */
  #blocks: (Buffer | undefined)[] = []
  #first = 0
  #bytes = 0
  /** Pieces before this index are the queue's own. */
  #kept = 0

  get bytes(): number {
    return this.#bytes
  }

  push(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#blocks.push(undefined)
    this.#bytes += piece.length
  }

  /**
   * The next frame's payload: at most `max` bytes, to be copied before anything else happens here. Small pieces share
   * a frame, which costs less than one each.
   */
  take(max: number): Buffer {
    const piece = this.#pieces[this.#first]
    if (piece === undefined) return EMPTY
    if (piece.length > max) {
      this.#pieces[this.#first] = piece.subarray(max)
      this.#bytes -= max
      return piece.subarray(0, max)
    }
    if (piece.length < COPY_BELOW_BYTES && this.#first + 1 < this.#pieces.length) return this.#gather(max)
    this.#bytes -= piece.length
    this.#advance(1)
    return piece
  }

  /** Copies what is borrowed; small pieces together, because thousands of tiny buffers cost more than their bytes. */
  keep(): void {
    const pieces = this.#pieces
    if (this.#kept < this.#first) this.#kept = this.#first
    if (this.#kept >= pieces.length) return
    let out = this.#kept
    // A small piece that was kept before takes in the small ones after it.
    if (out > this.#first && (pieces[out - 1] as Buffer).length < COPY_BELOW_BYTES) out--
    let run: Buffer[] = []
    let runBytes = 0
    const set = (piece: Buffer, block: Buffer | undefined): void => {
      pieces[out] = piece
      this.#blocks[out++] = block
    }
    const flush = (): void => {
      if (runBytes > 0) set(copyOf(run, runBytes), undefined)
      run = []
      runBytes = 0
    }
    for (let i = out, count = pieces.length; i < count; i++) {
      const piece = pieces[i] as Buffer
      if (piece.length >= COPY_BELOW_BYTES) {
        flush()
        const block = piece.length <= BLOCK_BYTES ? (spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)) : undefined
        if (block === undefined) set(copyOf([piece], piece.length), undefined)
        else set(block.subarray(0, piece.copy(block)), block)
      } else {
        if (runBytes + piece.length > COPY_BELOW_BYTES * 2) flush()
        run.push(piece)
        runBytes += piece.length
      }
    }
    flush()
    pieces.length = this.#blocks.length = this.#kept = out
  }

  clear(): void {
    this.#bytes = 0
    this.#advance(this.#pieces.length - this.#first)
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
    for (let i = this.#first, end = i + count; i < end; i++) {
      const block = this.#blocks[i]
      if (block !== undefined && spare.length < MAX_SPARE_BLOCKS) spare.push(block)
      this.#blocks[i] = undefined
    }
    this.#first += count
    if (this.#first === this.#pieces.length) {
      this.#pieces.length = this.#blocks.length = 0
      this.#first = 0
      this.#kept = 0
    } else if (this.#first >= 64) {
      this.#pieces.splice(0, this.#first)
      this.#blocks.splice(0, this.#first)
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
