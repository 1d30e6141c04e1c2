import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, isIP } from 'node:net'
import type { Logger } from '../../protocol/logger.js'
import { listen } from '../listen.js'
import type { RegistrationsStatus } from './registrations.js'

/** What /health says. */
export interface HealthStatus {
  /** False while the router drains: a load balancer sends nothing new. */
  readonly healthy: boolean
  readonly state: 'running' | 'draining' | 'closed'
  /** Seconds since the start. */
  readonly uptime: number
  /** Client connections, running requests and requests that wait for a connector. */
  readonly connections: number
  readonly running: number
  readonly waiting: number
  /** Routes with at least one tunnel socket, and tunnel sockets. */
  readonly routes: number
  readonly sockets: number
}

export interface AdminOptions {
  readonly host: string
  readonly port: number
  readonly log: Logger
  readonly health: () => HealthStatus
  readonly registrations: () => RegistrationsStatus
}

/** From the first byte to the end of a request, ms. */
const REQUEST_TIMEOUT_MS = 5_000
/** Operators and their probes; more is a mistake. */
const MAX_CONNECTIONS = 256

/** The port for operators: read-only, no credentials, therefore on loopback unless told otherwise. */
export class AdminServer {
  readonly #options: AdminOptions
  readonly #server: Server
  #loopback = true

  constructor(options: AdminOptions) {
    this.#options = options
    this.#server = createServer(
      {
        headersTimeout: REQUEST_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: REQUEST_TIMEOUT_MS,
        connectionsCheckingInterval: 1_000,
      },
      (req, res) => this.#onRequest(req, res),
    )
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** @throws {CrankerError} CRANKER_ERR_LISTEN */
  async listen(): Promise<AddressInfo> {
    const { host, port } = this.#options
    const address = await listen(this.#server, { name: 'admin', host, port, option: 'adminPort' })
    // Errors of a listening server are about single accepts (EMFILE): they pass.
    this.#server.on('error', (error) => this.#options.log.error({ err: error }, 'the admin port had an error'))
    this.#loopback = isLoopback(address.address)
    return address
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    req.resume()
    if (this.#loopback && !isTrustworthyHost(req.headers.host)) {
      answer(req, res, 403, { error: 'Ask for localhost or for an address: this port answers to no other name.' })
      return
    }
    const page = this.#page((req.url ?? '').split('?', 1)[0] as string)
    if (page === undefined) {
      answer(req, res, 404, { error: 'No such page. There are /health and /api/registrations.' })
    } else if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD')
      answer(req, res, 405, { error: 'Use GET or HEAD.' })
    } else {
      const { status, body } = page()
      answer(req, res, status, body)
    }
  }

  #page(path: string): (() => { readonly status: number; readonly body: object }) | undefined {
    switch (path) {
      case '/health':
        return () => {
          const body = this.#options.health()
          return { status: body.healthy ? 200 : 503, body }
        }
      case '/api/registrations':
        return () => ({ status: 200, body: this.#options.registrations() })
      default:
        return undefined
    }
  }
}

function answer(req: IncomingMessage, res: ServerResponse, status: number, body: object): void {
  const text = `${JSON.stringify(body)}\n`
  res.statusCode = status
  res.setHeader('Content-Type', 'application/json; charset=utf-8')
  res.setHeader('Content-Length', Buffer.byteLength(text))
  res.setHeader('Cache-Control', 'no-store')
  res.setHeader('X-Content-Type-Options', 'nosniff')
  res.end(req.method === 'HEAD' ? undefined : text)
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1'
}

/**
 * DNS rebinding: a page from the internet whose name has come to mean 127.0.0.1 reads what browsers let it. Its
 * requests carry that name in Host; those of operators say localhost or an address.
 */
function isTrustworthyHost(host: string | undefined): boolean {
  if (host === undefined) return false
  const name = host.replace(/:\d*$/, '').toLowerCase()
  return name === 'localhost' || name.endsWith('.localhost') || isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0
}
