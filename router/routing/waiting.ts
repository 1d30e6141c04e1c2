import type { Clock, Timer } from '../../protocol/clock.js'
import { CrankerError } from '../../protocol/errors.js'
import type { Logger } from '../../protocol/logger.js'
import type { Need, RegisteredSession, SessionWaiter } from './source.js'

/** What all queues of a router share. */
export interface WaitingContext {
  readonly clock: Clock
  readonly log: Logger
  /** Requests waiting now, in all queues. */
  total: number
}

/** What a request needs of the socket that it waits for. */
export interface Wanted {
  readonly host: string
  readonly path: string
  readonly need: Need | undefined
}

/** A request that waits for a socket: in exactly one queue until it is settled. */
export class Waiting {
  readonly host: string
  readonly path: string
  queue: WaitingQueue
  /** Only a socket with this capability will do. */
  readonly need: Need | undefined
  readonly #waiter: SessionWaiter
  readonly #context: WaitingContext
  readonly #timer: Timer
  #settled = false

  constructor(wanted: Wanted, waiter: SessionWaiter, queue: WaitingQueue, ms: number) {
    this.host = wanted.host
    this.path = wanted.path
    this.need = wanted.need
    this.queue = queue
    this.#waiter = waiter
    this.#context = queue.context
    this.#context.total++
    this.#timer = this.#context.clock.timer(() => this.fail(noSocket(ms)), ms)
  }

  succeed(registered: RegisteredSession): void {
    if (!this.#settle()) return
    try {
      this.#waiter.onSession(registered)
    } catch (error) {
      this.#context.log.error({ err: error }, 'a waiting request threw when it was given a socket')
    }
  }

  fail(error: CrankerError): void {
    if (!this.#settle()) return
    try {
      this.#waiter.onFailed(error)
    } catch (thrown) {
      this.#context.log.error({ err: thrown }, 'a waiting request threw when it was refused')
    }
  }

  /** The client left: nobody is told anything. */
  cancel(): void {
    this.#settle()
  }

  #settle(): boolean {
    if (this.#settled) return false
    this.#settled = true
    this.#timer.clear()
    this.#context.total--
    this.queue.delete(this)
    return true
  }
}

/** First come, first served. */
export class WaitingQueue {
  readonly context: WaitingContext
  readonly #members = new Set<Waiting>()

  constructor(context: WaitingContext) {
    this.context = context
  }

  get size(): number {
    return this.#members.size
  }

  /** In the order in which they came; those that settle meanwhile are left out. */
  [Symbol.iterator](): Iterator<Waiting> {
    return this.#members.values()
  }

  add(wanted: Wanted, waiter: SessionWaiter, ms: number): Waiting {
    const waiting = new Waiting(wanted, waiter, this, ms)
    this.#members.add(waiting)
    return waiting
  }

  delete(waiting: Waiting): void {
    this.#members.delete(waiting)
  }

  /** Moves those that `choose` has another queue for, in order. */
  moveEach(choose: (waiting: Waiting) => WaitingQueue | undefined): void {
    for (const waiting of [...this.#members]) {
      const queue = choose(waiting)
      if (queue === undefined) continue
      this.#members.delete(waiting)
      queue.#members.add(waiting)
      waiting.queue = queue
    }
  }

  failAll(error: CrankerError): void {
    for (const waiting of [...this.#members]) waiting.fail(error)
  }
}

function noSocket(ms: number): CrankerError {
  return new CrankerError('CRANKER_ERR_NO_SOCKET', `No connector had room for this route within ${ms} ms.`, {
    delivered: 'no',
  })
}
