import type { Clock, Timer } from '../protocol/clock.js'
import { CrankerError } from '../protocol/errors.js'
import type { Logger } from '../protocol/logger.js'
import { Roster } from '../protocol/roster.js'
import { writeAccess } from './access.js'
import { ForwardingFields, type ForwardingOptions } from './forwarded.js'
import type { InboundRequest } from './inbound/inbound.js'
import type { AccessEntry } from './options.js'
import { ProxiedRequest } from './proxied-request.js'
import type { ProxyContext } from './proxy-context.js'
import type { SessionSource } from './routing/source.js'

export interface ProxyOptions extends ForwardingOptions {
  /** ms without a byte after which an exchange is ended. */
  readonly idleTimeout: number
  /** The same for upgraded connections; 0: they may be silent for ever. */
  readonly upgradeIdleTimeout: number
  /** WebSockets are carried. */
  readonly webSockets: boolean
  readonly accessLog: ((entry: AccessEntry) => void) | undefined
}

export interface ProxyDeps {
  readonly source: SessionSource
  readonly options: ProxyOptions
  readonly clock: Clock
  readonly log: Logger
}

/** The shortest idle timeout in steps: an exchange is ended at most one step late. */
const IDLE_STEPS = 16

/** Clients' requests on their way through tunnels: one {@link ProxiedRequest} each, whatever the HTTP version. */
export class Proxy {
  readonly #context: ProxyContext
  readonly #webSockets: boolean
  readonly #running = new Roster<ProxiedRequest>()
  /** One timer for all exchanges: activity costs them no more than noting the step. */
  readonly #timer: Timer
  #ticking = false

  constructor({ source, options, clock, log }: ProxyDeps) {
    const { idleTimeout, upgradeIdleTimeout } = options
    const shortest = upgradeIdleTimeout === 0 ? idleTimeout : Math.min(idleTimeout, upgradeIdleTimeout)
    const step = Math.max(1, Math.ceil(shortest / IDLE_STEPS))
    this.#webSockets = options.webSockets
    this.#context = {
      source,
      clock,
      log,
      forwarding: new ForwardingFields(options),
      accessLog: options.accessLog,
      step: 0,
      idleSteps: Math.ceil(idleTimeout / step),
      upgradeIdleSteps: upgradeIdleTimeout === 0 ? Infinity : Math.ceil(upgradeIdleTimeout / step),
      onDone: (request) => this.#running.delete(request),
    }
    this.#timer = clock.timer(() => this.#tick(), step)
    this.#timer.clear()
  }

  /** Requests that wait or run now. */
  get running(): number {
    return this.#running.size
  }

  handle(inbound: InboundRequest): void {
    if (inbound.upgrade && !this.#webSockets) {
      const error = noWebSockets()
      const status = inbound.abort(error)
      if (status !== undefined) this.refused(inbound, error, status)
      return
    }
    const request = new ProxiedRequest(this.#context, inbound)
    this.#running.add(request)
    if (!this.#ticking) {
      this.#ticking = true
      this.#timer.refresh()
    }
    request.begin()
  }

  /** A request that the inbound side has answered itself: only the access log wants to know. */
  refused(inbound: InboundRequest, error: CrankerError, status: number): void {
    const { accessLog, log } = this.#context
    if (accessLog === undefined) return
    writeAccess(accessLog, log, {
      inbound,
      status,
      bytesIn: 0,
      bytesOut: 0,
      duration: 0,
      registered: undefined,
      error,
    })
  }

  /** Ends everything that is still running, WebSockets with a Close frame: the time for draining is over. */
  abortAll(error: CrankerError): void {
    this.#running.forEach((request) => request.leave(error))
  }

  /** Stops the timer; call it when nothing runs any more. */
  close(): void {
    this.#timer.clear()
  }

  #tick(): void {
    this.#context.step++
    this.#running.forEach((request) => request.checkIdle())
    this.#ticking = this.#running.size > 0
    if (this.#ticking) this.#timer.refresh()
  }
}

function noWebSockets(): CrankerError {
  return new CrankerError('CRANKER_ERR_NOT_IMPLEMENTED', 'WebSocket requests are not carried.', {
    initiator: 'caller',
    delivered: 'no',
  })
}
