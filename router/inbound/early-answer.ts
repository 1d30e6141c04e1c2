/**
 * A response that was complete before its request: closing at once would make the kernel answer the rest of the
 * upload with a reset, and the client would lose the response it has not read yet. So the rest is read and thrown
 * away, but only so much of it, and for so long.
 */
import type { Socket } from 'node:net'
import type { ClientMessage } from './client-message.js'

/** Read at most this much of a body that nobody wants. */
export const LINGER_BYTES = 256 * 1024
/** For at most this long after the response was handed over. */
export const LINGER_MS = 1_000

export class Lingering {
  readonly #socket: Socket
  readonly #request: ClientMessage
  #bytes = 0
  #closing = false
  #timer: NodeJS.Timeout | undefined

  /** Begins to discard. node's own way to close after the last response is delayed until this is over. */
  constructor(socket: Socket, request: ClientMessage) {
    this.#socket = socket
    this.#request = request
    socket.destroySoon = () => {
      this.#closing = true
      socket.end()
    }
    request.removeAllListeners('data')
    request.removeAllListeners('end')
    request.on('data', (chunk: Buffer) => this.#discard(chunk.length))
    request.on('end', () => this.#complete())
    request.resume()
  }

  /** The client has not sent everything yet. */
  get active(): boolean {
    return !this.#request.complete
  }

  /** The response is handed over whole: the time runs. */
  responseFinished(): void {
    if (this.#request.complete) return
    if (this.#bytes > LINGER_BYTES) this.#socket.destroy()
    else this.#timer = setTimeout(() => this.#socket.destroy(), LINGER_MS)
  }

  /** The connection is gone. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #discard(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes <= LINGER_BYTES) return
    if (this.#timer === undefined) this.#request.pause()
    else this.#socket.destroy()
  }

  /** The client has sent everything: the connection may close properly, or go on. */
  #complete(): void {
    clearTimeout(this.#timer)
    // The prototype's own method shows again.
    delete (this.#socket as Partial<Socket>).destroySoon
    if (this.#closing) this.#socket.destroySoon()
  }
}
