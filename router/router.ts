import type { EventEmitter } from 'node:events'
import { systemClock } from '../protocol/clock.js'
import { CrankerError } from '../protocol/errors.js'
import { LINK_CLOSE_TIMEOUT_MS } from '../protocol/limits.js'
import { registrationsStatus, type RegistrationsStatus } from './admin/registrations.js'
import { AdminServer, type HealthStatus } from './admin/server.js'
import { lossInfo, type RouterEvents, SafeEmitter, socketInfo } from './events.js'
import { createPublicServer, type PublicServer } from './inbound/public-server.js'
import { endpoint, type Endpoint } from './listen.js'
import { type ResolvedRouterOptions, resolveRouterOptions, type RouterOptions } from './options.js'
import { Proxy } from './proxy.js'
import { Registrar } from './registration/registrar.js'
import { RegistrationServer } from './registration/server.js'
import { Registry } from './routing/registry.js'
import { CertificateWatch } from './tls/certificate-watch.js'
import { Certificates } from './tls/certificates.js'

/** The ports of a router, as they were really opened. */
export interface RouterAddress {
  readonly public: Endpoint
  /** Its `url` is what connectors dial. */
  readonly registration: Endpoint
  /** Undefined unless `adminPort` was given. */
  readonly admin: Endpoint | undefined
}

export type RouterState = 'running' | 'draining' | 'closed'

/** A running router; see {@link createRouter}. */
export interface Router extends EventEmitter<RouterEvents>, AsyncDisposable {
  readonly address: RouterAddress
  readonly state: RouterState
  /** Client requests running now. */
  readonly running: number
  /** Who is registered now, by route. */
  registrations(): RegistrationsStatus
  /** Counts, and whether new clients are welcome. */
  health(): HealthStatus
  /**
   * Reads certificates that were given as files again at once, which otherwise happens within seconds of a change.
   *
   * @throws {CrankerError} CRANKER_ERR_OPTION when one of them cannot be used; all stay as they were then.
   */
  reloadCertificates(): void
  /**
   * Lets no new client and no new connector in, and resolves when every running request has finished, or was cut
   * after `drainTimeout`. The admin port and idle tunnel sockets stay. Every call returns the same promise.
   */
  drain(): Promise<void>
  /** Drains, then closes every socket and port. Every call returns the same promise; it never rejects. */
  close(): Promise<void>
}

/** How long connectors that understand it stay away after a router has closed, ms: a restart takes about as long. */
const RECONNECT_AFTER_MS = 1_000

/** From the end of the drain timeout until clients that still wait have read their 503, ms. */
const LAST_WORDS_MS = 500

/**
 * Starts a router: a public port for clients, a registration port for connectors, on request an admin port.
 *
 * @throws {CrankerError} CRANKER_ERR_OPTION for an option that cannot be used, CRANKER_ERR_LISTEN for a port that
 * cannot be opened; nothing stays open then.
 */
export async function createRouter(options: RouterOptions = {}): Promise<Router> {
  const router = new CrankerRouter(resolveRouterOptions(options))
  await router.start()
  return router
}

class CrankerRouter extends SafeEmitter implements Router {
  readonly #options: ResolvedRouterOptions
  readonly #registry: Registry
  readonly #registrar: Registrar
  readonly #registration: RegistrationServer
  readonly #proxy: Proxy
  readonly #public: PublicServer
  readonly #admin: AdminServer | undefined
  readonly #certificates: readonly Certificates[]
  readonly #watches: readonly CertificateWatch[]
  readonly #startedAt = systemClock.now()
  #address: RouterAddress | undefined
  #state: RouterState = 'running'
  #drained: Promise<void> | undefined
  #closed: Promise<void> | undefined

  constructor(options: ResolvedRouterOptions) {
    super(options.logger)
    this.#options = options
    const deps = { clock: systemClock, log: options.logger }
    this.#registry = new Registry(options, deps)
    this.#registrar = new Registrar({
      ...deps,
      options,
      registry: this.#registry,
      events: {
        onRegistered: (registered) => this.tell('registered', socketInfo(registered)),
        onLost: (registered, end) => this.tell('lost', socketInfo(registered), lossInfo(end)),
        onDeregistered: (leaving) => this.tell('deregistered', leaving),
      },
    })
    const { tls, registrationTls } = options
    const certificates = tls === undefined ? undefined : new Certificates(tls)
    const ofRegistration =
      registrationTls === undefined || registrationTls === tls ? undefined : new Certificates(registrationTls)
    this.#certificates = [certificates, ofRegistration].filter((each) => each !== undefined)
    this.#watches = this.#certificates.map((each) => new CertificateWatch(each, systemClock, options.logger))
    this.#registration = new RegistrationServer(options, {
      ...deps,
      registrar: this.#registrar,
      certificates: registrationTls === undefined ? undefined : (ofRegistration ?? certificates),
    })
    this.#proxy = new Proxy({ ...deps, source: this.#registry, options })
    this.#public = createPublicServer(
      { ...options, certificates, log: options.logger },
      (inbound) => this.#proxy.handle(inbound),
      (inbound, error, status) => this.#proxy.refused(inbound, error, status),
    )
    const { adminHost: host, adminPort: port } = options
    const pages = { health: () => this.health(), registrations: () => this.registrations() }
    this.#admin = port === undefined ? undefined : new AdminServer({ host, port, log: options.logger, ...pages })
  }

  get address(): RouterAddress {
    if (this.#address === undefined) throw new TypeError('the router has not been started')
    return this.#address
  }

  get state(): RouterState {
    return this.#state
  }

  get running(): number {
    return this.#proxy.running
  }

  /** The registration port first: the sooner connectors are back, the fewer clients wait. */
  async start(): Promise<void> {
    const { tls, registrationTls } = this.#options
    try {
      const registration = await this.#registration.listen()
      const admin = await this.#admin?.listen()
      const open = await this.#public.listen()
      this.#address = {
        public: endpoint(open, tls === undefined ? 'http' : 'https'),
        registration: endpoint(registration, registrationTls === undefined ? 'ws' : 'wss'),
        admin: admin === undefined ? undefined : endpoint(admin, 'http'),
      }
    } catch (error) {
      await this.#shut()
      throw error
    }
  }

  registrations(): RegistrationsStatus {
    return registrationsStatus(this.#registry.sessions())
  }

  health(): HealthStatus {
    return {
      healthy: this.#state === 'running',
      state: this.#state,
      uptime: Math.round((systemClock.now() - this.#startedAt) / 1_000),
      connections: this.#public.connections,
      running: this.#proxy.running,
      waiting: this.#registry.waiting,
      routes: this.#registry.presentRoutes,
      sockets: this.#registrar.size,
    }
  }

  reloadCertificates(): void {
    for (const each of this.#certificates) each.reload()
  }

  drain(): Promise<void> {
    return (this.#drained ??= this.#drain())
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #drain(): Promise<void> {
    this.#state = 'draining'
    this.tell('draining')
    this.#registration.drain()
    this.#registry.drain()
    let cut = 0
    const deadline = systemClock.timer(() => {
      cut = this.#proxy.running
      const message = 'This router shut down before the request had finished.'
      this.#proxy.abortAll(new CrankerError('CRANKER_ERR_DRAINING', message))
      lastWords.refresh()
    }, this.#options.drainTimeout)
    const lastWords = systemClock.timer(() => this.#public.closeNow(), LAST_WORDS_MS)
    lastWords.clear()
    await this.#public.close()
    deadline.clear()
    lastWords.clear()
    this.tell('drained', { cut })
  }

  async #close(): Promise<void> {
    await this.drain()
    // Only now do connectors hear of it: as long as clients were here, their sockets were needed.
    await this.#registrar.close(RECONNECT_AFTER_MS, LINK_CLOSE_TIMEOUT_MS * 2)
    await this.#shut()
    this.#state = 'closed'
    this.tell('closed')
  }

  async #shut(): Promise<void> {
    for (const watch of this.#watches) watch.stop()
    this.#registry.close()
    this.#public.closeNow()
    this.#proxy.close()
    await Promise.all([this.#public.close(), this.#registration.close(), this.#admin?.close()])
  }
}
