/** Which protocol version a tunnel socket speaks: by WebSocket subprotocol, or by the legacy header. */
import type { ProtocolVersion } from './session.js'

/** Legacy negotiation: always sent with a registration, and on the 101 of a 1.0 socket (crank4j insists on it). */
export const LEGACY_HEADER = 'CrankerProtocol'
export const LEGACY_VERSION = '1.0'

/** In the order in which they are preferred. */
export const ALL_VERSIONS: readonly ProtocolVersion[] = ['3.0', '1.0']

export interface Negotiated {
  readonly version: ProtocolVersion
  /**
   * To echo in `Sec-WebSocket-Protocol`; undefined: echo nothing. Clients fail a handshake whose answer names one that
   * they did not offer (ws, cranker-node-connector, npm-cranker-connector, go-cranker-connector).
   */
  readonly subprotocol: string | undefined
}

export interface NegotiationRequest {
  /** `Sec-WebSocket-Protocol`, a comma-separated list. */
  readonly subprotocols: string | undefined
  /** The legacy header. */
  readonly crankerProtocol: string | undefined
  readonly supported: readonly ProtocolVersion[]
}

/**
 * The router's choice: the first subprotocol *offered* that it supports, else what the legacy header says. Undefined:
 * refuse the registration with 400.
 */
export function negotiate(request: NegotiationRequest): Negotiated | undefined {
  for (const offered of (request.subprotocols ?? '').split(',')) {
    const subprotocol = offered.trim()
    const version = versionOf(subprotocol)
    if (version !== undefined && request.supported.includes(version)) return { version, subprotocol }
  }
  if (request.crankerProtocol?.trim() === LEGACY_VERSION && request.supported.includes(LEGACY_VERSION)) {
    return { version: LEGACY_VERSION, subprotocol: undefined }
  }
  return undefined
}

/** What a connector offers, in its order of preference. */
export function offeredSubprotocols(versions: readonly ProtocolVersion[]): string[] {
  return versions.map(subprotocolOf)
}

export interface NegotiationAnswer {
  /** What the 101 echoes, or undefined. */
  readonly subprotocol: string | undefined
  /** The legacy header of the 101, if any. */
  readonly crankerProtocol: string | undefined
  /** What we offered. */
  readonly offered: readonly ProtocolVersion[]
}

/**
 * What a router's 101 means to the connector. A router that knows no subprotocols (crank4go, crank4j) echoes none and
 * speaks 1.0. Undefined: the answer fits nothing that was offered; give the socket up.
 */
export function answeredVersion(answer: NegotiationAnswer): ProtocolVersion | undefined {
  const { subprotocol, crankerProtocol, offered } = answer
  if (subprotocol !== undefined && subprotocol !== '') {
    const version = versionOf(subprotocol)
    return version !== undefined && offered.includes(version) ? version : undefined
  }
  if (crankerProtocol !== undefined && crankerProtocol.trim() !== LEGACY_VERSION) return undefined
  return offered.includes(LEGACY_VERSION) ? LEGACY_VERSION : undefined
}

function subprotocolOf(version: ProtocolVersion): string {
  return `cranker_${version}`
}

function versionOf(subprotocol: string): ProtocolVersion | undefined {
  return ALL_VERSIONS.find((version) => subprotocolOf(version) === subprotocol)
}
