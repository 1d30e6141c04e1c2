import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../protocol/clock.js'
import { HANDSHAKE_TIMEOUT_MS, KiB } from '../../protocol/limits.js'
import type { Link } from '../../protocol/link.js'
import type { Logger } from '../../protocol/logger.js'
import { registrationKind } from '../../protocol/registration.js'
import { LinkServer } from '../../protocol/ws-link.js'
import { listen } from '../listen.js'
import type { ResolvedRouterOptions } from '../options.js'
import type { Certificates } from '../tls/certificates.js'
import { NO_WEBSOCKET, NOT_HERE, ONLY_GET, readHandshake, remoteAddress } from './handshake.js'
import { type Refusal, refusalFields, refusalText, sendRefusal } from './refusal.js'
import type { Registrar } from './registrar.js'
import { Throttle } from './throttle.js'

export type RegistrationServerOptions = Pick<
  ResolvedRouterOptions,
  'registrationHost' | 'registrationPort' | 'protocols'
>

/** Largest head of a registration: room for a token or two. */
const MAX_REGISTRATION_HEAD_BYTES = 16 * KiB
/** TCP connections at once, registered or not: what a process can hold with usual limits. */
const MAX_CONNECTIONS = 65_536

const DRAINING: Refusal = {
  status: 503,
  code: 'CRANKER_ERR_DRAINING',
  message: 'This router is shutting down.',
  // Soon: what comes next may be a restarted router that needs its connectors.
  retryAfter: 2,
}

/** The port where connectors register. Whoever is not welcome is told so before the 101, never after. */
export class RegistrationServer {
  readonly #options: RegistrationServerOptions
  readonly #registrar: Registrar
  readonly #log: Logger
  readonly #server: Server
  readonly #links = new LinkServer()
  readonly #throttle: Throttle
  /** Sockets that node:http has given up and that are no tunnel: refused ones. */
  readonly #refused = new Set<Duplex>()
  #draining = false

  constructor(
    options: RegistrationServerOptions,
    deps: {
      readonly registrar: Registrar
      readonly clock: Clock
      readonly log: Logger
      /** Undefined: plain. */
      readonly certificates: Certificates | undefined
    },
  ) {
    this.#options = options
    this.#registrar = deps.registrar
    this.#log = deps.log
    this.#throttle = new Throttle(deps.clock)
    const limits: ServerOptions = {
      maxHeaderSize: MAX_REGISTRATION_HEAD_BYTES,
      headersTimeout: HANDSHAKE_TIMEOUT_MS,
      requestTimeout: HANDSHAKE_TIMEOUT_MS,
      connectionsCheckingInterval: 1_000,
      noDelay: true,
    }
    const { certificates } = deps
    this.#server = certificates === undefined ? createServer(limits) : createSecureServer(limits, certificates)
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('upgrade', (req, socket, head) => this.#onUpgrade(req, socket, head))
    this.#server.on('request', (req, res) => this.#onRequest(req, res))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket))
  }

  /** @throws {CrankerError} CRANKER_ERR_LISTEN */
  async listen(): Promise<AddressInfo> {
    const { registrationHost: host, registrationPort: port } = this.#options
    const address = await listen(this.#server, { name: 'registration', host, port, option: 'registrationPort' })
    // Errors of a listening server are about single accepts (EMFILE): they pass.
    this.#server.on('error', (error) => this.#log.error({ err: error }, 'the registration port had an error'))
    return address
  }

  /** From here on registrations are refused with 503. Deregistrations are still taken. */
  drain(): void {
    this.#draining = true
  }

  /** Stops listening; tunnel sockets are the registrar's. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
      for (const socket of this.#refused) socket.destroy()
    })
  }

  #onUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    // node:http leaves these sockets without an error listener: a reset would end the process.
    socket.on('error', (error) => this.#log.debug({ err: error }, 'registration connection failed'))
    const handshake = readHandshake(req, this.#options.protocols)
    switch (handshake.kind) {
      case 'refused':
        this.#refuse(req, socket, handshake.refusal)
        return
      case 'deregister': {
        const { connectorInstanceID, route } = handshake.registration
        // Subprotocols that it may have offered are not echoed: no version is spoken here.
        this.#links.accept(req, socket, head, { subprotocol: undefined, headers: [] }, (link) => {
          if (connectorInstanceID !== undefined) this.#registrar.deregister(connectorInstanceID, route)
          link.close(1000, 'Deregister complete')
        })
        return
      }
      case 'register': {
        const { registrant, version, capabilities, subprotocol, headers } = handshake
        const refusal = this.#draining ? DRAINING : this.#registrar.refusal(registrant)
        if (refusal !== undefined) {
          this.#refuse(req, socket, refusal)
          return
        }
        this.#links.accept(req, socket, head, { subprotocol, headers }, (link: Link) => {
          this.#registrar.register(registrant, link, version, capabilities)
        })
        return
      }
    }
  }

  #refuse(req: IncomingMessage, socket: Duplex, refusal: Refusal): void {
    const address = remoteAddress(req)
    const verdict = this.#throttle.judge(address)
    const { status, message } = refusal
    this.#log[verdict === 'answer' ? 'warn' : 'debug']({ address, status, message, verdict }, 'registration refused')
    this.#refused.add(socket)
    socket.once('close', () => this.#refused.delete(socket))
    switch (verdict) {
      case 'answer':
        sendRefusal(socket, refusal)
        return
      case 'cut':
        socket.destroy()
        return
      case 'hold': {
        // Reading goes on, or its end would not be noticed.
        socket.resume()
        const throttled: Refusal = {
          status: 429,
          code: refusal.code,
          message: `Too many refused registrations from this address; ask again more slowly. The last one: ${message}`,
          retryAfter: Math.max(refusal.retryAfter ?? 0, 5),
        }
        const forget = this.#throttle.hold(() => sendRefusal(socket, throttled))
        socket.once('close', forget)
        return
      }
    }
  }

  /** A request that asks for no upgrade. */
  #onRequest(req: IncomingMessage, res: ServerResponse): void {
    const known = registrationKind(req.url ?? '') !== undefined
    const refusal = req.method === 'TRACE' ? ONLY_GET : known ? NO_WEBSOCKET : NOT_HERE
    res.on('error', (error) => this.#log.debug({ err: error }, 'registration connection failed'))
    res.writeHead(refusal.status, [...refusalFields(refusal), 'Connection', 'close'])
    res.end(req.method === 'HEAD' ? undefined : refusalText(refusal))
    req.resume()
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    this.#log.debug({ err: error }, 'bad request on the registration port')
    if (error.code === 'ECONNRESET') socket.destroy()
    else sendRefusal(socket, clientErrorRefusal(error.code))
  }
}

function clientErrorRefusal(code: string | undefined): Refusal {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return {
        status: 431,
        code: 'CRANKER_ERR_HEAD_TOO_LARGE',
        message: `The request head is larger than ${MAX_REGISTRATION_HEAD_BYTES} bytes.`,
      }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { status: 408, code: 'CRANKER_ERR_CLIENT_TIMEOUT', message: 'The request did not arrive in time.' }
    default:
      return { status: 400, code: 'CRANKER_ERR_BAD_REQUEST', message: 'This is no HTTP/1.1 request.' }
  }
}

function createSecureServer(limits: ServerOptions, certificates: Certificates): Server {
  const server = createTlsServer({
    ...limits,
    ...certificates.serverOptions,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ALPNProtocols: ['http/1.1'],
  })
  certificates.serve(server)
  return server
}
