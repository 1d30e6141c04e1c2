/** One route at one router address: keeps the sliding window full, reconnects, and leaves in an orderly way. */
import type { Clock, Timer } from '../protocol/clock.js'
import type { CrankerError } from '../protocol/errors.js'
import type { ProtocolVersion, SessionEnd } from '../protocol/session.js'
import { Backoff } from './backoff.js'
import type { Dialer, Dialing, RegistrationFailure } from './dialer.js'
import { depart, type Departing } from './departure.js'
import type { Endpoint } from './discovery.js'
import { Hold } from './hold.js'
import type { ResolvedConnectorOptions, ResolvedRoute } from './options.js'
import { boundedRetryAfter } from './retry-after.js'
import type { Target } from './targets/target.js'
import { Tunnel, type TunnelOwner } from './tunnel.js'
import { SlidingWindow, WINDOW_REVIEW_MS } from './window.js'

/** A share of every Retry-After that is added at random: all connectors of a router are told the same. */
const RETRY_AFTER_JITTER = 0.25

/**
 *     connecting ──▶ registered ──▶ leaving ──▶ left
 *         ▲  │           │
 *         │  ▼           │
 *        waiting ◀───────┘
 *
 * `waiting`: no socket is open, and the next attempt is not due yet.
 */
export type RegistrationState = 'connecting' | 'waiting' | 'registered' | 'leaving' | 'left'

/** Why the last socket of a registration is gone. */
export interface Loss {
  readonly code: number
  readonly reason: string
  readonly retryIn: number
}

export interface RegistrationEvents {
  onRegistered(registration: Registration, version: ProtocolVersion): void
  onLost(registration: Registration, loss: Loss): void
  /** An attempt failed; `attempt` counts failures in a row. */
  onRetrying(registration: Registration, failure: RegistrationFailure, attempt: number, retryIn: number): void
}

export interface RegistrationDeps {
  readonly options: ResolvedConnectorOptions
  readonly dialer: Pick<Dialer, 'register' | 'deregister'>
  readonly target: Target
  readonly clock: Clock
  /** In [0, 1), as `Math.random`. */
  readonly random: () => number
}

export class Registration implements TunnelOwner, Departing {
  readonly endpoint: Endpoint
  readonly route: ResolvedRoute
  /** Why the latest attempt failed; undefined since one has succeeded. */
  lastError: CrankerError | undefined
  readonly #deps: RegistrationDeps
  readonly #events: RegistrationEvents
  readonly #window: SlidingWindow
  readonly #backoff: Backoff
  /** Every socket whose connection is not gone, and those being opened. */
  readonly #tunnels = new Set<Tunnel>()
  /** Those that count for the window. */
  readonly #waiting = new Set<Tunnel>()
  /** Sessions that are not over. */
  #open = 0
  #registered = false
  readonly #hold: Hold
  #review: Timer | undefined
  /** A surplus socket that is being closed. */
  #dismissed: Tunnel | undefined
  #settled: (() => void) | undefined
  #emptied: (() => void) | undefined
  #leaving = false
  #departure: Promise<number> | undefined
  #left = false

  constructor(endpoint: Endpoint, route: ResolvedRoute, deps: RegistrationDeps, events: RegistrationEvents) {
    this.endpoint = endpoint
    this.route = route
    this.#deps = deps
    this.#events = events
    const { window, maxWindow, backoffBase, backoffMax } = deps.options
    this.#window = new SlidingWindow(window, maxWindow)
    this.#hold = new Hold(deps.clock, () => {
      this.#fill()
    })
    this.#backoff = new Backoff({ base: backoffBase, max: backoffMax, random: deps.random })
  }

  get state(): RegistrationState {
    if (this.#left) return 'left'
    if (this.#leaving) return 'leaving'
    if (this.#registered) return 'registered'
    return this.#hold.active ? 'waiting' : 'connecting'
  }

  get tunnels(): ReadonlySet<Tunnel> {
    return this.#tunnels
  }

  /** Sockets to keep ready now. */
  get window(): number {
    return this.#window.size
  }

  /** ms until the next attempt; undefined when none is being waited for. */
  get retryIn(): number | undefined {
    return this.#hold.active ? this.#hold.remaining : undefined
  }

  start(): void {
    this.#fill()
  }

  /**
   * Deregisters, lets running requests finish for `timeout` ms, closes everything. Resolves when all connections are
   * gone, with the number of requests that had to be cut. Never rejects; a second call gets the same promise.
   */
  leave(timeout: number): Promise<number> {
    this.#departure ??= this.#leave(timeout)
    return this.#departure
  }

  async #leave(timeout: number): Promise<number> {
    this.#leaving = true
    this.#hold.clear()
    this.#review?.clear()
    const cut = await depart(this, this.#deps.clock, timeout)
    this.#left = true
    return cut
  }

  whenSettled(done: () => void): void {
    this.#settled = done
    this.#tellSettled()
  }

  whenEmpty(done: () => void): void {
    this.#emptied = done
    if (this.#tunnels.size === 0) done()
  }

  abandon(): void {
    for (const tunnel of this.#waiting) if (tunnel.abandon()) this.#remove(tunnel)
  }

  deregister(done: () => void): Dialing {
    return this.#deps.dialer.deregister(this.endpoint, this.route, done)
  }

  onOpen(tunnel: Tunnel): void {
    this.#open++
    this.lastError = undefined
    this.#tellSettled()
    if (!this.#registered && !this.#leaving) {
      this.#registered = true
      if (tunnel.session !== undefined) this.#events.onRegistered(this, tunnel.session.version)
    }
    this.#fill()
  }

  onFailed(tunnel: Tunnel, failure: RegistrationFailure): void {
    this.#remove(tunnel)
    this.#tellSettled()
    if (this.#leaving) return
    this.lastError = failure.error
    // Of several attempts that fail together, one speaks for all.
    const told = !this.#hold.active
    this.#retreat(failure.retryAfterMs)
    if (told) this.#events.onRetrying(this, failure, this.#backoff.failures, this.#hold.remaining)
    this.#checkLost(1006, failure.error.message)
  }

  onTaken(tunnel: Tunnel): void {
    this.#waiting.delete(tunnel)
    if (this.#leaving) return
    this.#backoff.reset()
    this.#window.taken(this.#ready())
    this.#scheduleReview()
    this.#fill()
  }

  onRetired(tunnel: Tunnel): void {
    this.#waiting.delete(tunnel)
    if (this.#leaving) return
    if (tunnel.proven) this.#fill()
    else this.#retreat(0)
  }

  onGoaway(_tunnel: Tunnel, _reason: string, retryAfterMs: number): void {
    if (!this.#leaving && retryAfterMs > 0) this.#hold.extend(this.#jittered(retryAfterMs))
  }

  onEnd(tunnel: Tunnel, end: SessionEnd, waiting: boolean): void {
    this.#open--
    this.#waiting.delete(tunnel)
    if (tunnel === this.#dismissed) this.#dismissed = undefined
    if (this.#leaving) return
    this.#shrink()
    if (tunnel.proven) this.#backoff.reset()
    if (waiting) {
      // A router that accepts and closes at once must not be met in a tight loop, however cleanly it closes.
      if (end.clean && tunnel.proven) this.#fill()
      else this.#retreat(0)
    }
    if (waiting || this.#hold.active) this.#checkLost(end.code, end.reason)
  }

  onGone(tunnel: Tunnel): void {
    this.#tunnels.delete(tunnel)
    if (this.#tunnels.size === 0) this.#emptied?.()
  }

  #fill(): void {
    if (this.#hold.active || this.#leaving) return
    // After a failure one attempt finds out for all whether the router is back.
    const size = this.#backoff.failures > 0 && this.#open === 0 ? 1 : this.#window.size
    while (this.#waiting.size < size) this.#dial()
  }

  #dial(): void {
    const { dialer, target, clock } = this.#deps
    const tunnel = new Tunnel(this, { target, clock })
    this.#tunnels.add(tunnel)
    this.#waiting.add(tunnel)
    tunnel.open((result) => dialer.register(this.endpoint, this.route, result))
  }

  #remove(tunnel: Tunnel): void {
    this.#waiting.delete(tunnel)
    this.#tunnels.delete(tunnel)
  }

  #tellSettled(): void {
    if (this.#settled === undefined) return
    for (const tunnel of this.#waiting) if (tunnel.dialing) return
    this.#settled()
  }

  #ready(): number {
    let ready = 0
    for (const tunnel of this.#waiting) if (tunnel.ready) ready++
    return ready
  }

  /** After a failure: no attempt before the backoff, and what the router asked for, are over. */
  #retreat(retryAfterMs: number): void {
    if (!this.#hold.active) this.#hold.extend(Math.max(this.#backoff.next(), this.#jittered(retryAfterMs)))
    else if (retryAfterMs > 0) this.#hold.extend(this.#jittered(retryAfterMs))
  }

  #jittered(retryAfterMs: number): number {
    return boundedRetryAfter(retryAfterMs) * (1 + RETRY_AFTER_JITTER * this.#deps.random())
  }

  #checkLost(code: number, reason: string): void {
    if (!this.#registered || this.#open > 0) return
    this.#registered = false
    this.#window.reset()
    this.#events.onLost(this, { code, reason, retryIn: this.#hold.remaining })
  }

  #scheduleReview(): void {
    if (this.#review !== undefined || !this.#window.grown) return
    this.#review = this.#deps.clock.timer(() => {
      this.#review = undefined
      if (this.#window.review(this.#ready())) this.#shrink()
      this.#scheduleReview()
    }, WINDOW_REVIEW_MS)
  }

  /**
   * Closes surplus sockets where that is safe; elsewhere the surplus goes by not being replaced. One after the other: a
   * request that crosses a Close frame is given to another socket, which must not be closing too.
   */
  #shrink(): void {
    if (this.#dismissed !== undefined || this.#waiting.size <= this.#window.size) return
    for (const tunnel of this.#waiting) {
      this.#dismissed = tunnel
      if (tunnel.dismiss()) {
        this.#waiting.delete(tunnel)
        return
      }
      this.#dismissed = undefined
    }
  }
}
