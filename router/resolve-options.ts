import { DEAD_AFTER_MS, MAX_HEAD_BYTES, PING_INTERVAL_MS, V3_MAX_STREAMS } from '../protocol/limits.js'
import { type Logger, silentLogger } from '../protocol/logger.js'
import type { ProtocolVersion } from '../protocol/session.js'
import * as check from './option-checks.js'
import type { ResolvedRouterOptions, RouterOptions, TlsSource } from './options.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** The defaults that are plain values. {@link RouterOptions} says what each is for. */
export const ROUTER_DEFAULTS = {
  host: '0.0.0.0',
  port: 8080,
  registrationPort: 8081,
  adminHost: '127.0.0.1',
  protocols: ['3.0', '1.0'] as readonly ProtocolVersion[],
  /** Longer than a connector's reconnect, shorter than clients' patience. */
  connectorWait: 5 * SECOND,
  maxWaiting: 1_000,
  maxWaitingPerRoute: 100,
  idleTimeout: 5 * MINUTE,
  webSockets: true,
  /** Applications that care send pings oftener; the others are dead or forgotten by then. */
  upgradeIdleTimeout: HOUR,
  headTimeout: 10 * SECOND,
  /** Load balancers commonly keep connections for 60 s: they must be the ones that close. */
  keepAliveTimeout: 75 * SECOND,
  pingInterval: PING_INTERVAL_MS,
  deadAfter: DEAD_AFTER_MS,
  routeKeepTime: 2 * HOUR,
  /** Connectors reconnect within seconds; a restarted router must not answer 404 for them. */
  startGrace: 30 * SECOND,
  http2: true,
  http2Cleartext: false,
  /** As many as common servers allow, and enough for any page; the windows of so many streams are what one client can fill. */
  http2MaxStreams: 128,
  viaName: 'cranker',
  xForwarded: false,
  forwardHost: true,
  maxHeadSize: MAX_HEAD_BYTES,
  maxConnections: 20_000,
  maxStreams: V3_MAX_STREAMS,
  maxSocketsPerIdentity: 1_000,
  maxRoutes: 10_000,
  drainTimeout: 30 * SECOND,
} as const

const OPTION_NAMES: ReadonlySet<string> = new Set([
  ...Object.keys(ROUTER_DEFAULTS),
  'registrationHost',
  'tls',
  'registrationTls',
  'adminPort',
  'trustedProxies',
  'logger',
  'accessLog',
  'traceFrames',
])

/**
 * Checks every option and fills in the defaults.
 *
 * @throws {CrankerError} CRANKER_ERR_OPTION naming the option, the bad value and what is expected.
 */
export function resolveRouterOptions(options: RouterOptions = {}): ResolvedRouterOptions {
  for (const name of Object.keys(options)) {
    if (!OPTION_NAMES.has(name)) {
      throw check.badOption(
        name,
        (options as Record<string, unknown>)[name],
        `one of ${[...OPTION_NAMES].sort().join(', ')}`,
      )
    }
  }
  const given = { ...ROUTER_DEFAULTS, ...withoutUndefined(options) }
  const host = check.host('host', given.host)
  const tls = given.tls === undefined ? undefined : check.tls('tls', given.tls)
  const pingInterval = check.time('pingInterval', given.pingInterval, 10)
  const deadAfter = check.time('deadAfter', given.deadAfter, 20)
  if (deadAfter <= pingInterval) {
    throw check.badOption('deadAfter', deadAfter, `longer than \`pingInterval\` (${pingInterval} ms)`)
  }
  return {
    host,
    port: check.port('port', given.port),
    registrationHost:
      given.registrationHost === undefined ? host : check.host('registrationHost', given.registrationHost),
    registrationPort: check.port('registrationPort', given.registrationPort),
    tls,
    registrationTls: registrationTls(given.registrationTls, tls),
    http2: check.flag('http2', given.http2),
    http2Cleartext: http2Cleartext(given.http2Cleartext, tls),
    http2MaxStreams: check.count('http2MaxStreams', given.http2MaxStreams, 1, 1_024),
    adminHost: check.host('adminHost', given.adminHost),
    adminPort: given.adminPort === undefined ? undefined : check.port('adminPort', given.adminPort),
    protocols: check.oneOrMore('protocols', given.protocols, ['3.0', '1.0']),
    connectorWait: check.time('connectorWait', given.connectorWait, 0),
    maxWaiting: check.count('maxWaiting', given.maxWaiting, 0),
    maxWaitingPerRoute: check.count('maxWaitingPerRoute', given.maxWaitingPerRoute, 0),
    idleTimeout: check.time('idleTimeout', given.idleTimeout, 1),
    webSockets: check.flag('webSockets', given.webSockets),
    upgradeIdleTimeout: check.time('upgradeIdleTimeout', given.upgradeIdleTimeout, 0),
    headTimeout: check.time('headTimeout', given.headTimeout, 1),
    keepAliveTimeout: check.time('keepAliveTimeout', given.keepAliveTimeout, 1),
    pingInterval,
    deadAfter,
    routeKeepTime: check.time('routeKeepTime', given.routeKeepTime, 0),
    startGrace: check.time('startGrace', given.startGrace, 0),
    viaName: check.token('viaName', given.viaName),
    xForwarded: check.flag('xForwarded', given.xForwarded),
    forwardHost: check.flag('forwardHost', given.forwardHost),
    trustedProxies: check.networks('trustedProxies', given.trustedProxies ?? []),
    maxHeadSize: check.count('maxHeadSize', given.maxHeadSize, 1_024, 1_048_576),
    maxConnections: check.count('maxConnections', given.maxConnections, 1),
    maxStreams: check.count('maxStreams', given.maxStreams, 1, 65_536),
    maxSocketsPerIdentity: check.count('maxSocketsPerIdentity', given.maxSocketsPerIdentity, 1),
    maxRoutes: check.count('maxRoutes', given.maxRoutes, 1),
    drainTimeout: check.time('drainTimeout', given.drainTimeout, 0),
    logger: logger(given.logger),
    accessLog: callback('accessLog', given.accessLog),
    traceFrames: callback('traceFrames', given.traceFrames),
  }
}

/** An option that is given as undefined is an option that is not given. */
function withoutUndefined(options: RouterOptions): RouterOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function http2Cleartext(given: boolean, tls: readonly TlsSource[] | undefined): boolean {
  if (check.flag('http2Cleartext', given) && tls !== undefined) {
    throw check.badOption('http2Cleartext', given, 'false where `tls` is set: such a port speaks HTTP/2 by itself')
  }
  return given
}

function registrationTls(
  given: TlsSource | readonly TlsSource[] | false | undefined,
  publicTls: readonly TlsSource[] | undefined,
): readonly TlsSource[] | undefined {
  if (given === undefined) return publicTls
  return given === false ? undefined : check.tls('registrationTls', given)
}

function logger(given: Logger | undefined): Logger {
  if (given === undefined) return silentLogger
  const methods = ['debug', 'info', 'warn', 'error'] as const
  // Callers without types may give anything.
  const object: unknown = given
  if (typeof object !== 'object' || object === null || methods.some((name) => typeof given[name] !== 'function')) {
    throw check.badOption('logger', given, 'an object with the methods debug, info, warn and error')
  }
  return given
}

function callback<T>(name: string, given: T | undefined): T | undefined {
  if (given !== undefined && typeof given !== 'function') throw check.badOption(name, given, 'a function')
  return given
}
