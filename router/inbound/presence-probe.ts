/** From the first to the second probe, ms; then twice as long each time… */
const FIRST_MS = 50
/** …up to this. */
const LONGEST_MS = 15_000

/**
 * Finds out whether a client that has ended its side of the connection is still there. A client that is gone answers
 * whatever is sent to it with a reset, but after the end of the stream nobody reads any more: only the next write that
 * fails shows it. So `send` is called now and then.
 */
export class PresenceProbe {
  readonly #send: () => void
  #ms = FIRST_MS
  #timer: NodeJS.Timeout

  constructor(send: () => void) {
    this.#send = send
    send()
    this.#timer = this.#later()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#ms = Math.min(2 * this.#ms, LONGEST_MS)
      this.#timer = this.#later()
      this.#send()
    }, this.#ms).unref()
  }
}
