/**
 * WebSocket frames (RFC 6455 §5.2) of one turn of the event loop, laid side by side so that they leave in one write.
 *
 * `ws` writes each frame by itself; for small frames the system calls and stream bookkeeping cost more than everything
 * else in the tunnel. Copying large payloads too costs less than the buffers, the bookkeeping and the garbage of not
 * copying them, and a masked payload must be copied anyway.
 */
import { randomFillSync } from 'node:crypto'
import { type Slab, slabFor } from './slab.js'

export type Opcode = 1 | 2 | 9 | 10

/** Bytes that lie in one slab and are to be written; `slab.release()` once they are. */
export interface Piece {
  readonly slab: Slab
  readonly bytes: Buffer
}

const MASK_POOL_BYTES = 8 * 1024
/** Two bytes, a length field of at most eight, four of mask. */
const MAX_FRAME_HEADER_BYTES = 14
/** Below this, masking byte by byte is cheaper than getting to the words. */
const WORDWISE_BYTES = 64

const maskPool = Buffer.allocUnsafeSlow(MASK_POOL_BYTES)
let maskUsed = MASK_POOL_BYTES
/** The masking key of the frame being added, and turned to where its words begin. */
const key = new Uint8Array(4)
const noKey = new Uint8Array(4)
const turnedKey = new Uint8Array(4)
const turnedWord = new Uint32Array(turnedKey.buffer)

const empty = Buffer.alloc(0)

/**
 * How a sender masks: `none` (server), `random` (client; RFC 6455 §5.3), or `zero`: a client whose bytes no
 * intermediary can see because they are encrypted, so that masking protects nobody.
 */
export type Masking = 'none' | 'random' | 'zero'

export class FrameWriter {
  readonly #masking: Masking
  #pieces: Piece[] = []
  /** The open piece: it grows as long as nobody else takes bytes of its slab. */
  #slab: Slab | undefined
  #start = 0
  #end = 0
  #bytes = 0
  #frames = 0

  constructor(masking: Masking) {
    this.#masking = masking
  }

  /** Bytes gathered and not yet taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Frames gathered and not yet taken. */
  get frames(): number {
    return this.#frames
  }

  /** Adds one unfragmented frame with a copy of `head` and `payload`. */
  add(opcode: Opcode, head: Buffer, payload: Buffer = empty): void {
    const length = head.length + payload.length
    const slab = this.#reserve(MAX_FRAME_HEADER_BYTES + length)
    const out = slab.bytes
    const maskBit = this.#masking === 'none' ? 0 : 0x80
    let at = slab.used
    out[at++] = 0x80 | opcode
    if (length < 126) {
      out[at++] = maskBit | length
    } else if (length < 65_536) {
      out[at++] = maskBit | 126
      out[at++] = length >>> 8
      out[at++] = length & 0xff
    } else {
      out[at++] = maskBit | 127
      at = out.writeUInt32BE(0, at)
      at = out.writeUInt32BE(length, at)
    }
    if (maskBit !== 0) {
      if (this.#masking === 'random') nextKey()
      out.set(this.#masking === 'random' ? key : noKey, at)
      at += 4
    }
    const start = at
    out.set(head, at)
    at += head.length
    if (payload.length > 0) out.set(payload, at)
    at += payload.length
    if (this.#masking === 'random') mask(slab, start, at)
    this.#bytes += at - slab.used
    this.#frames++
    this.#end = slab.used = at
  }

  /** Hands over everything gathered, in order, and starts anew. */
  take(): Piece[] {
    this.#closePiece()
    const pieces = this.#pieces
    this.#pieces = []
    this.#bytes = this.#frames = 0
    return pieces
  }

  /** A slab with `size` bytes free after the open piece, which is a new one where that is impossible. */
  #reserve(size: number): Slab {
    const slab = slabFor(size)
    if (slab !== this.#slab || slab.used !== this.#end) {
      this.#closePiece()
      this.#slab = slab
      this.#start = this.#end = slab.used
      slab.retain()
    }
    return slab
  }

  #closePiece(): void {
    const slab = this.#slab
    if (slab === undefined) return
    this.#pieces.push({ slab, bytes: slab.bytes.subarray(this.#start, this.#end) })
    this.#slab = undefined
  }
}

function nextKey(): void {
  if (maskUsed === MASK_POOL_BYTES) {
    randomFillSync(maskPool)
    maskUsed = 0
  }
  for (let i = 0; i < 4; i++) key[i] = maskPool[maskUsed++] as number
}

/** Masks `[start, end)` with the current key: byte by byte up to the first word boundary, then word by word. */
function mask(slab: Slab, start: number, end: number): void {
  const { bytes, words } = slab
  const from = end - start < WORDWISE_BYTES ? end : (start + 3) & ~3
  const to = from === end ? end : end & ~3
  for (let i = start; i < from; i++) bytes[i] = (bytes[i] as number) ^ (key[(i - start) & 3] as number)
  if (from === end) return
  for (let i = 0; i < 4; i++) turnedKey[i] = key[(from - start + i) & 3] as number
  const word = turnedWord[0] as number
  for (let w = from >>> 2, last = to >>> 2; w < last; w++) words[w] = (words[w] as number) ^ word
  for (let i = to; i < end; i++) bytes[i] = (bytes[i] as number) ^ (key[(i - start) & 3] as number)
}
