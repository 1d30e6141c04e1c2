/** One tunnel socket: from its dial, through its session, until its connection is gone. */
import type { Clock } from '../protocol/clock.js'
import { CrankerError } from '../protocol/errors.js'
import type { RequestHead } from '../protocol/head.js'
import type {
  BodyHandler,
  ConnectorSession,
  ConnectorSessionEvents,
  ResponseExchange,
  SessionEnd,
} from '../protocol/session.js'
import { AnsweringExchange } from './answering-exchange.js'
import type { Dialing, DialResult, RegistrationFailure } from './dialer.js'
import type { Target } from './targets/target.js'

/** A connection that lived this long, or that carried a request, has proved itself. ms. */
export const PROOF_MS = 5_000

/** Who keeps the sockets. */
export interface TunnelOwner {
  onOpen(tunnel: Tunnel): void
  onFailed(tunnel: Tunnel, failure: RegistrationFailure): void
  /** A request has used the socket up. */
  onTaken(tunnel: Tunnel): void
  /** The socket takes no new request any more, for another reason; what runs on it goes on. */
  onRetired(tunnel: Tunnel): void
  onGoaway(tunnel: Tunnel, reason: string, retryAfterMs: number): void
  /** The session is over. `waiting`: until then the socket had counted for the window. */
  onEnd(tunnel: Tunnel, end: SessionEnd, waiting: boolean): void
  /** The connection is gone too: nothing of this socket is left. */
  onGone(tunnel: Tunnel): void
}

export interface TunnelDeps {
  readonly clock: Clock
  readonly target: Target
}

export class Tunnel implements ConnectorSessionEvents {
  /**
   *     waiting ──▶ spent ──▶ over
   *        └──────────────────▲
   *
   * `waiting`: counts for the window: being opened, or takes requests. `spent`: takes no new ones. `over`: has no
   * session any more.
   */
  #state: 'waiting' | 'spent' | 'over' = 'waiting'
  #session: ConnectorSession | undefined
  readonly #owner: TunnelOwner
  readonly #deps: TunnelDeps
  #openedAt = 0
  #requests = 0
  #dialing: Dialing | undefined
  #retiring = false
  /** This side is leaving and the router has been told: what still arrives may be sent elsewhere. */
  #refusing = false

  constructor(owner: TunnelOwner, deps: TunnelDeps) {
    this.#owner = owner
    this.#deps = deps
  }

  /** Undefined until the router has accepted. */
  get session(): ConnectorSession | undefined {
    return this.#session
  }

  get over(): boolean {
    return this.#state === 'over'
  }

  /** The router has not answered yet. */
  get dialing(): boolean {
    return this.#session === undefined && this.#state !== 'over'
  }

  /** True if a request could use this socket now. */
  get ready(): boolean {
    const session = this.#session
    return this.#state === 'waiting' && session !== undefined && session.accepting && session.load < session.capacity
  }

  get proven(): boolean {
    return this.#requests > 0 || this.age >= PROOF_MS
  }

  /** ms since the router accepted. */
  get age(): number {
    return this.#session === undefined ? 0 : this.#deps.clock.now() - this.#openedAt
  }

  /** Requests that came over this socket. */
  get requests(): number {
    return this.#requests
  }

  open(dial: (result: DialResult) => Dialing): void {
    this.#dialing = dial({
      onSession: (create) => {
        this.#openedAt = this.#deps.clock.now()
        this.#session = create(this)
        this.#owner.onOpen(this)
      },
      onFailed: (failure) => {
        this.#state = 'over'
        this.#owner.onFailed(this, failure)
      },
      onGone: () => this.#owner.onGone(this),
    })
  }

  /** Gives up a dial that has not led to anything yet; true if there was one. */
  abandon(): boolean {
    if (!this.dialing) return false
    this.#state = 'over'
    this.#dialing?.cancel()
    return true
  }

  /**
   * Takes an idle socket out of the window and closes it, if that can cost no request: one that is on its way already
   * is said not to have been served, and the router gives it to another socket. True if it was done.
   */
  dismiss(): boolean {
    const session = this.#session
    if (session === undefined || !this.ready || session.load > 0) return false
    if (!session.capabilities.refuse && !session.capabilities.goaway) return false
    this.#state = 'spent'
    session.drain('not needed')
    return true
  }

  /**
   * Lets what runs finish and closes then. The router has confirmed the deregistration by now, but over a connection
   * of its own: what it had sent over this one before may still be on its way. The pong of a ping comes after all of
   * that. Draining without it would refuse those requests, and not every router can send them elsewhere.
   */
  leave(reason: string): void {
    const session = this.#session
    if (session === undefined || this.over) return
    this.#state = 'spent'
    session.barrier(() => {
      this.#refusing = true
      if (!this.over) session.drain(reason)
    })
  }

  onRequest(head: RequestHead, end: boolean, exchange: ResponseExchange): BodyHandler | undefined {
    this.#requests++
    const refuses = this.#session?.capabilities.refuse === true
    if (this.#refusing && refuses) {
      exchange.reset(new CrankerError('CRANKER_ERR_REFUSED', 'draining', { delivered: 'no' }))
      return undefined
    }
    return this.#deps.target.request(head, end, refuses ? exchange : new AnsweringExchange(exchange))
  }

  onChange(): void {
    const session = this.#session
    if (session === undefined || session.accepting || this.#state !== 'waiting') return
    // Room for one, and it was taken: single use.
    if (session.capacity === 1 && (this.#requests === 1 || session.load > 0)) {
      this.#state = 'spent'
      this.#owner.onTaken(this)
    } else if (!this.#retiring) {
      // Not at once: a goaway or the session's end, which say why, may follow in this very turn.
      this.#retiring = true
      queueMicrotask(() => this.#retired())
    }
  }

  onGoaway(reason: string, retryAfterMs: number): void {
    this.#owner.onGoaway(this, reason, retryAfterMs)
  }

  onEnd(end: SessionEnd): void {
    const waiting = this.#state === 'waiting'
    this.#state = 'over'
    this.#owner.onEnd(this, end, waiting)
  }

  #retired(): void {
    if (this.#state !== 'waiting') return
    this.#state = 'spent'
    this.#owner.onRetired(this)
  }
}
