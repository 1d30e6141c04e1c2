import { CrankerError } from '../../protocol/errors.js'
import type { Need, RegisteredSession } from './source.js'
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
   * reach, a drain), and its other sockets would refuse too. They come last. `need`: only a socket with that capability.
   */
  take(not: RegisteredSession | undefined, need: Need | undefined): RegisteredSession | undefined {
    if (this.queue.size > 0) return undefined
    const other = not === undefined ? undefined : this.#choose(need, not, not.connectorInstanceID)
    return other ?? this.#choose(need, not)
  }

  /** Looks after those who wait, after the current call: a session is never re-entered from its own events. */
  wake(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => this.#pump())
  }

  #pump(): void {
    this.#pumping = false
    this.#failHopeless()
    // Whoever needs what no socket with room has does not hold up the others, but those who need the same.
    let stuck: readonly Need[] = []
    for (const waiting of this.queue) {
      const { need } = waiting
      if (need !== undefined && stuck.includes(need)) continue
      const chosen = this.#choose(need)
      if (chosen !== undefined) waiting.succeed(chosen)
      else if (need === undefined) return
      else stuck = [...stuck, need]
    }
  }

  /** There are sockets, and none has what these need: waiting would not help. */
  #failHopeless(): void {
    if (this.#members.size === 0) return
    for (const waiting of this.queue) {
      const { need } = waiting
      if (need !== undefined && !this.#has(need)) waiting.fail(unmet(need))
    }
  }

  #has(need: Need): boolean {
    for (const { session } of this.#members) if (session.capabilities[need]) return true
    return false
  }

  /** The fewest requests in flight, whatever the version; the search starts behind the last choice, so ties rotate. */
  #choose(need: Need | undefined, not?: RegisteredSession, notOf?: string): RegisteredSession | undefined {
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
      if (need !== undefined && !session.capabilities[need]) continue
      best = candidate
      bestLoad = load
      this.#next = at + 1
      if (load === 0) break
    }
    return best
  }
}

function unmet(need: Need): CrankerError {
  switch (need) {
    case 'upgrade':
      return new CrankerError('CRANKER_ERR_NO_UPGRADE', 'No connector of this route carries WebSockets.', {
        delivered: 'no',
      })
    case 'trailers':
      return new CrankerError('CRANKER_ERR_NO_TRAILERS', 'No connector of this route carries trailers.', {
        delivered: 'no',
      })
  }
}
