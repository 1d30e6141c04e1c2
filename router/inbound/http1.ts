import http from 'node:http'
import https from 'node:https'
import { type AddressInfo, Socket } from 'node:net'
import { CrankerError } from '../../protocol/errors.js'
import type { Logger } from '../../protocol/logger.js'
import { listen } from '../listen.js'
import type { TlsOptions } from '../options.js'
import { ClientMessage, ClientResponse } from './client-message.js'
import { ClientConnection, type ServerContext } from './connection.js'
import type { OnRefused, OnRequest } from './inbound.js'
import { handleUpgrade } from './upgrade.js'

export interface PublicServerOptions {
  readonly host: string
  readonly port: number
  readonly tls?: TlsOptions | undefined
  /** From a client's first byte to the end of its request head, ms. */
  readonly headTimeout: number
  /** Idle connections, ms. */
  readonly keepAliveTimeout: number
  /** Bytes. */
  readonly maxHeadSize: number
  /** Further connections are closed at once. */
  readonly maxConnections: number
  /** Names this router in `Proxy-Status`. */
  readonly viaName: string
  readonly log: Logger
}

/** The port that clients speak HTTP/1.x to. */
export interface PublicServer {
  /** @throws CrankerError CRANKER_ERR_LISTEN */
  listen(): Promise<AddressInfo>
  /** Accepts no new connection, closes idle ones, and each busy one after the response that is running. */
  drain(): void
  /** Drains, and waits until the last connection is closed. */
  close(): Promise<void>
  /** Cuts every connection. */
  closeNow(): void
  /** Connections now. */
  readonly connections: number
}

/** How often node looks for heads that take too long, ms. */
const HEAD_CHECK_MS = 1_000
/** After so long without a byte the kernel asks whether the client is still there, ms: SSE may be silent for hours. */
const TCP_KEEPALIVE_MS = 30_000

/** @param onRefused for the access log. */
export function createPublicServer(
  options: PublicServerOptions,
  onRequest: OnRequest,
  onRefused: OnRefused = () => undefined,
): PublicServer {
  return new Http1Server(options, onRequest, onRefused)
}

/** `https.Server` is one too, in all that matters here. */
type HttpServer = http.Server<typeof ClientMessage, typeof ClientResponse>

class Http1Server implements PublicServer {
  readonly #options: PublicServerOptions
  readonly #server: HttpServer
  readonly #context: ServerContext
  readonly #bySocket = new WeakMap<Socket, ClientConnection>()
  /** The TCP sockets under TLS ones, by the client's address and port: node does not lead from one to the other. */
  readonly #transports = new Map<string, Socket>()
  #closed: Promise<void> | undefined

  constructor(options: PublicServerOptions, onRequest: OnRequest, onRefused: OnRefused) {
    this.#options = options
    this.#context = {
      onRequest,
      onRefused,
      viaName: options.viaName,
      log: options.log,
      connections: new Set(),
      draining: false,
      pipelined: 0,
    }
    const settings = {
      IncomingMessage: ClientMessage,
      ServerResponse: ClientResponse,
      maxHeaderSize: options.maxHeadSize,
      headersTimeout: options.headTimeout,
      // It would cover the body too; bodies live as long as bytes flow.
      requestTimeout: 0,
      connectionsCheckingInterval: HEAD_CHECK_MS,
      keepAliveTimeout: options.keepAliveTimeout,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEPALIVE_MS,
      noDelay: true,
      // Checked in validity.ts, on the raw fields.
      requireHostHeader: false,
      insecureHTTPParser: false,
    }
    const { tls } = options
    this.#server =
      tls === undefined
        ? http.createServer(settings)
        : https.createServer({
            ...settings,
            // As http.Server does by itself; it is answered in connection.ts.
            allowHalfOpen: true,
            cert: tls.cert,
            key: tls.key,
            minVersion: 'TLSv1.2',
            handshakeTimeout: options.headTimeout,
          })
    this.#configure(this.#server)
  }

  get connections(): number {
    return this.#context.connections.size
  }

  async listen(): Promise<AddressInfo> {
    const { host, port, log } = this.#options
    const address = await listen(this.#server, { name: 'public', host, port, option: 'port' })
    // Errors of a listening server are about single accepts (EMFILE): they pass.
    this.#server.on('error', (error) => log.error({ err: error }, 'the public port had an error'))
    return address
  }

  drain(): void {
    if (this.#context.draining) return
    this.#context.draining = true
    this.#closed = new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
    const secured = new Set<string>()
    for (const connection of this.#context.connections) {
      secured.add(endpointOf(connection.socket))
      // node knows which keep-alive connections are idle, and has closed them; not those that never said anything.
      if (connection.idle && connection.unused) connection.socket.destroySoon()
    }
    // Those that are still in their TLS handshake, of which node knows nothing.
    for (const [endpoint, transport] of this.#transports) if (!secured.has(endpoint)) transport.destroy()
  }

  async close(): Promise<void> {
    this.drain()
    await this.#closed
  }

  closeNow(): void {
    this.drain()
    for (const connection of this.#context.connections) connection.socket.destroy()
  }

  #configure(server: HttpServer): void {
    // Counted in validity.ts: node drops what is above its own number without a word.
    server.maxHeadersCount = 0
    server.maxConnections = this.#options.maxConnections
    server.timeout = 0
    // Documented for net, not for http: a client may end its side and still read its answer (`nc -N`).
    Object.assign(server, { httpAllowHalfOpen: true })
    if (this.#options.tls === undefined) {
      server.on('connection', (socket: Socket) => void this.#connectionOf(socket))
    } else {
      server.on('connection', (transport: Socket) => this.#remember(transport))
      server.on('secureConnection', (socket: Socket) => void this.#connectionOf(socket))
    }
    server.on('request', (request, response) => {
      this.#connectionOf(request.socket).accept(request, response)
    })
    server.on('upgrade', (request, _socket, rest) => {
      handleUpgrade(server, this.#connectionOf(request.socket), request, rest)
    })
    server.on('connect', (request) => {
      this.#connectionOf(request.socket).refuse(
        new CrankerError('CRANKER_ERR_METHOD', 'CONNECT is not allowed.', { initiator: 'caller', delivered: 'no' }),
      )
    })
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (socket instanceof Socket) this.#connectionOf(socket).onClientError(error)
    })
    server.on('tlsClientError', (error: Error, socket: Socket) => {
      this.#options.log.debug({ err: error }, 'a client failed in its TLS handshake')
      socket.destroy()
    })
    server.on('drop', () => {
      this.#options.log.warn(
        { maxConnections: this.#options.maxConnections },
        'too many client connections: one closed',
      )
    })
  }

  #remember(transport: Socket): void {
    const endpoint = endpointOf(transport)
    this.#transports.set(endpoint, transport)
    transport.once('close', () => {
      if (this.#transports.get(endpoint) === transport) this.#transports.delete(endpoint)
    })
  }

  #connectionOf(socket: Socket): ClientConnection {
    let connection = this.#bySocket.get(socket)
    if (connection === undefined) {
      connection = new ClientConnection(socket, this.#transports.get(endpointOf(socket)) ?? socket, this.#context)
      this.#bySocket.set(socket, connection)
      this.#context.connections.add(connection)
      // An error can come before the connection does, and after it has gone.
      if (socket.destroyed) this.#context.connections.delete(connection)
    }
    return connection
  }
}

function endpointOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${String(socket.remotePort)}`
}
