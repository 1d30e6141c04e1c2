import type { Logger } from '../protocol/logger.js'
import type { ProtocolVersion } from '../protocol/session.js'
import type { FrameTracer } from '../protocol/traced-link.js'

export { ROUTER_DEFAULTS, resolveRouterOptions } from './resolve-options.js'

/** A certificate chain and its key, PEM. */
export interface TlsOptions {
  readonly cert: string | Buffer
  readonly key: string | Buffer
}

/** Paths of a PEM certificate chain and of its key; changed files are read again within seconds. */
export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
}

export type TlsSource = TlsOptions | TlsFiles

/** All times in milliseconds, all sizes in bytes. */
export interface RouterOptions {
  /** Address of the public port. Default `0.0.0.0`. */
  readonly host?: string
  /** Public port, for clients; 0 picks a free one. Default 8080. */
  readonly port?: number
  /** Address of the registration port. Default: as `host`. */
  readonly registrationHost?: string
  /** Registration port, for connectors; 0 picks a free one. Default 8081. */
  readonly registrationPort?: number
  /**
   * Serves the public port over TLS. Of several certificates a client gets the first that names the host it asks for
   * (SNI), otherwise the first of all. Default: plain HTTP.
   */
  readonly tls?: TlsSource | readonly TlsSource[]
  /** Serves the registration port over TLS. Default: as `tls`; `false` for plain although `tls` is set. */
  readonly registrationTls?: TlsSource | readonly TlsSource[] | false
  /** HTTP/2 (RFC 9113) for clients that ask for it in TLS (ALPN `h2`). Default true. */
  readonly http2?: boolean
  /** HTTP/2 by prior knowledge on a public port without TLS (RFC 9113 §3.3), beside HTTP/1.1. Default false. */
  readonly http2Cleartext?: boolean
  /** Requests at once on one HTTP/2 connection of a client; further ones are refused for the client to repeat. Default 128. */
  readonly http2MaxStreams?: number
  /** Address of the admin port. Default `127.0.0.1`. */
  readonly adminHost?: string
  /** Port for /health and /api/registrations; 0 picks a free one. Default: none is opened. */
  readonly adminPort?: number
  /** Protocol versions spoken. Default both. */
  readonly protocols?: readonly ProtocolVersion[]
  /** How long a request waits for a connector with room. Default 5 s. */
  readonly connectorWait?: number
  /** Requests waiting, in all. Default 1,000. */
  readonly maxWaiting?: number
  /** Requests waiting for one route. Default 100. */
  readonly maxWaitingPerRoute?: number
  /** An exchange without a byte in either direction for this long is ended (504 before the head). Default 5 min. */
  readonly idleTimeout?: number
  /** Carry WebSockets of clients; otherwise they are answered 501. Default true. */
  readonly webSockets?: boolean
  /** A WebSocket without a byte in either direction for this long is cut; 0: never. Default 1 h. */
  readonly upgradeIdleTimeout?: number
  /** From a client's first byte to the end of its request head. Default 10 s. */
  readonly headTimeout?: number
  /** Idle keep-alive connections of clients. Longer than your load balancer's. Default 75 s. */
  readonly keepAliveTimeout?: number
  /** Ping interval on tunnel sockets. Default 5 s. */
  readonly pingInterval?: number
  /** A tunnel socket without an inbound frame for this long is dead. Default 20 s. */
  readonly deadAfter?: number
  /** How long a route stays known after its last connector left: 503 instead of 404. Default 2 h. */
  readonly routeKeepTime?: number
  /** After the start, unknown routes are treated as known but absent for this long. Default 30 s. */
  readonly startGrace?: number
  /** Pseudonym in `Via` (RFC 9110 §7.6.3) and `Proxy-Status` (RFC 9209). Default `cranker`. */
  readonly viaName?: string
  /** Also send X-Forwarded-For, -Proto, -Host, -Port and -Server; `Forwarded` (RFC 7239) is always sent. Default false. */
  readonly xForwarded?: boolean
  /** Forward the client's Host. Default true. */
  readonly forwardHost?: boolean
  /** Networks (CIDR or address) whose Forwarded and X-Forwarded-* are believed and kept. Default none. */
  readonly trustedProxies?: readonly string[]
  /** Largest request or response head. Default 64 KiB. */
  readonly maxHeadSize?: number
  /** Client connections at once; further ones are closed. Default 20,000. */
  readonly maxConnections?: number
  /** Exchanges on one 3.0 socket. Default 256. */
  readonly maxStreams?: number
  /** Tunnel sockets of one identity (its remote address, until there are credentials). Default 1,000. */
  readonly maxSocketsPerIdentity?: number
  /** Routes known at once, over all domains, including those whose last connector left lately. Default 10,000. */
  readonly maxRoutes?: number
  /** How long `close()` lets running requests finish. Default 30 s. */
  readonly drainTimeout?: number
  /** Default: silent. */
  readonly logger?: Logger
  /** Called once per finished request. Default: none. */
  readonly accessLog?: (entry: AccessEntry) => void
  /** Called with one readable line for each message on a tunnel socket. For debugging. Default: none. */
  readonly traceFrames?: FrameTracer
}

/** One finished client request. */
export interface AccessEntry {
  readonly requestId: string
  readonly method: string
  readonly host: string
  readonly target: string
  readonly httpVersion: string
  readonly remoteAddress: string
  /** Undefined when the client left before an answer began. */
  readonly status: number | undefined
  /** Body bytes received from, and sent to, the client. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Milliseconds from the request head to the end. */
  readonly duration: number
  readonly route: string | undefined
  readonly connectorInstanceID: string | undefined
  /** The code of the error that ended it, if any. */
  readonly error: string | undefined
}

/** {@link RouterOptions} after validation, with every default filled in. */
export interface ResolvedRouterOptions {
  readonly host: string
  readonly port: number
  readonly registrationHost: string
  readonly registrationPort: number
  readonly tls: readonly TlsSource[] | undefined
  readonly registrationTls: readonly TlsSource[] | undefined
  readonly http2: boolean
  readonly http2Cleartext: boolean
  readonly http2MaxStreams: number
  readonly adminHost: string
  /** Undefined: no admin port. */
  readonly adminPort: number | undefined
  readonly protocols: readonly ProtocolVersion[]
  readonly connectorWait: number
  readonly maxWaiting: number
  readonly maxWaitingPerRoute: number
  readonly idleTimeout: number
  readonly webSockets: boolean
  readonly upgradeIdleTimeout: number
  readonly headTimeout: number
  readonly keepAliveTimeout: number
  readonly pingInterval: number
  readonly deadAfter: number
  readonly routeKeepTime: number
  readonly startGrace: number
  readonly viaName: string
  readonly xForwarded: boolean
  readonly forwardHost: boolean
  readonly trustedProxies: readonly string[]
  readonly maxHeadSize: number
  readonly maxConnections: number
  readonly maxStreams: number
  readonly maxSocketsPerIdentity: number
  readonly maxRoutes: number
  readonly drainTimeout: number
  readonly logger: Logger
  readonly accessLog: ((entry: AccessEntry) => void) | undefined
  readonly traceFrames: FrameTracer | undefined
}
