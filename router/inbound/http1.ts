import http from 'node:http'
import { Socket } from 'node:net'
import { CrankerError } from '../../protocol/errors.js'
import type { Logger } from '../../protocol/logger.js'
import { ClientMessage, ClientResponse } from './client-message.js'
import { ClientConnection, type ServerContext } from './connection.js'
import type { OnRefused, OnRequest } from './inbound.js'
import { handleUpgrade } from './upgrade.js'

export interface Http1Options {
  /** From a client's first byte to the end of its request head, ms. */
  readonly headTimeout: number
  /** Idle connections, ms. */
  readonly keepAliveTimeout: number
  /** Bytes. */
  readonly maxHeadSize: number
  /** Names this router in `Proxy-Status`. */
  readonly viaName: string
  readonly log: Logger
}

/** How often node looks for heads that take too long, ms. */
const HEAD_CHECK_MS = 1_000

/** HTTP/1.x for clients. It does not listen: it is given its connections. */
export class Http1Server {
  readonly #server: http.Server<typeof ClientMessage, typeof ClientResponse>
  readonly #context: ServerContext
  readonly #bySocket = new WeakMap<Socket, ClientConnection>()

  constructor(options: Http1Options, onRequest: OnRequest, onRefused: OnRefused) {
    this.#context = {
      onRequest,
      onRefused,
      viaName: options.viaName,
      log: options.log,
      connections: new Set(),
      draining: false,
      pipelined: 0,
    }
    this.#server = http.createServer({
      IncomingMessage: ClientMessage,
      ServerResponse: ClientResponse,
      maxHeaderSize: options.maxHeadSize,
      headersTimeout: options.headTimeout,
      // It would cover the body too; bodies live as long as bytes flow.
      requestTimeout: 0,
      connectionsCheckingInterval: HEAD_CHECK_MS,
      keepAliveTimeout: options.keepAliveTimeout,
      // Checked in validity.ts, on the raw fields.
      requireHostHeader: false,
      insecureHTTPParser: false,
    })
    this.#configure(this.#server)
  }

  get connections(): number {
    return this.#context.connections.size
  }

  /** @param transport the TCP socket: `socket` itself, or the one under its TLS. */
  accept(socket: Socket, transport: Socket): void {
    this.#connect(socket, transport)
    this.#server.emit('connection', socket)
  }

  /** Closes idle connections, and each busy one after the response that is running. */
  drain(): void {
    if (this.#context.draining) return
    this.#context.draining = true
    // It stops looking for slow heads, and closes the keep-alive connections that it knows to be idle…
    this.#server.close()
    for (const connection of this.#context.connections) {
      // …but not those that never said anything.
      if (connection.idle && connection.unused) connection.socket.destroySoon()
    }
  }

  closeNow(): void {
    for (const connection of this.#context.connections) connection.socket.destroy()
  }

  #configure(server: http.Server<typeof ClientMessage, typeof ClientResponse>): void {
    // Counted in validity.ts: node drops what is above its own number without a word.
    server.maxHeadersCount = 0
    server.timeout = 0
    // Documented for net, not for http: a client may end its side and still read its answer (`nc -N`).
    Object.assign(server, { httpAllowHalfOpen: true })
    // Its clock for slow heads starts with this.
    server.emit('listening')
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
  }

  #connectionOf(socket: Socket): ClientConnection {
    return this.#bySocket.get(socket) ?? this.#connect(socket, socket)
  }

  #connect(socket: Socket, transport: Socket): ClientConnection {
    const connection = new ClientConnection(socket, transport, this.#context)
    this.#bySocket.set(socket, connection)
    this.#context.connections.add(connection)
    // An error can come before the connection does.
    if (socket.destroyed) this.#context.connections.delete(connection)
    return connection
  }
}
