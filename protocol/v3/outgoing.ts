import { KiB, V3_FRAME_HEADER_BYTES, V3_MAX_DATA_BYTES, V3_STREAM_QUEUE_BYTES } from '../limits.js'
import { ByteQueue } from './byte-queue.js'
import { SendCredit } from './flow.js'
import { dataHead } from './frame.js'

/** `push` said false: at this many queued bytes there is room again. */
const ROOM_BYTES = V3_STREAM_QUEUE_BYTES / 4
/** A stream with no more than this to send does not wait behind bulk. */
const SMALL_BYTES = 4 * KiB

const NO_FRAMES: readonly Buffer[] = []

/** Where frames go: the scheduler, which counts them and hands them to the link. */
export interface FrameSink {
  frame(head: Buffer, payload?: Buffer): void
}

/** What a stream is told about its sending half, from within the scheduler's turn. */
export interface OutgoingOwner {
  /** `push` had said false; there is room again. */
  onRoom(): void
  /** The last frame of this half has been handed over. */
  onSent(): void
}

/** The sending half of one stream: heads, body, end; as much of it at a time as its turn and its credit allow. */
export class Outgoing {
  /** The scheduler's: neighbours in the ring, and which ring. */
  next: Outgoing | undefined
  previous: Outgoing | undefined
  ring: 'none' | 'urgent' | 'bulk' = 'none'

  readonly id: number
  readonly credit = new SendCredit()
  readonly #owner: OutgoingOwner
  readonly #body = new ByteQueue()
  #heads: readonly Buffer[] = NO_FRAMES
  #trailers: readonly Buffer[] = NO_FRAMES
  #ending = false
  #endsWithHead = false
  #finished = false
  #headSent = false
  #full = false

  constructor(id: number, owner: OutgoingOwner) {
    this.id = id
    this.#owner = owner
  }

  /** True once the first head has been handed over: before that the peer knows nothing of what we say here. */
  get headSent(): boolean {
    return this.#headSent
  }

  /** True when the last frame has been handed over, or all was given up. */
  get finished(): boolean {
    return this.#finished
  }

  get queued(): number {
    return this.#body.bytes
  }

  /** Something could be handed over now. */
  get ready(): boolean {
    if (this.#finished) return false
    if (this.#heads.length > 0) return true
    return this.#body.bytes > 0 ? this.credit.open : this.#ending
  }

  /** Heads, a first small piece and the end go before bulk. */
  get urgent(): boolean {
    return this.#heads.length > 0 || this.#body.bytes <= SMALL_BYTES
  }

  /** Whole HEADER frames; `end`: nothing follows. */
  pushHead(frames: readonly Buffer[], end: boolean): void {
    this.#heads = this.#heads.length === 0 ? frames : [...this.#heads, ...frames]
    // END_STREAM is on the last of these frames: there is no more to say.
    if (end) this.#ending = true
    this.#endsWithHead = end
  }

  /** Bytes that are borrowed must be kept before they change. */
  push(piece: Buffer): void {
    if (piece.length > 0) this.#body.push(piece)
  }

  /** What stays queued for longer than this is copied, compactly. */
  keep(): void {
    this.#body.keep()
  }

  /** False: the queue is full, `onRoom` will follow. */
  hasRoom(): boolean {
    if (this.#body.bytes < V3_STREAM_QUEUE_BYTES) return true
    this.#full = true
    return false
  }

  /** The end, behind everything pushed; `trailers` are whole HEADER frames of which the last has END_STREAM. */
  finish(trailers: readonly Buffer[] = NO_FRAMES): void {
    this.#ending = true
    this.#trailers = trailers
  }

  /** Gives up what is queued; nothing more will be sent. */
  abandon(): void {
    this.#heads = NO_FRAMES
    this.#trailers = NO_FRAMES
    this.#body.clear()
    this.#finished = true
    this.#full = false
  }

  /** Hands over at most one turn; an urgent one is heads and what is small. */
  turn(sink: FrameSink, urgent: boolean): void {
    if (this.#heads.length > 0) {
      this.#sendHeads(sink)
      if (this.#finished) return
    }
    let left = urgent && this.#body.bytes > SMALL_BYTES ? 0 : V3_MAX_DATA_BYTES
    while (this.#body.bytes > 0 && left > 0 && this.credit.open) {
      const payload = this.#body.take(left)
      left -= payload.length
      const last = this.#ending && this.#body.bytes === 0 && this.#trailers.length === 0
      this.credit.sent(payload.length)
      sink.frame(dataHead(this.id, last), payload)
      if (last) return this.#done()
    }
    if (this.#ending && this.#body.bytes === 0) return this.#sendEnd(sink)
    if (this.#full && this.#body.bytes <= ROOM_BYTES) {
      this.#full = false
      this.#owner.onRoom()
    }
  }

  #sendHeads(sink: FrameSink): void {
    const frames = this.#heads
    this.#heads = NO_FRAMES
    this.#headSent = true
    this.#sendFrames(frames, sink)
    if (this.#endsWithHead) this.#done()
  }

  #sendEnd(sink: FrameSink): void {
    if (this.#trailers.length > 0) this.#sendFrames(this.#trailers, sink)
    else sink.frame(dataHead(this.id, true))
    this.#done()
  }

  #sendFrames(frames: readonly Buffer[], sink: FrameSink): void {
    for (const frame of frames) {
      this.credit.sent(frame.length - V3_FRAME_HEADER_BYTES)
      sink.frame(frame)
    }
  }

  #done(): void {
    this.#finished = true
    this.#full = false
    this.#owner.onSent()
  }
}
