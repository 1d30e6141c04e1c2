import { v4 as uuid } from 'uuid'
import type { Clock } from '../../protocol/clock.js'
import type { CrankerError } from '../../protocol/errors.js'
import type { Link } from '../../protocol/link.js'
import type { Logger } from '../../protocol/logger.js'
import type { Capabilities, ProtocolVersion, SessionEnd } from '../../protocol/session.js'
import { createRouterSession } from '../../protocol/sessions.js'
import { traced } from '../../protocol/traced-link.js'
import type { DeregistrationInfo } from '../events.js'
import type { ResolvedRouterOptions } from '../options.js'
import type { Registry } from '../routing/registry.js'
import type { Refusal } from './refusal.js'
import { Registered, type Registrant } from './registered.js'

export type RegistrarOptions = Pick<
  ResolvedRouterOptions,
  'maxStreams' | 'maxHeadSize' | 'pingInterval' | 'deadAfter' | 'maxSocketsPerIdentity' | 'traceFrames'
>

/** Calls must not throw. */
export interface RegistrarEvents {
  onRegistered(registered: Registered): void
  onLost(registered: Registered, end: SessionEnd): void
  onDeregistered(leaving: DeregistrationInfo): void
}

/** Retry-After of refusals that will not last, seconds. */
const RETRY_AFTER_S = 5

/** Who is registered: makes sessions of links and keeps them in the registry until they end. */
export class Registrar {
  readonly #registry: Registry
  readonly #options: RegistrarOptions
  readonly #clock: Clock
  readonly #log: Logger
  readonly #events: RegistrarEvents
  readonly #sockets = new Set<Registered>()
  readonly #perIdentity = new Map<string, number>()
  /** By instance id; only connectors that named themselves. */
  readonly #instances = new Map<string, Set<Registered>>()
  #onEmpty: (() => void) | undefined

  constructor(deps: {
    readonly registry: Registry
    readonly options: RegistrarOptions
    readonly clock: Clock
    readonly log: Logger
    readonly events: RegistrarEvents
  }) {
    this.#registry = deps.registry
    this.#options = deps.options
    this.#clock = deps.clock
    this.#log = deps.log
    this.#events = deps.events
  }

  /** Tunnel sockets open now. */
  get size(): number {
    return this.#sockets.size
  }

  /** Whether this registrant may have one more socket for its route. Decided before the handshake is answered. */
  refusal(registrant: Registrant): Refusal | undefined {
    const { maxSocketsPerIdentity } = this.#options
    if ((this.#perIdentity.get(registrant.identity) ?? 0) >= maxSocketsPerIdentity) {
      const message = `This connector has ${maxSocketsPerIdentity} sockets already, the most that one may have here.`
      return { status: 503, code: 'CRANKER_ERR_BUSY', message, retryAfter: RETRY_AFTER_S }
    }
    if (!this.#registry.hasRoomFor(registrant.route, registrant.domain)) {
      const message = 'This router knows as many routes as it may.'
      return { status: 503, code: 'CRANKER_ERR_BUSY', message, retryAfter: RETRY_AFTER_S }
    }
    return undefined
  }

  register(registrant: Registrant, link: Link, version: ProtocolVersion, capabilities: Capabilities): void {
    const registered = new Registered(registrant, uuid(), {
      onEnd: (each, end) => this.#onEnd(each, end),
      onGoaway: (each, reason) => this.#log.debug({ ...describe(each), reason }, 'connector drains a socket'),
    })
    const { maxStreams, maxHeadSize, pingInterval, deadAfter, traceFrames: tracer } = this.#options
    const { socketID } = registered
    const session = createRouterSession(
      version,
      {
        link: traced(link, { tracer, version, socketID, side: 'router' }),
        clock: this.#clock,
        log: this.#log,
        capabilities,
        maxStreams,
        maxHeadBytes: maxHeadSize,
        pingInterval,
        deadAfter,
      },
      registered,
    )
    registered.attach(session)
    if (registered.ended) return
    this.#sockets.add(registered)
    this.#perIdentity.set(registrant.identity, (this.#perIdentity.get(registrant.identity) ?? 0) + 1)
    if (registrant.named) this.#instance(registrant.connectorInstanceID).add(registered)
    registered.join(this.#registry.add(registered))
    this.#log.debug({ ...describe(registered), version }, 'socket registered')
    this.#events.onRegistered(registered)
  }

  /**
   * A connector leaves: no new request for its sockets of this route, in any domain. Idle ones are closed at once,
   * others when they are done.
   */
  deregister(connectorInstanceID: string, route: string): void {
    const leaving = [...(this.#instances.get(connectorInstanceID) ?? [])].filter((each) => each.route === route)
    for (const registered of leaving) {
      registered.pool?.withdraw(registered)
      registered.session.drain('Going away')
    }
    this.#log.info({ connectorInstanceID, route, sockets: leaving.length }, 'connector deregistered')
    this.#events.onDeregistered({ connectorInstanceID, route, sockets: leaving.length })
  }

  /**
   * Closes every socket with 1001, whatever runs on it, and resolves when all are gone: after `limit` ms at the
   * latest, when the rest is cut. Connectors that understand it stay away for `retryAfterMs`.
   */
  close(retryAfterMs: number, limit: number): Promise<void> {
    if (this.#sockets.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#clock.timer(() => {
        for (const registered of [...this.#sockets]) registered.session.terminate()
        resolve()
      }, limit)
      this.#onEmpty = () => {
        timer.clear()
        resolve()
      }
      for (const registered of [...this.#sockets]) {
        registered.pool?.withdraw(registered)
        registered.session.drain('draining', retryAfterMs)
        if (registered.session.load > 0) registered.session.close(1001, 'Going away')
      }
    })
  }

  #instance(id: string): Set<Registered> {
    let sockets = this.#instances.get(id)
    if (sockets === undefined) this.#instances.set(id, (sockets = new Set()))
    return sockets
  }

  #onEnd(registered: Registered, end: SessionEnd): void {
    // It ended before it had been added.
    if (!this.#sockets.delete(registered)) return
    const { identity, connectorInstanceID } = registered.registrant
    const count = (this.#perIdentity.get(identity) ?? 1) - 1
    if (count === 0) this.#perIdentity.delete(identity)
    else this.#perIdentity.set(identity, count)
    const siblings = this.#instances.get(connectorInstanceID)
    siblings?.delete(registered)
    if (siblings?.size === 0) this.#instances.delete(connectorInstanceID)
    if (registered.pool !== undefined) this.#registry.remove(registered, registered.pool)
    const { code, reason, clean, error } = end
    const fields = { ...describe(registered), code, reason, error: error?.code }
    if (clean) this.#log.debug(fields, 'socket closed')
    else this.#log.warn({ ...fields, why: cause(error) }, 'socket lost')
    this.#events.onLost(registered, end)
    if (this.#sockets.size === 0) this.#onEmpty?.()
  }
}

function describe(registered: Registered): object {
  const { route, domain, connectorInstanceID, componentName, remoteAddress, socketID } = registered
  return { route, domain, connectorInstanceID, componentName, remoteAddress, socketID }
}

/** What broke a socket, in words: 1006 alone does not say that crank4py's pings exceed what RFC 6455 §5.5 allows. */
function cause(error: CrankerError | undefined): string | undefined {
  return error?.cause instanceof Error ? error.cause.message : error?.message
}
