/** The connector's flags and what they mean as {@link ConnectorOptions}. */

import { connectorDefaults, type ConnectorOptions, type RouteOption } from '../connector/options.js'
import { withoutUndefined, type Complete } from './complete.js'
import type { Flag, FlagValues } from './flags.js'
import { logFlags, printFrame, type Log } from './logging.js'
import { count, duration, durationText, header, oneOf, pemFile, size, sizeText, text, UsageError } from './values.js'

const WHAT = 'What is connected:'
const REGISTRATION = 'Registration:'
const TIMES = 'Times:'
const LIMITS = 'Limits:'

/** `shop=http://localhost:3000`, or `shop` alone, whose target is --target. */
function route(value: string): { readonly route: string; readonly target: string | undefined } {
  const at = value.indexOf('=')
  if (at === -1) return { route: value, target: undefined }
  if (at === 0 || at === value.length - 1) throw new UsageError('expected route=target URL, or a route alone')
  return { route: value.slice(0, at), target: value.slice(at + 1) }
}

export const connectorFlags = {
  router: {
    kind: 'list',
    group: WHAT,
    describe:
      'Registration URL of a router, ws:// or wss://; repeat it, or separate with commas. Each name is resolved to all of its addresses',
    parse: text,
  },
  route: {
    kind: 'list',
    group: WHAT,
    describe:
      "Path prefix, '*' for all, with its target (shop=http://localhost:3000) or alone (target: --target); repeat it, or separate with commas",
    parse: route,
  },
  target: {
    kind: 'value',
    group: WHAT,
    describe: 'URL of the service; the path of a request is appended whole',
    parse: text,
  },
  'target-protocol': {
    kind: 'value',
    group: WHAT,
    describe:
      'What is spoken with the service: http1, http2 (to http:// by prior knowledge; gRPC needs it), or auto: http1 to http://, to https:// what the service prefers',
    default: connectorDefaults.targetProtocol,
    parse: oneOf('auto', 'http1', 'http2'),
  },
  domain: { kind: 'value', group: WHAT, describe: 'Host that the routes are for', default: '*, any', parse: text },
  window: {
    kind: 'value',
    group: REGISTRATION,
    describe: 'Idle sockets (1.0), or sockets (3.0), kept per router and route',
    default: String(connectorDefaults.window),
    parse: count(),
  },
  'max-window': {
    kind: 'value',
    group: REGISTRATION,
    describe: 'To how many the window grows on 1.0 under demand',
    default: String(connectorDefaults.maxWindow),
    parse: count(),
  },
  protocol: {
    kind: 'list',
    group: REGISTRATION,
    describe: 'Cranker protocol versions, offered in this order',
    default: connectorDefaults.protocols.join(','),
    parse: oneOf('3.0', '1.0'),
  },
  'component-name': {
    kind: 'value',
    group: REGISTRATION,
    describe: 'Name for status pages',
    default: connectorDefaults.componentName,
    parse: text,
  },
  'instance-id': {
    kind: 'value',
    group: REGISTRATION,
    describe: 'Identifies this process',
    default: 'a new UUID',
    parse: text,
  },
  'registration-header': {
    kind: 'lines',
    group: REGISTRATION,
    describe: 'name:value, sent with every registration; repeat it (in the environment variable: one per line)',
    parse: header,
  },
  ca: {
    kind: 'value',
    group: REGISTRATION,
    describe: "CA certificates that routers' certificates are checked against, a PEM file",
    default: "Node's",
    parse: pemFile,
  },
  'insecure-skip-verify': {
    kind: 'switch',
    group: REGISTRATION,
    describe: 'Accept any router certificate. For tests only',
  },
  'discovery-interval': {
    kind: 'value',
    group: TIMES,
    describe: "How often the routers' names are resolved again",
    default: durationText(connectorDefaults.discoveryInterval),
    parse: duration,
  },
  'backoff-base': {
    kind: 'value',
    group: TIMES,
    describe: 'Reconnect after a random time up to base, 2 · base, 4 · base…',
    default: durationText(connectorDefaults.backoffBase),
    parse: duration,
  },
  'backoff-max': {
    kind: 'value',
    group: TIMES,
    describe: '…and at most this',
    default: durationText(connectorDefaults.backoffMax),
    parse: duration,
  },
  'idle-timeout': {
    kind: 'value',
    group: TIMES,
    describe: 'A request without a byte in either direction for this long is ended',
    default: durationText(connectorDefaults.idleTimeout),
    parse: duration,
  },
  'target-connect-timeout': {
    kind: 'value',
    group: TIMES,
    describe: 'To connect to the target',
    default: durationText(connectorDefaults.targetConnectTimeout),
    parse: duration,
  },
  'ping-interval': {
    kind: 'value',
    group: TIMES,
    describe: 'Ping interval on tunnel sockets',
    default: durationText(connectorDefaults.pingInterval),
    parse: duration,
  },
  'dead-after': {
    kind: 'value',
    group: TIMES,
    describe: 'A tunnel socket without an inbound frame for this long is dead',
    default: durationText(connectorDefaults.deadAfter),
    parse: duration,
  },
  'drain-timeout': {
    kind: 'value',
    group: TIMES,
    describe: 'How long running requests may take to finish after SIGTERM or SIGINT',
    default: durationText(connectorDefaults.drainTimeout),
    parse: duration,
  },
  'max-streams': {
    kind: 'value',
    group: LIMITS,
    describe: 'Requests at once on one 3.0 tunnel socket',
    default: String(connectorDefaults.maxStreams),
    parse: count(),
  },
  'target-max-connections': {
    kind: 'value',
    group: LIMITS,
    describe: 'Connections to one target; beyond, requests are refused so that the router may choose another connector',
    default: String(connectorDefaults.targetMaxConnections),
    parse: count(),
  },
  'max-head-size': {
    kind: 'value',
    group: LIMITS,
    describe: 'Largest request or response head',
    default: sizeText(connectorDefaults.maxHeadSize),
    parse: size,
  },
  ...logFlags,
} satisfies Record<string, Flag>

export type ConnectorFlagValues = FlagValues<typeof connectorFlags>

/** @throws UsageError when something is missing, or flags contradict each other */
export function connectorOptions(values: ConnectorFlagValues, log: Log): ConnectorOptions {
  const routers = values.router ?? []
  if (routers.length === 0) throw new UsageError('--router is missing, for instance --router ws://router.example:8081')
  const complete: Complete<ConnectorOptions> = {
    routers,
    route: undefined,
    target: undefined,
    routes: routes(values),
    targetProtocol: values['target-protocol'],
    domain: values.domain,
    window: values.window,
    maxWindow: values['max-window'],
    protocols: values.protocol,
    componentName: values['component-name'],
    instanceId: values['instance-id'],
    registrationHeaders: registrationHeaders(values['registration-header']),
    ca: values.ca,
    insecureSkipVerify: values['insecure-skip-verify'],
    discoveryInterval: values['discovery-interval'],
    backoffBase: values['backoff-base'],
    backoffMax: values['backoff-max'],
    maxStreams: values['max-streams'],
    idleTimeout: values['idle-timeout'],
    targetConnectTimeout: values['target-connect-timeout'],
    targetMaxConnections: values['target-max-connections'],
    maxHeadSize: values['max-head-size'],
    pingInterval: values['ping-interval'],
    deadAfter: values['dead-after'],
    drainTimeout: values['drain-timeout'],
    logger: log,
    traceFrames: values['trace-frames'] ? printFrame : undefined,
  }
  return withoutUndefined<ConnectorOptions>(complete)
}

function routes(values: ConnectorFlagValues): RouteOption[] {
  const given = values.route ?? []
  if (given.length === 0)
    throw new UsageError("--route is missing, for instance --route my-service, or --route '*' for all")
  const result = given.map((one) => {
    const target = one.target ?? values.target
    if (target === undefined) {
      throw new UsageError(`--route ${one.route} has no target: add --target URL, or write --route ${one.route}=URL`)
    }
    return { route: one.route, target }
  })
  if (values.target !== undefined && given.every((one) => one.target !== undefined)) {
    throw new UsageError('--target is given, but every --route has its own target')
  }
  return result
}

function registrationHeaders(
  headers: readonly (readonly [name: string, value: string])[] | undefined,
): Record<string, string> | undefined {
  if (headers === undefined) return undefined
  const names = headers.map(([name]) => name.toLowerCase())
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new UsageError(`--registration-header ${twice} was given more than once`)
  return Object.fromEntries(headers)
}
