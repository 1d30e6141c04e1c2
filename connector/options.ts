import type { RequestListener, Server } from 'node:http'
import { v4 as uuid } from 'uuid'
import type { RawHeaders } from '../protocol/head.js'
import { DEAD_AFTER_MS, MAX_HEAD_BYTES, PING_INTERVAL_MS, V3_MAX_STREAMS } from '../protocol/limits.js'
import { type Logger, silentLogger } from '../protocol/logger.js'
import type { ProtocolVersion } from '../protocol/session.js'
import type { FrameTracer } from '../protocol/traced-link.js'
import { resolveRoutes } from './route-options.js'
import { parseRouters } from './router-url.js'
import { callback, certificates, headers, integer, invalid, text, versions } from './validate.js'

/**
 * Where requests go: a URL (`http://localhost:3000`, path prefix allowed, joined by concatenation), or an in-process
 * target that needs no port: an `http.Server` or a request listener.
 */
export type TargetOption = string | URL | Server | RequestListener

/**
 * What is spoken with the service. `http2`: by prior knowledge to an `http:` URL, by ALPN to an `https:` one; gRPC
 * needs it. `auto`: HTTP/1.1 to an `http:` URL, and what the service prefers to an `https:` one.
 */
export type TargetProtocol = 'auto' | 'http1' | 'http2'

export interface RouteOption {
  /** Path prefix without slashes at the ends; `*` = catch-all. */
  readonly route: string
  readonly target: TargetOption
  /** Host the route is for. Default: the connector's `domain`. */
  readonly domain?: string
  /** Default: the connector's `targetProtocol`. */
  readonly targetProtocol?: TargetProtocol
}

/** All times in milliseconds, all sizes in bytes. */
export interface ConnectorOptions {
  /** Registration URLs of the routers, `ws://` or `wss://`. Each name is resolved to all of its addresses. */
  readonly routers: string | URL | readonly (string | URL)[]
  /** Path prefix without slashes at the ends; `*` = catch-all. Give `route` and `target`, or `routes`. */
  readonly route?: string
  readonly target?: TargetOption
  /** Several routes at once. */
  readonly routes?: readonly RouteOption[]
  /** Host that the routes are for. Default `*`, any. */
  readonly domain?: string
  /** Idle sockets (1.0), or sockets (3.0), kept per router and route. Default 2. */
  readonly window?: number
  /** To how many the window grows on 1.0 under demand. Default 64. */
  readonly maxWindow?: number
  /** Offered in this order. Default `['3.0', '1.0']`. */
  readonly protocols?: readonly ProtocolVersion[]
  /** Name for status pages. Default `cranker-connector`. */
  readonly componentName?: string
  /** Default: a new UUID. */
  readonly instanceId?: string
  /** Sent with every registration, for instance `authorization`. */
  readonly registrationHeaders?: Readonly<Record<string, string>>
  /** CA certificates (PEM) that routers' certificates are checked against. Default: those of Node. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[]
  /** Accepts any router certificate. For tests only. Default false. */
  readonly insecureSkipVerify?: boolean
  /** How often the routers' names are resolved again. Default 60 s. */
  readonly discoveryInterval?: number
  /** Reconnect: full jitter over `min(backoffMax, backoffBase · 2ⁿ)`. Defaults 500 ms and 10 s. */
  readonly backoffBase?: number
  readonly backoffMax?: number
  /** Exchanges on one 3.0 socket. Default 256. */
  readonly maxStreams?: number
  /** An exchange without a byte in either direction for this long is ended. Default 5 min. */
  readonly idleTimeout?: number
  /** What is spoken with the target of a URL. Default `auto`. */
  readonly targetProtocol?: TargetProtocol
  /** To connect to the target. Default 5 s. */
  readonly targetConnectTimeout?: number
  /** Connections to one target; beyond, requests are refused so that the router may choose another. Default 256. */
  readonly targetMaxConnections?: number
  /** Largest request or response head. Default 64 KiB. */
  readonly maxHeadSize?: number
  /** Ping interval on tunnel sockets. Default 5 s. */
  readonly pingInterval?: number
  /** A tunnel socket without an inbound frame for this long is dead. Default 20 s. */
  readonly deadAfter?: number
  /** How long `close()` lets running requests finish. Default 30 s. */
  readonly drainTimeout?: number
  /** Default: silent. */
  readonly logger?: Logger
  /** Called with one readable line for each message on a tunnel socket. For debugging. Default: none. */
  readonly traceFrames?: FrameTracer
}

export interface ResolvedRoute {
  readonly route: string
  readonly domain: string
  readonly target: TargetOption
  readonly targetProtocol: TargetProtocol
}

/** {@link ConnectorOptions}, validated, with every default filled in. */
export interface ResolvedConnectorOptions {
  /** Without a slash at the end of the path. */
  readonly routers: readonly URL[]
  readonly routes: readonly ResolvedRoute[]
  readonly window: number
  readonly maxWindow: number
  readonly protocols: readonly ProtocolVersion[]
  readonly componentName: string
  readonly instanceId: string
  readonly registrationHeaders: RawHeaders
  readonly ca: string | Buffer | readonly (string | Buffer)[] | undefined
  readonly insecureSkipVerify: boolean
  readonly discoveryInterval: number
  readonly backoffBase: number
  readonly backoffMax: number
  readonly maxStreams: number
  readonly idleTimeout: number
  readonly targetConnectTimeout: number
  readonly targetMaxConnections: number
  readonly maxHeadSize: number
  readonly pingInterval: number
  readonly deadAfter: number
  readonly drainTimeout: number
  readonly logger: Logger
  readonly traceFrames: FrameTracer | undefined
}

/** The defaults, in one place; ms and bytes. */
export const connectorDefaults = {
  domain: '*',
  window: 2,
  maxWindow: 64,
  protocols: ['3.0', '1.0'],
  componentName: 'cranker-connector',
  discoveryInterval: 60_000,
  backoffBase: 500,
  backoffMax: 10_000,
  maxStreams: V3_MAX_STREAMS,
  idleTimeout: 5 * 60_000,
  targetProtocol: 'auto',
  targetConnectTimeout: 5_000,
  targetMaxConnections: 256,
  maxHeadSize: MAX_HEAD_BYTES,
  pingInterval: PING_INTERVAL_MS,
  deadAfter: DEAD_AFTER_MS,
  drainTimeout: 30_000,
} as const

/** Longest delay of a node timer: beyond, it fires at once. */
const MAX_DELAY_MS = 2 ** 31 - 1
/** Nobody needs more sockets per router and route, and routers limit them. */
const MAX_WINDOW = 1_000

/** Validates and fills in defaults. Throws CRANKER_ERR_OPTION with what to write instead. */
export function resolveConnectorOptions(options: ConnectorOptions): ResolvedConnectorOptions {
  const duration = (name: DurationOption, least: number): number =>
    integer(name, options[name] ?? connectorDefaults[name], least, MAX_DELAY_MS)
  const window = integer('window', options.window ?? connectorDefaults.window, 1, MAX_WINDOW)
  const maxWindow = options.maxWindow ?? Math.max(window, connectorDefaults.maxWindow)
  const pingInterval = duration('pingInterval', 10)
  const deadAfter = duration('deadAfter', 20)
  if (deadAfter <= pingInterval) {
    throw invalid(
      `\`deadAfter\` (${String(deadAfter)} ms) must be longer than \`pingInterval\` (${String(pingInterval)} ms)`,
    )
  }
  return {
    routers: parseRouters(options.routers),
    routes: resolveRoutes(options, connectorDefaults),
    window,
    maxWindow: integer('maxWindow', maxWindow, window, MAX_WINDOW),
    protocols: versions('protocols', options.protocols ?? connectorDefaults.protocols),
    componentName: text('componentName', options.componentName ?? connectorDefaults.componentName),
    instanceId: text('instanceId', options.instanceId ?? uuid()),
    registrationHeaders: headers('registrationHeaders', options.registrationHeaders ?? {}),
    ca: certificates('ca', options.ca),
    insecureSkipVerify: options.insecureSkipVerify ?? false,
    discoveryInterval: duration('discoveryInterval', 10),
    backoffBase: duration('backoffBase', 1),
    backoffMax: duration('backoffMax', 1),
    maxStreams: integer('maxStreams', options.maxStreams ?? connectorDefaults.maxStreams, 1, 2 ** 20),
    idleTimeout: duration('idleTimeout', 1),
    targetConnectTimeout: duration('targetConnectTimeout', 1),
    targetMaxConnections: integer(
      'targetMaxConnections',
      options.targetMaxConnections ?? connectorDefaults.targetMaxConnections,
      1,
      2 ** 20,
    ),
    maxHeadSize: integer('maxHeadSize', options.maxHeadSize ?? connectorDefaults.maxHeadSize, 1024, 2 ** 20),
    pingInterval,
    deadAfter,
    drainTimeout: duration('drainTimeout', 0),
    logger: options.logger ?? silentLogger,
    traceFrames: callback('traceFrames', options.traceFrames),
  }
}

type DurationOption =
  | 'discoveryInterval'
  | 'backoffBase'
  | 'backoffMax'
  | 'idleTimeout'
  | 'targetConnectTimeout'
  | 'pingInterval'
  | 'deadAfter'
  | 'drainTimeout'
