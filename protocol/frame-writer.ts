/**
 * WebSocket frames (RFC 6455 §5.2) of one turn of the event loop, gathered so that they leave in one write.
 *
 * `ws` writes each frame by itself; for small frames the system calls and stream bookkeeping cost more than everything
 * else in the tunnel. Small frames are laid side by side in a slab that all links of the process share; large payloads
 * are passed on without a copy, unless they must be masked.
 */
import { randomFillSync } from 'node:crypto'

export type Opcode = 1 | 2 | 9 | 10

const SLAB_BYTES = 64 * 1024
/** Up to this many payload bytes a copy into the slab is cheaper than a buffer of its own in the write. */
const INLINE_BYTES = 2048
const MASK_POOL_BYTES = 8 * 1024
/** Length field (RFC 6455 §5.2) of at most 8 bytes, two header bytes, four of mask. */
const MAX_FRAME_HEADER_BYTES = 14

let slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
let slabUsed = 0

const maskPool = Buffer.allocUnsafeSlow(MASK_POOL_BYTES)
let maskUsed = MASK_POOL_BYTES
/** The random masking key of the frame being added. */
const key = new Uint8Array(4)
const noKey = new Uint8Array(4)

const empty = Buffer.alloc(0)

/**
 * How a sender masks: `none` (server), `random` (client; RFC 6455 §5.3), or `zero`: a client whose bytes no
 * intermediary can see because they are encrypted, so that masking protects nobody.
 */
export type Masking = 'none' | 'random' | 'zero'

export class FrameWriter {
  readonly #masking: Masking
  readonly #chunks: Buffer[] = []
  /** The open piece of the slab: it grows as long as nobody else takes slab bytes. */
  #slab = empty
  #start = 0
  #end = 0
  #bytes = 0

  constructor(masking: Masking) {
    this.#masking = masking
  }

  /** Bytes gathered and not yet taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds one unfragmented frame. `head` and `payload` must not be touched afterwards: large ones are not copied. */
  add(opcode: Opcode, head: Buffer, payload: Buffer = empty): void {
    const length = head.length + payload.length
    const maskBit = this.#masking === 'none' ? 0 : 0x80
    let at = this.#reserve(MAX_FRAME_HEADER_BYTES)
    const out = this.#slab
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
    this.#commit(at)
    this.#append(head, 0)
    if (payload.length > 0) this.#append(payload, head.length)
  }

  /** Hands over everything gathered, in order, and starts anew. */
  take(): Buffer[] {
    this.#closePiece()
    // An idle link must not keep a slab alive.
    this.#slab = empty
    this.#start = this.#end = this.#bytes = 0
    return this.#chunks.splice(0)
  }

  /** Adds a part of the masked data that begins `phase` bytes into it. */
  #append(part: Buffer, phase: number): void {
    const masked = this.#masking === 'random'
    if (part.length > INLINE_BYTES) {
      this.#closePiece()
      this.#chunks.push(masked ? maskedCopy(part, phase) : part)
      this.#bytes += part.length
      return
    }
    const at = this.#reserve(part.length)
    const out = this.#slab
    out.set(part, at)
    const end = at + part.length
    if (masked) for (let i = at, k = phase; i < end; i++, k++) out[i] = (out[i] as number) ^ (key[k & 3] as number)
    this.#commit(end)
  }

  /** Makes room for `size` bytes at the end of the open piece, or of a new one. */
  #reserve(size: number): number {
    if (this.#slab === slab && this.#end === slabUsed && slabUsed + size <= SLAB_BYTES) return this.#end
    this.#closePiece()
    if (slabUsed + size > SLAB_BYTES) {
      slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
      slabUsed = 0
    }
    this.#slab = slab
    this.#start = this.#end = slabUsed
    return slabUsed
  }

  #commit(end: number): void {
    this.#bytes += end - this.#end
    this.#end = slabUsed = end
  }

  #closePiece(): void {
    if (this.#end > this.#start) this.#chunks.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}

function nextKey(): void {
  if (maskUsed === MASK_POOL_BYTES) {
    randomFillSync(maskPool)
    maskUsed = 0
  }
  for (let i = 0; i < 4; i++) key[i] = maskPool[maskUsed++] as number
}

/** A copy masked with the current key, word by word: the source may lie at any address, the copy is aligned. */
function maskedCopy(source: Buffer, phase: number): Buffer {
  const words = new Uint32Array((source.length + 3) >>> 2)
  const bytes = Buffer.from(words.buffer, 0, source.length)
  bytes.set(source)
  const turned = Uint8Array.from([0, 1, 2, 3], (i) => key[(phase + i) & 3] as number)
  const word = new Uint32Array(turned.buffer)[0] as number
  for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) ^ word
  return bytes
}
