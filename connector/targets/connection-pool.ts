import type { Clock, Timer } from '../../protocol/clock.js'
import { Connection, type ConnectionOwner } from './connection.js'
import type { Dial } from './wire.js'

export interface PoolOptions {
  readonly dial: Dial
  readonly clock: Clock
  readonly maxConnections: number
  readonly maxHeadBytes: number
}

/** An idle connection is kept this long when the target does not say how long it keeps it. */
const KEEP_IDLE_MS = 4_000
/** At most this long, whatever the target says. */
const MAX_KEEP_IDLE_MS = 60_000
/** This much less than the target says, so that it is not closed there while a request is on its way. */
const KEEP_ALIVE_MARGIN_MS = 1_000
const SWEEP_MS = 500

/** The connections to one target. */
export class ConnectionPool implements ConnectionOwner {
  readonly #options: PoolOptions
  readonly #all = new Set<Connection>()
  /** The latest is used first, so that those not needed grow old. */
  readonly #idle: Connection[] = []
  readonly #sweep: Timer
  #sweeping = false
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
    this.#sweep = options.clock.timer(() => {
      this.#dropExpired()
    }, SWEEP_MS)
    this.#sweep.clear()
  }

  /** An idle connection, or a new one; always a new one if `fresh`. Undefined if there are too many already. */
  acquire(fresh: boolean): Connection | undefined {
    const now = this.#options.clock.now()
    let idle = fresh ? undefined : this.#idle.pop()
    while (idle !== undefined) {
      if (idle.expiresAt > now) return idle
      idle.abort()
      idle = this.#idle.pop()
    }
    if (this.#all.size >= this.#options.maxConnections) {
      // An idle one makes room for the fresh one.
      const oldest = this.#idle[0]
      if (oldest === undefined) return undefined
      oldest.abort()
    }
    const connection = new Connection(this.#options.dial, this.#options.maxHeadBytes, this)
    this.#all.add(connection)
    return connection
  }

  onIdle(connection: Connection): void {
    const hint = connection.parser.keepAliveHint
    const keep = hint === undefined ? KEEP_IDLE_MS : Math.min(hint * 1000 - KEEP_ALIVE_MARGIN_MS, MAX_KEEP_IDLE_MS)
    if (this.#closed || keep <= 0) {
      connection.abort()
      return
    }
    connection.expiresAt = this.#options.clock.now() + keep
    this.#idle.push(connection)
    if (this.#sweeping) return
    this.#sweeping = true
    this.#sweep.refresh()
  }

  onGone(connection: Connection): void {
    this.#all.delete(connection)
    const index = this.#idle.indexOf(connection)
    if (index !== -1) this.#idle.splice(index, 1)
  }

  /** Drops what is idle; what is running ends with its request. */
  close(): void {
    this.#closed = true
    this.#sweep.clear()
    for (const connection of [...this.#idle]) connection.abort()
  }

  #dropExpired(): void {
    const now = this.#options.clock.now()
    for (const connection of [...this.#idle]) {
      if (connection.expiresAt <= now) connection.abort()
    }
    this.#sweeping = this.#idle.length > 0
    if (this.#sweeping) this.#sweep.refresh()
  }
}
