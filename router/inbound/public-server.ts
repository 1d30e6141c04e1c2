import net, { type AddressInfo, type Socket } from 'node:net'
import tls from 'node:tls'
import { listen } from '../listen.js'
import type { Certificates } from '../tls/certificates.js'
import { type Http1Options, Http1Server } from './http1.js'
import { type Http2Options, Http2Server } from './http2.js'
import type { OnRefused, OnRequest } from './inbound.js'
import { chooseProtocol } from './preface.js'

export interface PublicServerOptions extends Http1Options, Http2Options {
  readonly host: string
  readonly port: number
  /** Undefined: plain. */
  readonly certificates?: Certificates | undefined
  /** HTTP/2 for TLS clients that offer it. */
  readonly http2: boolean
  /** HTTP/2 by prior knowledge, without TLS. */
  readonly http2Cleartext: boolean
  /** Further connections are closed at once. */
  readonly maxConnections: number
}

/** The port that clients speak HTTP to. */
export interface PublicServer {
  /** @throws CrankerError CRANKER_ERR_LISTEN */
  listen(): Promise<AddressInfo>
  /** Accepts no new connection, closes idle ones, and each busy one after what is running. */
  drain(): void
  /** Drains, and waits until the last connection is closed. */
  close(): Promise<void>
  /** Cuts every connection. */
  closeNow(): void
  /** Connections now. */
  readonly connections: number
}

/** After so long without a byte the kernel asks whether the client is still there, ms: SSE may be silent for hours. */
const TCP_KEEPALIVE_MS = 30_000

/** @param onRefused for the access log. */
export function createPublicServer(
  options: PublicServerOptions,
  onRequest: OnRequest,
  onRefused: OnRefused = () => undefined,
): PublicServer {
  return new PublicPort(options, onRequest, onRefused)
}

/** Takes connections, and hands each to the server of its HTTP version. */
class PublicPort implements PublicServer {
  readonly #options: PublicServerOptions
  readonly #server: net.Server
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  /** Connections that are not known yet to be of either version: TLS handshakes, unread first bytes. */
  readonly #undecided = new Set<Socket>()
  /** The TCP sockets under TLS ones, by the client's address and port: node does not lead from one to the other. */
  readonly #transports = new Map<string, Socket>()
  #draining = false
  #closed: Promise<void> | undefined

  constructor(options: PublicServerOptions, onRequest: OnRequest, onRefused: OnRefused) {
    this.#options = options
    this.#http1 = new Http1Server(options, onRequest, onRefused)
    this.#http2 = new Http2Server(options, onRequest, onRefused)
    // Half-open as http.Server does it; what a half-closed client gets is decided in connection.ts.
    const sockets = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS }
    const { certificates } = options
    this.#server = certificates === undefined ? this.#plain(sockets) : this.#secure(sockets, certificates)
    this.#server.maxConnections = options.maxConnections
    this.#server.on('drop', () => {
      options.log.warn({ maxConnections: options.maxConnections }, 'too many client connections: one closed')
    })
  }

  get connections(): number {
    return this.#undecided.size + this.#http1.connections + this.#http2.connections
  }

  async listen(): Promise<AddressInfo> {
    const { host, port, log } = this.#options
    const address = await listen(this.#server, { name: 'public', host, port, option: 'port' })
    // Errors of a listening server are about single accepts (EMFILE): they pass.
    this.#server.on('error', (error) => log.error({ err: error }, 'the public port had an error'))
    return address
  }

  drain(): void {
    if (this.#draining) return
    this.#draining = true
    this.#closed = new Promise((resolve) => {
      this.#server.close(() => resolve())
    })
    for (const socket of this.#undecided) socket.destroy()
    this.#http1.drain()
    this.#http2.drain()
  }

  async close(): Promise<void> {
    this.drain()
    await this.#closed
  }

  closeNow(): void {
    this.drain()
    this.#http1.closeNow()
    this.#http2.closeNow()
  }

  #plain(sockets: net.ServerOpts): net.Server {
    const { http2Cleartext, headTimeout } = this.#options
    return net.createServer(sockets, (socket) => {
      if (!http2Cleartext) {
        this.#http1.accept(socket, socket)
        return
      }
      this.#undecided.add(socket)
      socket.once('close', () => this.#undecided.delete(socket))
      chooseProtocol(socket, headTimeout, (isHttp2) => {
        this.#undecided.delete(socket)
        if (isHttp2) {
          this.#http2.accept(socket, socket)
          return
        }
        this.#http1.accept(socket, socket)
        // What was read and put back flows again.
        socket.resume()
      })
    })
  }

  #secure(sockets: net.ServerOpts, certificates: Certificates): tls.Server {
    const { http2, headTimeout, log } = this.#options
    const server = tls.createServer({
      ...sockets,
      ...certificates.serverOptions,
      ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      handshakeTimeout: headTimeout,
    })
    certificates.serve(server)
    server.on('connection', (transport: Socket) => {
      const endpoint = endpointOf(transport)
      this.#transports.set(endpoint, transport)
      this.#undecided.add(transport)
      transport.once('close', () => {
        this.#undecided.delete(transport)
        if (this.#transports.get(endpoint) === transport) this.#transports.delete(endpoint)
      })
    })
    server.on('secureConnection', (socket) => {
      const transport = this.#transports.get(endpointOf(socket)) ?? socket
      this.#undecided.delete(transport)
      if (socket.alpnProtocol === 'h2') this.#http2.accept(socket, transport)
      else this.#http1.accept(socket, transport)
    })
    server.on('tlsClientError', (error: Error, socket: Socket) => {
      log.debug({ err: error }, 'a client failed in its TLS handshake')
      socket.destroy()
    })
    return server
  }
}

function endpointOf(socket: Socket): string {
  return `${socket.remoteAddress ?? ''} ${String(socket.remotePort)}`
}
