/** A real router, real connectors and a real service, on free loopback ports, for the length of a test. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll } from 'vitest'
import type { Connector, ConnectorOptions } from '../../connector/index.js'
import type { Router, RouterOptions } from '../../router/index.js'
import { createConnector, createRouter } from './implementations.js'

export const versions = ['1.0', '3.0'] as const
export type Version = (typeof versions)[number]
/** What may serve a route: connectors of one version, or one of each. */
export const fleets = [...versions, 'mixed'] as const
type Fleet = (typeof fleets)[number]

export interface PairOptions {
  readonly version: Fleet
  /** Default `*`. */
  readonly route?: string
  /** Default: a service of the pair's own, whose listener `serve` sets. */
  readonly target?: ConnectorOptions['target']
  readonly router?: RouterOptions
  readonly connector?: Partial<ConnectorOptions>
  /** False: no connector yet. Default true. */
  readonly connect?: boolean
}

export class Pair implements AsyncDisposable {
  router: Router
  readonly connectors: Connector[] = []
  readonly service: Server
  readonly #options: PairOptions
  #listener: RequestListener = (_req, res) => res.end()

  constructor(options: PairOptions, router: Router, service: Server) {
    this.#options = options
    this.router = router
    this.service = service
    service.on('request', (req, res) => {
      this.#listener(req, res)
    })
  }

  /** The public port. */
  get port(): number {
    return this.router.address.public.port
  }

  get servicePort(): number {
    return (this.service.address() as AddressInfo).port
  }

  get connector(): Connector {
    const [first] = this.connectors
    if (first === undefined) throw new Error('the pair has no connector')
    return first
  }

  /** What the service does from now on. */
  serve(listener: RequestListener): void {
    this.#listener = listener
  }

  /** Starts one more connector and waits until it is registered. */
  async connect(overrides: Partial<ConnectorOptions> = {}): Promise<Connector> {
    const connector = await createConnector({
      routers: `ws://127.0.0.1:${String(this.router.address.registration.port)}`,
      route: this.#options.route ?? '*',
      target: this.#options.target ?? `http://127.0.0.1:${String(this.servicePort)}`,
      protocols: this.#options.version === 'mixed' ? versions : [this.#options.version],
      backoffBase: 20,
      ...this.#options.connector,
      ...overrides,
    })
    this.connectors.push(connector)
    await connector.registered
    return connector
  }

  /** A new router on the same ports; waits until every connector is back. */
  async restartRouter(): Promise<void> {
    const { public: open, registration } = this.router.address
    await this.router.close()
    this.router = await startRouter({ ...this.#options.router, port: open.port, registrationPort: registration.port })
    const missing = new Set(this.connectors.map((c) => c.instanceId))
    await new Promise<void>((resolve) => {
      const check = (id: string): void => {
        missing.delete(id)
        if (missing.size === 0) resolve()
      }
      this.router.on('registered', (event) => {
        check(event.connectorInstanceID)
      })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.service.closeAllConnections()
    await Promise.all(this.connectors.map((c) => c.close()))
    await this.router.close()
    if (this.service.listening) {
      this.service.closeAllConnections()
      this.service.close()
      await once(this.service, 'close')
    }
  }
}

function startRouter(options: RouterOptions | undefined): Promise<Router> {
  return createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, drainTimeout: 2_000, ...options })
}

export async function startPair(options: PairOptions): Promise<Pair> {
  const service = createServer({ keepAliveTimeout: 60_000, maxHeaderSize: 65_536 })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const pair = new Pair(options, await startRouter(options.router), service)
  if (options.connect === false) return pair
  for (const version of options.version === 'mixed' ? versions : [options.version]) {
    await pair.connect({ protocols: [version] })
  }
  return pair
}

/** One pair for all tests of a `describe`. */
export function usePair(
  options: PairOptions,
): Pick<Pair, 'port' | 'serve' | 'router' | 'connector' | 'connect' | 'servicePort'> {
  let pair: Pair | undefined
  beforeAll(async () => {
    pair = await startPair(options)
  })
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]()
  })
  const started = (): Pair => {
    if (pair === undefined) throw new Error('the pair is started in beforeAll')
    return pair
  }
  return {
    get port() {
      return started().port
    },
    get servicePort() {
      return started().servicePort
    },
    get router() {
      return started().router
    },
    get connector() {
      return started().connector
    },
    serve: (listener) => {
      started().serve(listener)
    },
    connect: (overrides) => started().connect(overrides),
  }
}
