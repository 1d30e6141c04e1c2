import { CrankerError } from '../errors.js'
import { COPY_BELOW_BYTES, MAX_HEAD_PARTS, V3_MAX_HEADER_PART_BYTES } from '../limits.js'
import { codePointEnd, FLAG_END_HEADERS, FLAG_END_STREAM, headerFrame, headerFrameOfText } from './frame.js'

/**
 * The HEADER frames of one head. It is split between code points, because cranker-connector and mu-cranker-router decode each part by itself.
 * END_STREAM goes on the last part only: mu-cranker-router and scr-axum-cranker-router finish at once when they see it earlier.
 */
export function encodeHeadBlock(id: number, text: string, end: boolean): Buffer[] {
  const last = end ? FLAG_END_HEADERS | FLAG_END_STREAM : FLAG_END_HEADERS
  const length = Buffer.byteLength(text)
  if (length <= V3_MAX_HEADER_PART_BYTES) return [headerFrameOfText(id, last, text, length)]
  const bytes = Buffer.from(text, 'utf8')
  const frames: Buffer[] = []
  for (let start = 0; start < bytes.length;) {
    const stop = codePointEnd(bytes, start + V3_MAX_HEADER_PART_BYTES)
    frames.push(headerFrame(id, stop === bytes.length ? last : 0, bytes, start, stop))
    start = stop
  }
  return frames
}

/**
 * Joins the parts of a head. Bytes are joined before they are decoded, so that a peer may split anywhere. What a peer
 * can make us keep is capped in bytes and in parts.
 */
export class HeadJoiner {
  readonly #maxBytes: number
  #parts: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** True while a head has begun but not ended. */
  get partial(): boolean {
    return this.#parts.length > 0
  }

  /**
   * Takes a part; returns the text of the head when `last`.
   * @throws CrankerError CRANKER_ERR_HEAD_TOO_LARGE
   */
  add(part: Buffer, last: boolean): string | undefined {
    if (this.#bytes + part.length > this.#maxBytes || this.#parts.length >= MAX_HEAD_PARTS) {
      this.#reset()
      throw new CrankerError(
        'CRANKER_ERR_HEAD_TOO_LARGE',
        `The peer sent a message head of more than ${this.#maxBytes} bytes or ${MAX_HEAD_PARTS} parts; raise the largest head size if it is legitimate`,
        { initiator: 'peer' },
      )
    }
    if (last && this.#parts.length === 0) return part.toString('utf8')
    this.#parts.push(!last && part.length < COPY_BELOW_BYTES ? Buffer.from(part) : part)
    this.#bytes += part.length
    if (!last) return undefined
    const text = Buffer.concat(this.#parts, this.#bytes).toString('utf8')
    this.#reset()
    return text
  }

  #reset(): void {
    this.#parts = []
    this.#bytes = 0
  }
}
