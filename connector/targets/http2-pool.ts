import { ASSUMED_STREAMS } from './http2-limits.js'
import { Http2Connection, type Http2ConnectionOptions, type Http2ConnectionOwner } from './http2-connection.js'

export interface Http2PoolOptions extends Http2ConnectionOptions {
  readonly maxConnections: number
}

/** A request that needs a connection. Exactly one of these is called, unless it is cancelled. */
export interface Http2Waiter {
  onConnection(connection: Http2Connection): void
  onUnreachable(error: Error): void
}

/** The HTTP/2 connections to one target: as few as its limit of streams allows. */
export class Http2Pool implements Http2ConnectionOwner {
  readonly #options: Http2PoolOptions
  readonly #connections: Http2Connection[] = []
  #waiting: Http2Waiter[] = []
  #closed = false

  constructor(options: Http2PoolOptions) {
    this.#options = options
  }

  /** Finds a connection for `waiter`, now or when one is there. False: there are too many already, all in full use. */
  acquire(waiter: Http2Waiter): boolean {
    const free = this.#connections.find((connection) => connection.hasRoom)
    if (free !== undefined) {
      waiter.onConnection(free)
      return true
    }
    if (!this.#grow(this.#waiting.length + 1)) return false
    this.#waiting.push(waiter)
    return true
  }

  cancel(waiter: Http2Waiter): void {
    const at = this.#waiting.indexOf(waiter)
    if (at !== -1) this.#waiting.splice(at, 1)
  }

  /** Drops what is idle; what is running finishes. */
  close(): void {
    this.#closed = true
    for (const connection of [...this.#connections]) connection.leave()
  }

  onRoom(): void {
    while (this.#waiting.length > 0) {
      const free = this.#connections.find((connection) => connection.hasRoom)
      if (free === undefined) {
        this.#grow(this.#waiting.length)
        return
      }
      this.#waiting.shift()?.onConnection(free)
    }
  }

  onLeaving(connection: Http2Connection, error: Error): void {
    const at = this.#connections.indexOf(connection)
    if (at !== -1) this.#connections.splice(at, 1)
    if (this.#waiting.length === 0) return
    // One that was in use has only ended; one that never was tells that the target is not there.
    if (connection.ready && this.#grow(this.#waiting.length)) return
    if (this.#connections.length > 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const waiter of waiting) waiter.onUnreachable(error)
  }

  /** Opens another connection unless those being opened will do. False: no room can be expected. */
  #grow(waiting: number): boolean {
    let opening = 0
    for (const connection of this.#connections) if (!connection.ready) opening++
    if (waiting <= opening * ASSUMED_STREAMS) return true
    if (this.#closed || this.#connections.length >= this.#options.maxConnections) return opening > 0
    this.#connections.push(new Http2Connection(this.#options, this))
    return true
  }
}
