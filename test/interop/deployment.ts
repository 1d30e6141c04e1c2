import { setMaxListeners } from 'node:events'
import type { RequestListener } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fetchRaw, open, type RequestOptions, type Response } from '../support/http-client.js'
import type { Column } from './columns.js'
import type { ConnectorPeer, ConnectorStart, RouterStart, RunningConnector, RunningRouter } from './peer.js'
import { READY, Service } from './service.js'

/** The route of the connector under test. */
export const ROUTE = 'app'
/** How long peers may take until a route is served: the slowest reconnect after 10 s. */
const READY_LIMIT_MS = 40_000
/** Nothing tells that a foreign router knows a route but a request that is answered. */
const POLL_MS = 25
/** Long enough for a connector that has to be started meanwhile: ours, or one in Java. */
const CONNECTOR_WAIT_MS = { router: 1_000, connector: 5_000 } as const

const OUTPUT_LINES = 30

type ClientOptions = Omit<RequestOptions, 'port'>

/** A router, a connector and a service that run together, one of the first two foreign. */
export class Deployment implements AsyncDisposable {
  readonly column: Column
  readonly service: Service
  readonly #routerOptions: RouterStart
  readonly #extras: (() => Promise<void>)[] = []
  #router: RunningRouter | undefined
  #connector: RunningConnector | undefined
  #ports: Pick<RouterStart, 'publicPort' | 'registrationPort'> = {}
  #aborted = manyListeners()

  private constructor(column: Column, service: Service, options: RouterStart) {
    this.column = column
    this.service = service
    this.#routerOptions = { connectorWait: CONNECTOR_WAIT_MS[column.side], ...options }
  }

  /** Resolves when the service is reached through the two. */
  static async start(column: Column, options: RouterStart = {}): Promise<Deployment> {
    const deployment = new Deployment(column, await Service.start(), options)
    try {
      await deployment.ready()
    } catch (error) {
      await deployment[Symbol.asyncDispose]()
      throw error
    }
    return deployment
  }

  get port(): number {
    return this.#ports.publicPort ?? 0
  }

  get registrationPort(): number {
    return this.#ports.registrationPort ?? 0
  }

  /** What the service does from now on. */
  serve(listener: RequestListener): void {
    this.service.serve(listener)
  }

  /** A request to the public port, with `path` below the route. Ends with the case. */
  fetch(options: ClientOptions = {}): Promise<Response> {
    return fetchRaw(this.#request(options))
  }

  /** The same, as soon as the head of the response is there. */
  open(options: ClientOptions = {}): ReturnType<typeof open> {
    return open(this.#request(options))
  }

  async stopRouter(): Promise<void> {
    const router = this.#router
    this.#router = undefined
    await router?.stop()
  }

  /** On the same ports. */
  async startRouter(): Promise<void> {
    this.#router = await this.column.router.start({ ...this.#routerOptions, ...this.#ports })
    const { publicPort, registrationPort } = this.#router
    this.#ports = { publicPort, registrationPort }
  }

  async stopConnector(): Promise<void> {
    const connector = this.#connector
    this.#connector = undefined
    await connector?.stop()
  }

  /** Resolves when it runs, which may be before it is registered. */
  async startConnector(): Promise<void> {
    this.#connector = await this.#start(this.column.connector, {})
  }

  /** Starts one more connector, for the length of the case. */
  async addConnector(peer: ConnectorPeer, options: Partial<ConnectorStart>): Promise<RunningConnector> {
    const connector = await this.#start(peer, options)
    this.#extras.push(() => connector.stop())
    return connector
  }

  /** One more service, for the length of the case. */
  async addService(): Promise<Service> {
    const service = await Service.start()
    this.#extras.push(() => service.close())
    return service
  }

  /** Starts what does not run, and waits until the service is reached. */
  async ready(): Promise<void> {
    if (this.#router === undefined) await this.startRouter()
    if (this.#connector === undefined) await this.startConnector()
    await this.reached(`/${ROUTE}${READY}`)
  }

  /** Waits until a request for this path is answered with 200, and with what `is` accepts. */
  async reached(path: string, is: (response: Response) => boolean = () => true): Promise<void> {
    const deadline = AbortSignal.timeout(READY_LIMIT_MS)
    let last: unknown
    for (;;) {
      try {
        const response = await fetchRaw({ port: this.port, path, signal: deadline })
        if (response.status === 200 && is(response)) return
        last = `${response.status} ${response.text}`
      } catch (error) {
        last = error
      }
      if (deadline.aborted) throw new Error(`${path} was not reached: ${String(last)}\n${this.output()}`)
      await sleep(POLL_MS)
    }
  }

  /** Ends what a case has left: its requests, its further connectors and services. */
  async clear(): Promise<void> {
    this.#aborted.abort()
    this.#aborted = manyListeners()
    this.serve((_req, res) => res.end())
    for (const end of this.#extras.splice(0).reverse()) await end()
  }

  /** Stops the foreign peer; `ready` starts it again. */
  async renew(): Promise<void> {
    await (this.column.side === 'router' ? this.stopRouter() : this.stopConnector())
  }

  /** The last of what router and connector have printed. */
  output(): string {
    const { column } = this
    const parts = [
      [column.router.name, this.#router?.output()],
      [column.connector.name, this.#connector?.output()],
    ] as const
    return parts
      .flatMap(([name, text]) =>
        text === undefined || text === '' ? [] : [`-- ${name}:\n${text.split('\n').slice(-OUTPUT_LINES).join('\n')}`],
      )
      .join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear()
    await this.stopConnector()
    await this.stopRouter()
    await this.service.close()
  }

  #start(peer: ConnectorPeer, options: Partial<ConnectorStart>): Promise<RunningConnector> {
    return peer.start({
      routers: [`ws://127.0.0.1:${String(this.registrationPort)}`],
      route: ROUTE,
      target: this.service.url,
      protocols: this.column.protocols.filter((version) => peer.versions.includes(version)),
      ...options,
    })
  }

  #request(options: ClientOptions): RequestOptions {
    const { path = '/' } = options
    return { signal: this.#aborted.signal, ...options, port: this.port, path: `/${ROUTE}${path}` }
  }
}

/** For as many requests as a case makes: node suspects a leak at the eleventh. */
function manyListeners(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}
