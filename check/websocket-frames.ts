/**
 * WebSocket frames (RFC 6455 §5.2) as bytes, without any of the care that a library takes: the kit must be able to send
 * what no library would, and to see what a library hides (fragments, masks, oversized control frames).
 */

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** RFC 6455 §5.5: the most that a control frame may carry. */
export const MAX_CONTROL_BYTES = 125

export interface WireFrame {
  readonly fin: boolean
  /** The three reserved bits, 0 without an extension. */
  readonly reserved: number
  readonly opcode: number
  readonly masked: boolean
  /** Unmasked. */
  readonly payload: Buffer
}

export interface FrameOptions {
  /** Default true. */
  readonly fin?: boolean
  /** Clients mask (RFC 6455 §5.3). */
  readonly mask?: Buffer
}

/** The bytes of one frame. */
export function encodeWireFrame(opcode: number, payload: Buffer, options: FrameOptions = {}): Buffer {
  const { fin = true, mask } = options
  const first = (fin ? 0x80 : 0) | opcode
  const masked = mask === undefined ? 0 : 0x80
  let head: Buffer
  if (payload.length <= 125) head = Buffer.from([first, masked | payload.length])
  else if (payload.length <= 0xffff) {
    head = Buffer.from([first, masked | 126, 0, 0])
    head.writeUInt16BE(payload.length, 2)
  } else {
    head = Buffer.alloc(10)
    head[0] = first
    head[1] = masked | 127
    head.writeBigUInt64BE(BigInt(payload.length), 2)
  }
  return mask === undefined ? Buffer.concat([head, payload]) : Buffer.concat([head, mask, unmasked(payload, mask)])
}

/** Cuts a byte stream into frames. */
export class WireFrameReader {
  #bytes: Buffer = Buffer.alloc(0)
  readonly #maxPayload: number

  /** `maxPayload`: what no peer sends, and nobody should have to hold. */
  constructor(maxPayload: number) {
    this.#maxPayload = maxPayload
  }

  /** @throws RangeError when a frame exceeds the limit */
  push(chunk: Buffer): WireFrame[] {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    const frames: WireFrame[] = []
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame)
    return frames
  }

  #next(): WireFrame | undefined {
    const bytes = this.#bytes
    if (bytes.length < 2) return undefined
    const first = bytes.readUInt8(0)
    const second = bytes.readUInt8(1)
    const masked = (second & 0x80) !== 0
    let length = second & 0x7f
    let at = 2
    if (length === 126) {
      if (bytes.length < 4) return undefined
      length = bytes.readUInt16BE(2)
      at = 4
    } else if (length === 127) {
      if (bytes.length < 10) return undefined
      length = Number(bytes.readBigUInt64BE(2))
      at = 10
    }
    if (length > this.#maxPayload) throw new RangeError(`a WebSocket frame of ${String(length)} bytes`)
    const payloadAt = masked ? at + 4 : at
    if (bytes.length < payloadAt + length) return undefined
    const raw = bytes.subarray(payloadAt, payloadAt + length)
    this.#bytes = bytes.subarray(payloadAt + length)
    return {
      fin: (first & 0x80) !== 0,
      reserved: (first >> 4) & 7,
      opcode: first & 0x0f,
      masked,
      // A copy: what is kept must not pin the read buffer.
      payload: masked ? unmasked(raw, bytes.subarray(at, payloadAt)) : Buffer.from(raw),
    }
  }
}

function unmasked(payload: Buffer, mask: Buffer): Buffer {
  const result = Buffer.allocUnsafe(payload.length)
  for (let i = 0; i < payload.length; i++) result[i] = payload.readUInt8(i) ^ mask.readUInt8(i & 3)
  return result
}
