/** A connector: start and stop; routers come and go. */
import type { EventEmitter } from 'node:events'
import { type Clock, systemClock } from '../protocol/clock.js'
import { CrankerError } from '../protocol/errors.js'
import { dial } from '../protocol/ws-dial.js'
import { Dialer, type DialerDeps, type RegistrationFailure } from './dialer.js'
import { Discovery, type Endpoint, type Lookup, systemLookup } from './discovery.js'
import { type ConnectorEventMap, SafeEmitter } from './events.js'
import {
  type ConnectorOptions,
  type ResolvedConnectorOptions,
  type ResolvedRoute,
  resolveConnectorOptions,
} from './options.js'
import { type Loss, Registration, type RegistrationEvents } from './registration.js'
import { routerName } from './router-url.js'
import { type ConnectorStatus, infoOf, statusOf } from './status.js'
import { createTarget } from './targets/index.js'
import type { Target } from './targets/target.js'
import type { ProtocolVersion } from '../protocol/session.js'

/** Offers services inside to routers outside, until it is closed. */
export interface Connector extends EventEmitter<ConnectorEventMap>, AsyncDisposable {
  /** As routers know it; the same for all routes. */
  readonly instanceId: string
  /**
   * Resolves once every route has been registered with at least one router; rejects with CRANKER_ERR_CLOSED if the
   * connector is closed before. Need not be handled.
   */
  readonly registered: Promise<void>
  status(): ConnectorStatus
  /**
   * Deregisters everywhere, lets running requests finish for `drainTimeout`, and closes every socket. Resolves when
   * all connections are gone, so that the process may exit. Never rejects; every call gets the same promise.
   */
  close(): Promise<void>
}

/** Effects, handed in by tests. */
export interface ConnectorDeps {
  readonly clock: Clock
  readonly random: () => number
  readonly lookup: Lookup
  readonly dial: DialerDeps['dial']
}

export const systemDeps: ConnectorDeps = { clock: systemClock, random: Math.random, lookup: systemLookup, dial }

/** Node's timers take at most this; the interval only keeps the process alive. */
const LONG_MS = 2 ** 31 - 1

export class CrankerConnector extends SafeEmitter implements Connector {
  readonly registered: Promise<void>
  readonly #options: ResolvedConnectorOptions
  readonly #deps: ConnectorDeps
  readonly #dialer: Dialer
  readonly #discovery: Discovery
  /** Routes that name the same target, and speak the same with it, share it and its limit of connections. */
  readonly #targets = new Map<ResolvedRoute, Target>()
  readonly #registrations = new Map<Endpoint, readonly Registration[]>()
  /** Of addresses that are gone: they still finish what runs. */
  readonly #departing = new Map<Registration, Promise<number>>()
  readonly #events: RegistrationEvents
  /** Not registered anywhere yet. */
  readonly #unregistered: Set<ResolvedRoute>
  /** While every router is away no socket is open, and that must not end the process. */
  readonly #keepAlive: NodeJS.Timeout
  #settle!: { resolve(): void; reject(error: CrankerError): void }
  #closing: Promise<void> | undefined
  #closed = false

  /** @throws CrankerError CRANKER_ERR_OPTION if a target is none. */
  constructor(options: ResolvedConnectorOptions, deps: ConnectorDeps) {
    super(options.logger)
    this.#options = options
    this.#deps = deps
    const { clock, random, lookup } = deps
    const log = options.logger
    for (const route of options.routes) {
      const { target, targetProtocol } = route
      const twin = options.routes.find((one) => one.target === target && one.targetProtocol === targetProtocol)
      const made = twin === undefined ? undefined : this.#targets.get(twin)
      this.#targets.set(route, made ?? createTarget(target, { ...options, targetProtocol }, { clock, log }))
    }
    this.#dialer = new Dialer(options, { dial: deps.dial, clock, log })
    this.#unregistered = new Set(options.routes)
    this.registered = new Promise((resolve, reject) => (this.#settle = { resolve, reject }))
    // Whoever does not look at it must not be ended by its rejection.
    this.registered.catch(() => {})
    this.#events = {
      onRegistered: (registration, version) => this.#onRegistered(registration, version),
      onLost: (registration, loss) => this.#onLost(registration, loss),
      onRetrying: (registration, failure, attempt, retryIn) => {
        this.#onRetrying(registration, failure, attempt, retryIn)
      },
    }
    const { routers, discoveryInterval: interval, backoffBase } = options
    this.#discovery = new Discovery(
      { routers, interval, backoffBase, random, clock, lookup },
      {
        onAdded: (endpoint) => this.#onAdded(endpoint),
        onGone: (endpoint) => this.#onGone(endpoint),
        onLookupFailed: (router, err, retryIn) => {
          log.warn({ router: routerName(router), err, retryIn }, 'cannot resolve the name of the router')
        },
      },
    )
    this.#keepAlive = setInterval(() => {}, LONG_MS)
  }

  get instanceId(): string {
    return this.#options.instanceId
  }

  start(): void {
    this.#discovery.start()
  }

  status(): ConnectorStatus {
    const registrations = [...this.#registrations.values()].flat()
    return {
      instanceId: this.#options.instanceId,
      componentName: this.#options.componentName,
      state: this.#closed ? 'closed' : this.#closing === undefined ? 'running' : 'draining',
      registrations: [...registrations, ...this.#departing.keys()].map(statusOf),
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const log = this.#options.logger
    log.info({ instanceId: this.instanceId }, 'the connector is stopping')
    this.#discovery.stop()
    this.#settle.reject(new CrankerError('CRANKER_ERR_CLOSED', 'the connector was closed', { initiator: 'caller' }))
    for (const registrations of this.#registrations.values()) for (const one of registrations) this.#depart(one)
    this.#registrations.clear()
    const cuts = await Promise.all(this.#departing.values())
    for (const target of new Set(this.#targets.values())) {
      await target.close().catch((err: unknown) => log.warn({ err }, 'a target did not close'))
    }
    clearInterval(this.#keepAlive)
    this.#closed = true
    const cut = cuts.reduce((sum, one) => sum + one, 0)
    log.info({ instanceId: this.instanceId, cut }, 'the connector has stopped')
    this.emit('drained', { cut })
  }

  #onAdded(endpoint: Endpoint): void {
    const { router, address } = endpoint
    const info = { router: routerName(router), address }
    this.#options.logger.debug(info, 'registering at a router address')
    const deps = { ...this.#deps, options: this.#options, dialer: this.#dialer }
    const registrations = this.#options.routes.map((route) => {
      const target = this.#targets.get(route) as Target
      return new Registration(endpoint, route, { ...deps, target }, this.#events)
    })
    this.#registrations.set(endpoint, registrations)
    this.emit('discovered', info)
    // The same instance is still leaving there: its deregistration would take the new sockets along.
    void Promise.all(this.#departingFrom(endpoint)).then(() => {
      for (const registration of registrations) registration.start()
    })
  }

  #departingFrom({ router, address }: Endpoint): Promise<number>[] {
    const left: Promise<number>[] = []
    for (const [{ endpoint }, leaving] of this.#departing) {
      if (endpoint.router.href === router.href && endpoint.address === address) left.push(leaving)
    }
    return left
  }

  #onGone(endpoint: Endpoint): void {
    const info = { router: routerName(endpoint.router), address: endpoint.address }
    this.#options.logger.info(info, 'a router address is gone; deregistering there')
    for (const registration of this.#registrations.get(endpoint) ?? []) this.#depart(registration)
    this.#registrations.delete(endpoint)
    this.emit('gone', info)
  }

  #depart(registration: Registration): void {
    const left = registration.leave(this.#options.drainTimeout)
    this.#departing.set(registration, left)
    void left.then(() => this.#departing.delete(registration))
  }

  #onRegistered(registration: Registration, version: ProtocolVersion): void {
    const event = { ...infoOf(registration), version }
    this.#options.logger.info(event, 'registered')
    this.#unregistered.delete(registration.route)
    if (this.#unregistered.size === 0) this.#settle.resolve()
    this.emit('registered', event)
  }

  #onLost(registration: Registration, loss: Loss): void {
    const event = { ...infoOf(registration), ...loss }
    this.#options.logger.warn(event, 'lost the router')
    this.emit('lost', event)
  }

  #onRetrying(registration: Registration, failure: RegistrationFailure, attempt: number, retryIn: number): void {
    const info = infoOf(registration)
    const { error, status } = failure
    // One address of a router may be out of reach for good: say so ever more rarely.
    const level = Number.isInteger(Math.log2(attempt)) ? 'warn' : 'debug'
    this.#options.logger[level]({ ...info, status, attempt, retryIn, code: error.code }, error.message)
    if (status !== undefined) this.emit('refused', { ...info, status, error })
    this.emit('retrying', { ...info, retryIn, attempt, error })
  }
}

/**
 * Starts a connector. Resolves as soon as the options are valid and its targets are prepared; registration goes on in
 * the background and for ever, so that routers may come later: `connector.registered` and the events tell.
 *
 * @throws CrankerError CRANKER_ERR_OPTION, as a rejection, when an option cannot be used.
 */
export async function createConnector(options: ConnectorOptions): Promise<Connector> {
  const connector = new CrankerConnector(resolveConnectorOptions(options), systemDeps)
  // Later, so that whoever awaits this hears the first events too.
  setImmediate(() => connector.start())
  return Promise.resolve(connector)
}
