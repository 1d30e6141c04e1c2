import type { Clock, Timer } from '../../protocol/clock.js'
import { CrankerError } from '../../protocol/errors.js'
import type { Logger } from '../../protocol/logger.js'
import type { RegisteredSession, SessionWaiter } from './source.js'

/** What all queues of a router share. */
export interface WaitingContext {
  readonly clock: Clock
  readonly log: Logger
  /** Requests waiting now, in all queues. */
  total: number
}

/** A request that waits for a socket: in exactly one queue until it is settled. */
export class Waiting {
  readonly host: string
  readonly path: string
  queue: WaitingQueue
  readonly #waiter: SessionWaiter
  readonly #context: WaitingContext
  readonly #timer: Timer
  #settled = false

  constructor(host: string, path: string, waiter: SessionWaiter, queue: WaitingQueue, ms: number) {
    this.host = host
    this.path = path
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

  get first(): Waiting | undefined {
    for (const waiting of this.#members) return waiting
    return undefined
  }

  add(host: string, path: string, waiter: SessionWaiter, ms: number): Waiting {
    const waiting = new Waiting(host, path, waiter, this, ms)
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
