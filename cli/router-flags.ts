/** The router's flags and what they mean as {@link RouterOptions}. */

import { ROUTER_DEFAULTS, type RouterOptions, type TlsFiles } from '../router/options.js'
import { withoutUndefined, type Complete } from './complete.js'
import type { Flag, FlagValues } from './flags.js'
import { logFlags, printFrame, type Log } from './logging.js'
import { count, duration, durationText, oneOf, pemPath, port, size, sizeText, text, UsageError } from './values.js'

const PORTS = 'Ports:'
const TLS = 'TLS:'
const HTTP2 = 'HTTP/2:'
const FORWARDING = 'Forwarding:'
const TIMES = 'Times:'
const LIMITS = 'Limits:'

export const routerFlags = {
  port: {
    kind: 'value',
    group: PORTS,
    describe: 'Public port, for clients; 0 picks a free one',
    default: String(ROUTER_DEFAULTS.port),
    parse: port,
  },
  host: {
    kind: 'value',
    group: PORTS,
    describe: 'Address of the public port',
    default: ROUTER_DEFAULTS.host,
    parse: text,
  },
  'registration-port': {
    kind: 'value',
    group: PORTS,
    describe: 'Registration port, for connectors; 0 picks a free one',
    default: String(ROUTER_DEFAULTS.registrationPort),
    parse: port,
  },
  'registration-host': {
    kind: 'value',
    group: PORTS,
    describe: 'Address of the registration port',
    default: 'as --host',
    parse: text,
  },
  'admin-port': {
    kind: 'value',
    group: PORTS,
    describe: 'Port for /health and /api/registrations; 0 picks a free one',
    default: 'none is opened',
    parse: port,
  },
  'admin-host': {
    kind: 'value',
    group: PORTS,
    describe: 'Address of the admin port',
    default: ROUTER_DEFAULTS.adminHost,
    parse: text,
  },
  'tls-cert': {
    kind: 'list',
    group: TLS,
    describe:
      'Certificate chain of the public port, a PEM file; several are chosen from by the name the client asks for',
    parse: pemPath,
  },
  'tls-key': {
    kind: 'list',
    group: TLS,
    describe: 'Its private key, a PEM file; for several certificates as many, in the same order',
    parse: pemPath,
  },
  'registration-tls-cert': {
    kind: 'list',
    group: TLS,
    describe: 'Certificate chain of the registration port, a PEM file',
    default: 'as --tls-cert',
    parse: pemPath,
  },
  'registration-tls-key': {
    kind: 'list',
    group: TLS,
    describe: 'Its private key, a PEM file',
    default: 'as --tls-key',
    parse: pemPath,
  },
  'registration-plain': {
    kind: 'switch',
    group: TLS,
    describe: 'Registration port without TLS although --tls-cert is given',
  },
  'no-http2': { kind: 'switch', group: HTTP2, describe: 'Only HTTP/1.1 for clients, also over TLS' },
  'http2-cleartext': {
    kind: 'switch',
    group: HTTP2,
    describe: 'On a public port without TLS, also HTTP/2 by prior knowledge (RFC 9113)',
  },
  'http2-max-streams': {
    kind: 'value',
    group: HTTP2,
    describe: 'Requests at once on one HTTP/2 connection of a client',
    default: String(ROUTER_DEFAULTS.http2MaxStreams),
    parse: count(),
  },
  protocol: {
    kind: 'list',
    group: FORWARDING,
    describe: 'Cranker protocol versions spoken with connectors',
    default: ROUTER_DEFAULTS.protocols.join(','),
    parse: oneOf('3.0', '1.0'),
  },
  'via-name': {
    kind: 'value',
    group: FORWARDING,
    describe: 'This router in Via (RFC 9110) and Proxy-Status (RFC 9209)',
    default: ROUTER_DEFAULTS.viaName,
    parse: text,
  },
  'x-forwarded': {
    kind: 'switch',
    group: FORWARDING,
    describe: 'Also send X-Forwarded-For, -Proto, -Host, -Port and -Server; Forwarded (RFC 7239) is always sent',
  },
  'no-forward-host': { kind: 'switch', group: FORWARDING, describe: "Do not forward the client's Host header" },
  'no-websockets': { kind: 'switch', group: FORWARDING, describe: 'Answer WebSocket requests with 501' },
  'trusted-proxies': {
    kind: 'list',
    group: FORWARDING,
    describe: 'Networks (CIDR or address) whose Forwarded and X-Forwarded-* are believed and kept',
    default: 'none',
    parse: text,
  },
  'connector-wait': {
    kind: 'value',
    group: TIMES,
    describe: 'How long a request waits for a connector with room',
    default: durationText(ROUTER_DEFAULTS.connectorWait),
    parse: duration,
  },
  'idle-timeout': {
    kind: 'value',
    group: TIMES,
    describe: 'A request without a byte in either direction for this long is ended (504 before the head)',
    default: durationText(ROUTER_DEFAULTS.idleTimeout),
    parse: duration,
  },
  'upgrade-idle-timeout': {
    kind: 'value',
    group: TIMES,
    describe: 'A WebSocket without a byte in either direction for this long is cut; 0s: never',
    default: durationText(ROUTER_DEFAULTS.upgradeIdleTimeout),
    parse: duration,
  },
  'head-timeout': {
    kind: 'value',
    group: TIMES,
    describe: "From a client's first byte to the end of its request head",
    default: durationText(ROUTER_DEFAULTS.headTimeout),
    parse: duration,
  },
  'keep-alive-timeout': {
    kind: 'value',
    group: TIMES,
    describe: "Idle keep-alive connections of clients; longer than your load balancer's",
    default: durationText(ROUTER_DEFAULTS.keepAliveTimeout),
    parse: duration,
  },
  'ping-interval': {
    kind: 'value',
    group: TIMES,
    describe: 'Ping interval on tunnel sockets',
    default: durationText(ROUTER_DEFAULTS.pingInterval),
    parse: duration,
  },
  'dead-after': {
    kind: 'value',
    group: TIMES,
    describe: 'A tunnel socket without an inbound frame for this long is dead',
    default: durationText(ROUTER_DEFAULTS.deadAfter),
    parse: duration,
  },
  'route-keep-time': {
    kind: 'value',
    group: TIMES,
    describe: 'How long a route stays known after its last connector left: 503 instead of 404',
    default: durationText(ROUTER_DEFAULTS.routeKeepTime),
    parse: duration,
  },
  'start-grace': {
    kind: 'value',
    group: TIMES,
    describe: 'After the start, unknown routes are treated as known but absent for this long',
    default: durationText(ROUTER_DEFAULTS.startGrace),
    parse: duration,
  },
  'drain-timeout': {
    kind: 'value',
    group: TIMES,
    describe: 'How long running requests may take to finish after SIGTERM or SIGINT',
    default: durationText(ROUTER_DEFAULTS.drainTimeout),
    parse: duration,
  },
  'max-waiting': {
    kind: 'value',
    group: LIMITS,
    describe: 'Requests waiting for a connector, in all',
    default: String(ROUTER_DEFAULTS.maxWaiting),
    parse: count(0),
  },
  'max-waiting-per-route': {
    kind: 'value',
    group: LIMITS,
    describe: 'Requests waiting for one route',
    default: String(ROUTER_DEFAULTS.maxWaitingPerRoute),
    parse: count(0),
  },
  'max-head-size': {
    kind: 'value',
    group: LIMITS,
    describe: 'Largest request or response head',
    default: sizeText(ROUTER_DEFAULTS.maxHeadSize),
    parse: size,
  },
  'max-connections': {
    kind: 'value',
    group: LIMITS,
    describe: 'Client connections at once; further ones are closed',
    default: String(ROUTER_DEFAULTS.maxConnections),
    parse: count(),
  },
  'max-streams': {
    kind: 'value',
    group: LIMITS,
    describe: 'Requests at once on one 3.0 tunnel socket',
    default: String(ROUTER_DEFAULTS.maxStreams),
    parse: count(),
  },
  'max-sockets-per-identity': {
    kind: 'value',
    group: LIMITS,
    describe: "Tunnel sockets of one identity (a connector's address)",
    default: String(ROUTER_DEFAULTS.maxSocketsPerIdentity),
    parse: count(),
  },
  'max-routes': {
    kind: 'value',
    group: LIMITS,
    describe: 'Routes known at once, over all domains, including those whose last connector left lately',
    default: String(ROUTER_DEFAULTS.maxRoutes),
    parse: count(),
  },
  ...logFlags,
  'no-access-log': { kind: 'switch', group: 'Logging:', describe: 'No log line per request' },
} satisfies Record<string, Flag>

export type RouterFlagValues = FlagValues<typeof routerFlags>

/** @throws UsageError when flags contradict each other */
export function routerOptions(values: RouterFlagValues, log: Log): RouterOptions {
  const complete: Complete<RouterOptions> = {
    host: values.host,
    port: values.port,
    registrationHost: values['registration-host'],
    registrationPort: values['registration-port'],
    tls: pairs('tls-cert', values['tls-cert'], 'tls-key', values['tls-key']),
    registrationTls: registrationTls(values),
    adminHost: values['admin-host'],
    adminPort: values['admin-port'],
    http2: !values['no-http2'],
    http2Cleartext: values['http2-cleartext'],
    http2MaxStreams: values['http2-max-streams'],
    protocols: values.protocol,
    connectorWait: values['connector-wait'],
    maxWaiting: values['max-waiting'],
    maxWaitingPerRoute: values['max-waiting-per-route'],
    idleTimeout: values['idle-timeout'],
    webSockets: !values['no-websockets'],
    upgradeIdleTimeout: values['upgrade-idle-timeout'],
    headTimeout: values['head-timeout'],
    keepAliveTimeout: values['keep-alive-timeout'],
    pingInterval: values['ping-interval'],
    deadAfter: values['dead-after'],
    routeKeepTime: values['route-keep-time'],
    startGrace: values['start-grace'],
    viaName: values['via-name'],
    xForwarded: values['x-forwarded'],
    forwardHost: !values['no-forward-host'],
    trustedProxies: values['trusted-proxies'],
    maxHeadSize: values['max-head-size'],
    maxConnections: values['max-connections'],
    maxStreams: values['max-streams'],
    maxSocketsPerIdentity: values['max-sockets-per-identity'],
    maxRoutes: values['max-routes'],
    drainTimeout: values['drain-timeout'],
    logger: log,
    traceFrames: values['trace-frames'] ? printFrame : undefined,
    accessLog:
      values['no-access-log'] || !log.informs
        ? undefined
        : (entry) => {
            log.info(entry, 'request')
          },
  }
  return withoutUndefined<RouterOptions>(complete)
}

function registrationTls(values: RouterFlagValues): readonly TlsFiles[] | false | undefined {
  const cert = values['registration-tls-cert']
  const tls = pairs('registration-tls-cert', cert, 'registration-tls-key', values['registration-tls-key'])
  if (!values['registration-plain']) return tls
  if (tls !== undefined) throw new UsageError('--registration-plain and --registration-tls-cert exclude each other')
  return false
}

/** The first certificate with the first key, and so on. */
function pairs(
  certFlag: string,
  certs: readonly string[] = [],
  keyFlag: string,
  keys: readonly string[] = [],
): readonly TlsFiles[] | undefined {
  if (certs.length > keys.length) throw new UsageError(`each --${certFlag} needs a --${keyFlag}, in the same order`)
  if (keys.length > certs.length) throw new UsageError(`each --${keyFlag} needs a --${certFlag}, in the same order`)
  return certs.length === 0 ? undefined : certs.map((certFile, i) => ({ certFile, keyFile: keys[i] as string }))
}
