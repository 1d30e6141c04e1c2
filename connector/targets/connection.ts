import type { Replay } from './replay.js'
import { ResponseParser } from './response-parser.js'
import type { Dial, Wire, WireHandler } from './wire.js'

/** What a connection tells the pool that it belongs to. */
export interface ConnectionOwner {
  /** It has served a request and may serve another. */
  onIdle(connection: Connection): void
  /** It will serve no request any more. */
  onGone(connection: Connection): void
}

/** One HTTP/1.1 connection to the target: one request at a time, kept alive in between. */
export class Connection implements WireHandler {
  readonly wire: Wire
  readonly parser: ResponseParser
  /** When the pool drops it, on the pool's clock. */
  expiresAt = 0
  readonly #owner: ConnectionOwner
  #replay: Replay | undefined
  #connected = false
  #reused = false
  #over = false
  #paused = false
  #detached = false

  constructor(dial: Dial, maxHeadBytes: number, owner: ConnectionOwner) {
    this.#owner = owner
    this.parser = new ResponseParser(maxHeadBytes)
    this.wire = dial(this)
  }

  /** True if a request went over it before: it may be dead already without our knowing. */
  get reused(): boolean {
    return this.#reused
  }

  get connected(): boolean {
    return this.#connected
  }

  /** Gives it a request; `replay.onReady()` is called now, or when the connection is there. */
  assign(replay: Replay): void {
    this.#replay = replay
    if (this.#connected) replay.onReady()
  }

  pause(): void {
    this.#paused = true
    this.wire.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.wire.resume()
  }

  /**
   * The target has switched protocols: it belongs to its request from here on, and not to the pool. Each side ends by
   * itself; the request aborts it when both have.
   */
  detach(): void {
    this.#detached = true
    this.#owner.onGone(this)
  }

  /** Cuts it; its request, if any, hears nothing more. */
  abort(): void {
    this.#replay = undefined
    this.parser.abandon()
    this.#retire()
  }

  /** The same, and the target sees that it was cut. */
  reset(): void {
    if (!this.#over) this.wire.reset()
    this.abort()
  }

  onConnect(): void {
    this.#connected = true
    this.#replay?.onReady()
  }

  onData(chunk: Buffer): void {
    // Nobody asked (a 408 before an idle close, or an attempt to be taken for the next response).
    const replay = this.#replay
    if (replay === undefined) {
      this.#retire()
      return
    }
    replay.idleTicks = 0
    const complaint = this.parser.push(chunk)
    if (complaint !== undefined) replay.onBadResponse(complaint)
    else if (this.parser.complete) this.#onResponseComplete()
  }

  onDrain(): void {
    this.#replay?.onWireDrain()
  }

  onEnd(): void {
    const replay = this.#replay
    const complete = this.parser.end()
    if (this.#detached) return
    this.#replay = undefined
    this.#retire()
    if (!complete) replay?.onLost(new Error('the target closed the connection'))
  }

  onClose(error: Error | undefined): void {
    const replay = this.#replay
    this.#replay = undefined
    this.#retire()
    replay?.onLost(error ?? new Error('the connection was closed'))
  }

  #onResponseComplete(): void {
    const replay = this.#replay
    this.#replay = undefined
    // A connection with half of a request in it, or with bytes after the response, is of no more use.
    if (this.#over || replay === undefined || !replay.requestSent || !this.parser.keepAlive) {
      this.#retire()
      return
    }
    this.#reused = true
    this.resume()
    this.#owner.onIdle(this)
  }

  #retire(): void {
    if (this.#over) return
    this.#over = true
    this.#owner.onGone(this)
    this.wire.destroy()
  }
}
