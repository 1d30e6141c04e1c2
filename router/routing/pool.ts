import type { RegisteredSession } from './source.js'
import { type WaitingContext, WaitingQueue } from './waiting.js'

/** The sockets of one route in one domain, and the requests that wait for one of them. */
export class Pool {
  readonly route: string
  readonly domain: string
  readonly queue: WaitingQueue
  /** When the last socket left; undefined while there is one. */
  emptySince: number | undefined
  /** All sockets that have not ended. */
  readonly #members = new Set<RegisteredSession>()
  /** Those of them that may still be given a request, now or later. */
  readonly #candidates: RegisteredSession[] = []
  #next = 0
  #pumping = false

  constructor(route: string, domain: string, context: WaitingContext) {
    this.route = route
    this.domain = domain
    this.queue = new WaitingQueue(context)
  }

  get size(): number {
    return this.#members.size
  }

  get members(): Iterable<RegisteredSession> {
    return this.#members
  }

  add(registered: RegisteredSession): void {
    this.emptySince = undefined
    this.#members.add(registered)
    this.#candidates.push(registered)
    this.wake()
  }

  /** The socket has ended. */
  remove(registered: RegisteredSession): void {
    this.withdraw(registered)
    if (this.#members.delete(registered) && this.#members.size === 0) this.emptySince = this.queue.context.clock.now()
  }

  /** No new request for this socket; it still counts as present. */
  withdraw(registered: RegisteredSession): void {
    const at = this.#candidates.indexOf(registered)
    if (at === -1) return
    const last = this.#candidates.pop() as RegisteredSession
    if (last !== registered) this.#candidates[at] = last
  }

  /** A socket's load or state has changed. */
  changed(registered: RegisteredSession): void {
    if (!registered.session.accepting) this.withdraw(registered)
    else if (this.queue.size > 0) this.wake()
  }

  /**
   * Nobody overtakes those who wait. `not` has just refused: the reason is most often its connector's (a service out of
   * reach, a drain), and its other sockets would refuse too. They come last.
   */
  take(not: RegisteredSession | undefined): RegisteredSession | undefined {
    if (this.queue.size > 0) return undefined
    return (not === undefined ? undefined : this.#choose(not, not.connectorInstanceID)) ?? this.#choose(not)
  }

  /** Looks after those who wait, after the current call: a session is never re-entered from its own events. */
  wake(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => this.#pump())
  }

  #pump(): void {
    this.#pumping = false
    for (let first = this.queue.first; first !== undefined; first = this.queue.first) {
      const chosen = this.#choose(undefined)
      if (chosen === undefined) return
      first.succeed(chosen)
    }
  }

  /** The fewest requests in flight, whatever the version; the search starts behind the last choice, so ties rotate. */
  #choose(not: RegisteredSession | undefined, notOf?: string): RegisteredSession | undefined {
    const candidates = this.#candidates
    const length = candidates.length
    let best: RegisteredSession | undefined
    let bestLoad = Infinity
    let at = this.#next
    for (let seen = 0; seen < length; seen++, at++) {
      if (at >= length) at = 0
      const candidate = candidates[at] as RegisteredSession
      const { session } = candidate
      const load = session.load
      if (load >= bestLoad || load >= session.capacity || !session.accepting || candidate === not) continue
      if (notOf !== undefined && candidate.connectorInstanceID === notOf) continue
      best = candidate
      bestLoad = load
      this.#next = at + 1
      if (load === 0) break
    }
    return best
  }
}
