/**
 * The byte stream to a target: a TCP or TLS connection, or a pair of ends inside this process. Everything above it
 * speaks HTTP/1.1 without knowing which.
 */
export interface Wire {
  /** A string is latin1. False: wait for `onDrain`; what was given is accepted all the same. */
  write(data: string | Buffer): boolean
  /** We send nothing more; what comes is still read. */
  end(): void
  /** What is written until the end of this turn of the event loop is sent together. */
  corkTurn(): void
  /** No more `onData` until `resume()`. */
  pause(): void
  resume(): void
  /** Cuts the connection at once. `onClose` still follows. */
  destroy(): void
  /** The same, so that the target sees a reset where it can: the end alone would mean that we have finished. */
  reset(): void
}

export interface WireHandler {
  onConnect(): void
  /** The bytes are borrowed: they change when the call has returned. */
  onData(chunk: Buffer): void
  onDrain(): void
  /** The target has said that it sends nothing more. Not called after a reset. */
  onEnd(): void
  /** The wire is gone; exactly once, and the last call. */
  onClose(error: Error | undefined): void
}

/**
 * Opens a wire. Nothing is called before it returns. `onConnect` or `onClose` follows.
 */
export type Dial = (handler: WireHandler) => Wire
