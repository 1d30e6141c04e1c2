/** The request with which a connector offers (`/register`) or withdraws (`/deregister`) itself. */
import { CrankerError } from './errors.js'
import { EXTENSIONS_HEADER } from './extensions.js'
import type { RawHeaders } from './head.js'
import { MAX_DOMAIN_LENGTH, MAX_REGISTRATION_NAME_LENGTH, MAX_ROUTE_LENGTH } from './limits.js'
import { LEGACY_HEADER, LEGACY_VERSION } from './negotiate.js'

/** The catch-all route, and "any domain". */
const ANY = '*'

export type RegistrationKind = 'register' | 'deregister'

export interface Registration {
  readonly kind: RegistrationKind
  /** A valid route name. */
  readonly route: string
  /** Normalized. */
  readonly domain: string
  /** Undefined when the connector sent none (npm-cranker-connector, go-cranker-connector, crank4j). */
  readonly connectorInstanceID: string | undefined
  /** Empty when the connector sent none. */
  readonly componentName: string
}

/** What a connector says about itself. */
export interface RegistrationIdentity {
  readonly connectorInstanceID: string
  readonly componentName: string
}

/** What it offers. */
export interface RegistrationOffer {
  readonly route: string
  readonly domain: string
  /** The value of `Cranker-Extensions`; undefined: announce nothing. */
  readonly extensions: string | undefined
}

/**
 * Whether this is `*` or a path prefix: `[a-zA-Z0-9/_.-]+`, no slash at the ends, no empty segment, no segment that
 * ends in `.` or contains `..`. A route is chosen by whoever registers and becomes a pattern of a path router: nothing
 * that means something there may pass.
 */
export function isRouteName(route: string): boolean {
  if (route === ANY) return true
  if (route.length > MAX_ROUTE_LENGTH || !/^[a-zA-Z0-9/_.-]+$/.test(route)) return false
  return route.split('/').every((segment) => segment !== '' && !segment.endsWith('.') && !segment.includes('..'))
}

/**
 * A host as domains are compared: lower case, no port, no trailing dot; empty or `*` is {@link ANY}. Undefined: it is
 * no host.
 */
export function normalizeDomain(domain: string): string | undefined {
  const trimmed = domain.trim()
  if (trimmed === '' || trimmed === ANY) return ANY
  const host = trimmed.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '')
  if (host.length > MAX_DOMAIN_LENGTH) return undefined
  return /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])$/.test(host) ? host : undefined
}

/** The kind of request by its path, or undefined for any other path. The slash at the end is optional. */
export function registrationKind(target: string): RegistrationKind | undefined {
  switch (target.split('?', 1)[0]) {
    case '/register':
    case '/register/':
      return 'register'
    case '/deregister':
    case '/deregister/':
      return 'deregister'
    default:
      return undefined
  }
}

/**
 * Reads a registration or deregistration; undefined for any other path. A missing or empty `Route` or `Domain` is `*`.
 * @throws CrankerError CRANKER_ERR_REGISTRATION, whose message may be shown to the connector.
 */
export function parseRegistration(target: string, headers: RawHeaders): Registration | undefined {
  const kind = registrationKind(target)
  if (kind === undefined) return undefined
  const route = single(headers, 'route') || ANY
  if (!isRouteName(route)) {
    throw refused(
      'Route must be * or a path prefix of letters, digits, "_", "-", "." and "/", without slashes at the ends',
    )
  }
  const domain = normalizeDomain(single(headers, 'domain'))
  if (domain === undefined) throw refused('Domain must be * or a host name')
  const question = target.indexOf('?')
  const query = new URLSearchParams(question === -1 ? '' : target.slice(question + 1))
  return {
    kind,
    route,
    domain,
    connectorInstanceID: printable(query, 'connectorInstanceID') || undefined,
    componentName: printable(query, 'componentName'),
  }
}

/** The path and query of a registration or deregistration. */
export function formatRegistrationTarget(kind: RegistrationKind, identity: RegistrationIdentity): string {
  const id = encodeURIComponent(identity.connectorInstanceID)
  const name = encodeURIComponent(identity.componentName)
  return `/${kind}/?connectorInstanceID=${id}&componentName=${name}`
}

/** The fields of a registration or deregistration, besides those of the WebSocket handshake. */
export function formatRegistrationHeaders(kind: RegistrationKind, offer: RegistrationOffer): string[] {
  const headers = [LEGACY_HEADER, LEGACY_VERSION, 'Route', offer.route, 'Domain', offer.domain]
  if (kind === 'register' && offer.extensions !== undefined) headers.push(EXTENSIONS_HEADER, offer.extensions)
  return headers
}

/** The field's value, or an empty string. Two that differ are ambiguous: whichever we took, a proxy may see the other. */
function single(headers: RawHeaders, name: string): string {
  let found: string | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== name) continue
    const value = (headers[i + 1] as string).trim()
    if (found !== undefined && found !== value) throw refused(`there are two different ${name} fields`)
    found = value
  }
  return found ?? ''
}

/** A name that goes into logs and status pages. */
function printable(query: URLSearchParams, key: string): string {
  const value = query.get(key) ?? ''
  if (value.length > MAX_REGISTRATION_NAME_LENGTH || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(value)) {
    throw refused(`${key} must be at most ${MAX_REGISTRATION_NAME_LENGTH} printable characters`)
  }
  return value
}

function refused(message: string): CrankerError {
  return new CrankerError('CRANKER_ERR_REGISTRATION', message, { initiator: 'peer', delivered: 'no' })
}
