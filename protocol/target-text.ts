/** Request targets (RFC 9112 §3.2.1) on their way to peers that parse them. */
import type { Capabilities } from './session.js'

/** Controls, `#`, and a `%` that begins no escape. */
const NOT_FORWARDABLE = /[\0-\x20\x7f#]|[^\0-\xff]|%(?![0-9A-Fa-f]{2})/

/** What java.net.URI (RFC 2396: "unwise") rejects anywhere, and 8-bit octets, which it would re-encode. */
const STRICT_ANYWHERE = /[ "<>\\^`{|}\x80-\xff]/g
/** `[` and `]` are legal to it in the query only. */
const STRICT_IN_PATH = /[ "<>[\\\]^`{|}\x80-\xff]/g
/** Whether there is anything to do; most targets have nothing. */
const STRICT_TEST = /[ "<>[\\\]^`{|}\x80-\xff]/

/**
 * Whether a target can be forwarded at all. `#` never appears in a request target (RFC 9112 §3.2); `%zz` and controls
 * end whole sockets of published connectors (cranker-connector) with all requests on them.
 */
export function isForwardableTarget(target: string): boolean {
  return target !== '' && !NOT_FORWARDABLE.test(target)
}

/**
 * Percent-encodes the octets that java.net.URI rejects: browsers send `|{}^[]` raw in queries, and one of them ends a
 * whole 3.0 socket of cranker-connector. An equivalent target: none of these octets is a delimiter (RFC 3986 §2.2)
 * except `[` and `]`, which are none in a path.
 */
export function encodeTargetForStrictPeers(target: string): string {
  if (!STRICT_TEST.test(target)) return target
  const query = target.indexOf('?')
  if (query === -1) return target.replace(STRICT_IN_PATH, percent)
  return target.slice(0, query).replace(STRICT_IN_PATH, percent) + target.slice(query).replace(STRICT_ANYWHERE, percent)
}

/** The target as it is sent to a peer: byte for byte if it takes that. */
export function targetFor(capabilities: Capabilities, target: string): string {
  return capabilities.rawTarget ? target : encodeTargetForStrictPeers(target)
}

function percent(octet: string): string {
  return `%${octet.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}
