/**
 * What a tunnel session needs of a WebSocket (RFC 6455), and nothing else. `ws` lives in ws-link.ts only; tests use an
 * in-memory pair.
 *
 * Messages sent within one turn of the event loop are batched and handed to the operating system together.
 */
export interface Link {
  /** Whoever runs the session sets this before the first message can arrive. */
  handler: LinkHandler
  /** Sends one binary message: a copy of `head` followed by one of `payload`. */
  sendBinary(head: Buffer, payload?: Buffer): void
  /** Sends one text message. */
  sendText(text: string): void
  /** `payload` is at most 125 bytes. */
  ping(payload?: Buffer): void
  /** An unsolicited pong (RFC 6455 §5.5.3); answers to pings are sent by the link itself. */
  pong(payload?: Buffer): void
  /** Asks for one `handler.onTurn()` at the end of this turn of the event loop, before the batch is written. */
  requestTurn(): void
  /** Bytes accepted but not yet taken by the operating system. */
  readonly queued: number
  /** Stops reading. While paused no ping is answered and no death is noticed: see liveness.ts. */
  pause(): void
  resume(): void
  readonly paused: boolean
  /** Sends a Close frame after everything queued. The TCP connection is ended within `LINK_CLOSE_TIMEOUT_MS`. */
  close(code: number, reason: string): void
  /** Cuts the connection at once. */
  terminate(): void
  /** False from the moment when a Close frame was sent or received, or the connection was lost. */
  readonly open: boolean
  readonly remoteAddress: string
  readonly remotePort: number
}

/** Calls never throw into the link: a throwing handler is a bug, and costs this one link. */
export interface LinkHandler {
  onText(text: string): void
  /** `data` may be a view on a larger read buffer: copy small pieces before keeping them. */
  onBinary(data: Buffer): void
  /** Any ping; it has been answered already. */
  onPing(payload: Buffer): void
  onPong(payload: Buffer): void
  /** Asked for with `requestTurn()`. */
  onTurn(): void
  /** The operating system has taken a batch: there is room again, if there was none. Called often. */
  onDrain(): void
  /** The peer's Close frame: no more messages will come. The link answers it itself. 1005 = no code was given. */
  onCloseFrame(code: number, reason: string): void
  /**
   * The connection is gone; exactly once, and the last call. 1006 = lost without a Close frame. `error` says why
   * when something failed.
   */
  onClosed(code: number, reason: string, error: Error | undefined): void
}
