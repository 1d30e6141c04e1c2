import type { Clock, Timer } from '../../protocol/clock.js'
import { CrankerError } from '../../protocol/errors.js'
import type { Logger } from '../../protocol/logger.js'
import type { ResolvedRouterOptions } from '../options.js'
import { Domains } from './domains.js'
import { Pool } from './pool.js'
import type { Need, RegisteredSession, SessionSource, SessionWaiter } from './source.js'
import { type WaitingContext, WaitingQueue } from './waiting.js'

export type RegistryOptions = Pick<
  ResolvedRouterOptions,
  'connectorWait' | 'maxWaiting' | 'maxWaitingPerRoute' | 'routeKeepTime' | 'startGrace' | 'maxRoutes'
>

/** How often routes that nobody asks for any more are looked for, ms. */
const TIDY_INTERVAL_MS = 5_000

/**
 * Which sockets serve which host and path.
 *
 * A route belongs to the pool of the longest prefix in the exact domain (its catch-all included), else to that in
 * any domain. A pool whose last socket left keeps its place for `routeKeepTime`: requests for it wait and then get
 * 503. They never fall through to a shorter prefix, to a catch-all or to another domain meanwhile, because that would
 * hand the requests of a service that restarts to a service that does not know them.
 */
export class Registry implements SessionSource {
  readonly #options: RegistryOptions
  readonly #clock: Clock
  readonly #domains: Domains
  readonly #context: WaitingContext
  /** Requests for unknown routes, soon after the start. */
  readonly #lobby: WaitingQueue
  readonly #started: number
  readonly #tidy: Timer
  #tidying = false
  #draining = false

  constructor(options: RegistryOptions, deps: { readonly clock: Clock; readonly log: Logger }) {
    this.#options = options
    this.#clock = deps.clock
    this.#context = { clock: deps.clock, log: deps.log, total: 0 }
    this.#domains = new Domains(options, deps.clock)
    this.#lobby = new WaitingQueue(this.#context)
    this.#started = deps.clock.now()
    this.#tidy = deps.clock.timer(() => this.#onTidy(), TIDY_INTERVAL_MS)
    this.#tidy.clear()
  }

  /** Requests that wait for a socket now. */
  get waiting(): number {
    return this.#context.total
  }

  /** Routes with at least one socket, over all domains. */
  get presentRoutes(): number {
    let count = 0
    for (const pool of this.#domains.pools()) if (pool.size > 0) count++
    return count
  }

  /** All sockets that have not ended. */
  *sessions(): Generator<RegisteredSession> {
    for (const pool of this.#domains.pools()) yield* pool.members
  }

  /** Whether a socket for this route could be added: see `maxRoutes`. */
  hasRoomFor(route: string, domain: string): boolean {
    return this.#domains.get(route, domain) !== undefined || this.#domains.makeRoom()
  }

  /** Gives the socket to its route. The pool wants to hear of its changes. */
  add(registered: RegisteredSession): Pool {
    const { route, domain } = registered
    let pool = this.#domains.get(route, domain)
    if (pool === undefined) {
      pool = new Pool(route, domain, this.#context)
      this.#domains.add(pool)
    }
    pool.add(registered)
    if (this.#lobby.size > 0) this.#emptyLobby()
    return pool
  }

  /** The socket has ended. */
  remove(registered: RegisteredSession, pool: Pool): void {
    pool.remove(registered)
    if (pool.size === 0) this.#tidyLater()
  }

  take(host: string, path: string, not?: RegisteredSession, need?: Need): RegisteredSession | undefined {
    return this.#domains.find(host, path)?.take(not, need)
  }

  wait(host: string, path: string, waiter: SessionWaiter, need?: Need): () => void {
    const pool = this.#domains.find(host, path)
    const refusal = this.#refusal(pool)
    if (refusal !== undefined) return this.#failSoon(waiter, refusal)
    const ms = this.#options.connectorWait
    const waiting = (pool?.queue ?? this.#lobby).add({ host, path, need }, waiter, ms)
    pool?.wake()
    return () => waiting.cancel()
  }

  /** No request may begin to wait any more; those that wait already may still be served. */
  drain(): void {
    this.#draining = true
  }

  /** Whoever still waits is told. */
  close(): void {
    this.#draining = true
    this.#tidy.clear()
    this.#lobby.failAll(draining())
    for (const pool of this.#domains.pools()) pool.queue.failAll(draining())
  }

  #refusal(pool: Pool | undefined): CrankerError | undefined {
    const { maxWaiting, maxWaitingPerRoute, startGrace } = this.#options
    if (this.#draining) return draining()
    if (pool === undefined && this.#clock.now() - this.#started >= startGrace) {
      return new CrankerError('CRANKER_ERR_NO_ROUTE', 'No connector has registered a route for this path.', {
        initiator: 'caller',
        delivered: 'no',
      })
    }
    // Requests for unknown routes may not take all places from those for known ones.
    const own = pool === undefined ? this.#lobby.size >= maxWaiting / 2 : pool.queue.size >= maxWaitingPerRoute
    if (!own && this.#context.total < maxWaiting) return undefined
    return new CrankerError('CRANKER_ERR_BUSY', 'Too many requests are waiting for a connector.', { delivered: 'no' })
  }

  #failSoon(waiter: SessionWaiter, error: CrankerError): () => void {
    let cancelled = false
    queueMicrotask(() => {
      if (cancelled) return
      try {
        waiter.onFailed(error)
      } catch (thrown) {
        this.#context.log.error({ err: thrown }, 'a waiting request threw when it was refused')
      }
    })
    return () => (cancelled = true)
  }

  /** A new route may be what some of the early requests wait for. */
  #emptyLobby(): void {
    this.#lobby.moveEach((waiting) => {
      const pool = this.#domains.find(waiting.host, waiting.path)
      pool?.wake()
      return pool?.queue
    })
  }

  #tidyLater(): void {
    if (this.#tidying || this.#draining) return
    this.#tidying = true
    this.#tidy.refresh()
  }

  #onTidy(): void {
    this.#tidying = false
    if (this.#domains.tidy()) this.#tidyLater()
  }
}

function draining(): CrankerError {
  return new CrankerError('CRANKER_ERR_DRAINING', 'This router is shutting down.', { delivered: 'no' })
}
