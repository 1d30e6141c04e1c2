/** A snapshot for status pages. */
import type { ErrorCode } from '../protocol/errors.js'
import type { ProtocolVersion } from '../protocol/session.js'
import type { RegistrationInfo } from './events.js'
import type { Registration, RegistrationState } from './registration.js'
import { routerName } from './router-url.js'

export interface SocketStatus {
  readonly version: ProtocolVersion
  /** Requests running now. */
  readonly inFlight: number
  /** Takes new requests, now or when others are done. */
  readonly accepting: boolean
  /** Latest round trip, ms; undefined before the first pong. */
  readonly roundTrip: number | undefined
  /** Body bytes carried so far. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Requests that came over it so far. */
  readonly requests: number
  /** ms since it was opened. */
  readonly age: number
}

export interface RegistrationStatus extends RegistrationInfo {
  readonly state: RegistrationState
  /** Sockets kept ready now. */
  readonly window: number
  /** ms until the next attempt; undefined when none is being waited for. */
  readonly retryIn: number | undefined
  /** Why the latest attempt failed; undefined since one has succeeded. */
  readonly lastError: { readonly code: ErrorCode; readonly message: string } | undefined
  readonly sockets: readonly SocketStatus[]
}

export interface ConnectorStatus {
  readonly instanceId: string
  readonly componentName: string
  readonly state: 'running' | 'draining' | 'closed'
  readonly registrations: readonly RegistrationStatus[]
}

export function infoOf({ endpoint, route }: Registration): RegistrationInfo {
  return {
    router: routerName(endpoint.router),
    address: endpoint.address,
    route: route.route,
    domain: route.domain,
  }
}

export function statusOf(registration: Registration): RegistrationStatus {
  const sockets: SocketStatus[] = []
  for (const { session, requests, age, over } of registration.tunnels) {
    if (session === undefined || over) continue
    const { version, load, accepting, roundTrip, bytesIn, bytesOut } = session
    sockets.push({ version, inFlight: load, accepting, roundTrip, bytesIn, bytesOut, requests, age })
  }
  const { state, window, retryIn, lastError } = registration
  return {
    ...infoOf(registration),
    state,
    window,
    retryIn,
    lastError: lastError === undefined ? undefined : { code: lastError.code, message: lastError.message },
    sockets,
  }
}
