import type { IncomingMessage } from 'node:http'
import { plainAddress } from '../../protocol/address.js'
import { CrankerError } from '../../protocol/errors.js'
import {
  capabilitiesOf,
  EXTENSIONS_HEADER,
  formatExtensions,
  OUR_EXTENSIONS,
  parseExtensions,
} from '../../protocol/extensions.js'
import { LEGACY_HEADER, LEGACY_VERSION, negotiate } from '../../protocol/negotiate.js'
import { parseRegistration, type Registration } from '../../protocol/registration.js'
import type { Capabilities, ProtocolVersion } from '../../protocol/session.js'
import type { Refusal } from './refusal.js'
import type { Registrant } from './registered.js'

/** What a connector's upgrade request asks for, after every check that needs no state. */
export type Handshake =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'deregister'; readonly registration: Registration }
  | {
      readonly kind: 'register'
      readonly registrant: Registrant
      readonly version: ProtocolVersion
      readonly capabilities: Capabilities
      /** For the 101. */
      readonly subprotocol: string | undefined
      readonly headers: readonly string[]
    }

/** What a request to anything but the two registration paths is told. */
export const NOT_HERE: Refusal = {
  status: 404,
  code: 'CRANKER_ERR_REGISTRATION',
  message: 'This port is for connectors: they open WebSockets to /register/. Clients use the public port.',
}

/** What a request to a registration path is told that is no WebSocket handshake. */
export const NO_WEBSOCKET: Refusal = {
  status: 426,
  code: 'CRANKER_ERR_REGISTRATION',
  message: 'Connectors open a WebSocket here: GET with Upgrade: websocket (RFC 6455, version 13).',
}

/** RFC 9110 §9.3.8: TRACE would reflect credentials; RFC 6455 §4.1: a handshake is a GET. */
export const ONLY_GET: Refusal = { status: 405, code: 'CRANKER_ERR_METHOD', message: 'Connectors register with GET.' }

export function readHandshake(req: IncomingMessage, supported: readonly ProtocolVersion[]): Handshake {
  if (req.method !== 'GET') return refused(ONLY_GET)
  let registration: Registration | undefined
  try {
    registration = parseRegistration(req.url ?? '', req.rawHeaders)
  } catch (error) {
    if (error instanceof CrankerError) return refused({ status: 400, code: error.code, message: `${error.message}.` })
    throw error
  }
  if (registration === undefined) return refused(NOT_HERE)
  if (!isWebSocket(req)) return refused(NO_WEBSOCKET)
  // The same for every version, and some peers send none: no version check (protocol: deregistration).
  if (registration.kind === 'deregister') return { kind: 'deregister', registration }

  const legacy = field(req, LEGACY_HEADER)
  const chosen = negotiate({ subprotocols: field(req, 'Sec-WebSocket-Protocol'), crankerProtocol: legacy, supported })
  if (chosen === undefined) {
    const message = `No common protocol version. Offer ${supported.map((each) => `cranker_${each}`).join(' or ')} in Sec-WebSocket-Protocol.`
    return refused({ status: 400, code: 'CRANKER_ERR_REGISTRATION', message })
  }
  const extensions = field(req, EXTENSIONS_HEADER)
  const headers: string[] = []
  // crank4j's connector insists on it on 1.0. A peer that chose by subprotocol alone does not read it.
  headers.push(LEGACY_HEADER, LEGACY_VERSION)
  if (extensions !== undefined) headers.push(EXTENSIONS_HEADER, formatExtensions())
  return {
    kind: 'register',
    registrant: registrantOf(registration, req),
    version: chosen.version,
    capabilities: capabilitiesOf(OUR_EXTENSIONS, parseExtensions(extensions), chosen.version),
    subprotocol: chosen.subprotocol,
    headers,
  }
}

/** The address of whoever sent this, IPv4 in its own notation also on a dual-stack socket. */
export function remoteAddress(req: IncomingMessage): string {
  return plainAddress(req.socket.remoteAddress) || 'unknown'
}

function registrantOf(registration: Registration, req: IncomingMessage): Registrant {
  const address = remoteAddress(req)
  const { route, domain, connectorInstanceID, componentName } = registration
  return {
    route,
    domain,
    connectorInstanceID: connectorInstanceID ?? `unknown-${address}`,
    named: connectorInstanceID !== undefined,
    componentName: componentName === '' ? `unknown-${address}` : componentName,
    identity: address,
    remoteAddress: address,
    remotePort: req.socket.remotePort ?? 0,
  }
}

/** RFC 6455 §4.2.1. Any other token in `Upgrade` is not for this port: Java's HttpClient sends `h2c`. */
function isWebSocket(req: IncomingMessage): boolean {
  return (
    req.headers.upgrade?.toLowerCase() === 'websocket' &&
    req.headers['sec-websocket-version'] === '13' &&
    /^[+/0-9A-Za-z]{22}==$/.test(req.headers['sec-websocket-key'] ?? '')
  )
}

function field(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

function refused(refusal: Refusal): Handshake {
  return { kind: 'refused', refusal }
}
