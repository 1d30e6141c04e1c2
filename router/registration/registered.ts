import type { RouterSession, SessionEnd, SessionEvents } from '../../protocol/session.js'
import type { Pool } from '../routing/pool.js'
import type { RegisteredSession } from '../routing/source.js'

/** What a connector says about itself in its handshake, and what we see of it. */
export interface Registrant {
  readonly route: string
  readonly domain: string
  readonly connectorInstanceID: string
  /** The connector named itself; otherwise the id was made from its address, and nobody can deregister by it. */
  readonly named: boolean
  readonly componentName: string
  /** Who it is to us: its remote address, as long as there are no credentials. */
  readonly identity: string
  readonly remoteAddress: string
  readonly remotePort: number
}

/** A tunnel socket with who registered it; it hears its session's events and tells the pool and the registrar. */
export class Registered implements RegisteredSession, SessionEvents {
  readonly route: string
  readonly domain: string
  readonly connectorInstanceID: string
  readonly componentName: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly socketID: string
  readonly registrant: Registrant
  readonly #onEnd: (registered: Registered, end: SessionEnd) => void
  readonly #onGoaway: (registered: Registered, reason: string) => void
  #session: RouterSession | undefined
  #pool: Pool | undefined
  #ended = false

  constructor(
    registrant: Registrant,
    socketID: string,
    events: {
      readonly onEnd: (registered: Registered, end: SessionEnd) => void
      readonly onGoaway: (registered: Registered, reason: string) => void
    },
  ) {
    this.registrant = registrant
    this.route = registrant.route
    this.domain = registrant.domain
    this.connectorInstanceID = registrant.connectorInstanceID
    this.componentName = registrant.componentName
    this.remoteAddress = registrant.remoteAddress
    this.remotePort = registrant.remotePort
    this.socketID = socketID
    this.#onEnd = events.onEnd
    this.#onGoaway = events.onGoaway
  }

  get session(): RouterSession {
    if (this.#session === undefined) throw new TypeError('session not attached yet')
    return this.#session
  }

  get pool(): Pool | undefined {
    return this.#pool
  }

  /** True once the session is over. */
  get ended(): boolean {
    return this.#ended
  }

  attach(session: RouterSession): void {
    this.#session = session
  }

  /** From here on the session may be given requests. */
  join(pool: Pool): void {
    this.#pool = pool
  }

  onChange(): void {
    this.#pool?.changed(this)
  }

  onGoaway(reason: string): void {
    this.#pool?.withdraw(this)
    this.#onGoaway(this, reason)
  }

  onEnd(end: SessionEnd): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd(this, end)
  }
}
