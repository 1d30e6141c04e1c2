/** Trailer sections (RFC 9110 §6.5; docs/protocol.md §9.2): which fields may be in one, and who is told of them. */
import type { RawHeaders } from './head.js'
import { FORWARDING_FIELDS, isHopByHop } from './hop-by-hop.js'
import { isToken, NOT_IN_VALUE } from './token.js'

/**
 * RFC 9110 §6.5.1: framing, routing, credentials, request modifiers, and what says how the content is to be read or
 * kept. Whoever merges a trailer section into the head would believe them too late, past every check of the head.
 */
const NEVER_IN_TRAILERS: ReadonlySet<string> = new Set([
  ...FORWARDING_FIELDS,
  'age',
  'authorization',
  'cache-control',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'expires',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'location',
  'max-forwards',
  'pragma',
  'proxy-status',
  'range',
  'retry-after',
  'set-cookie',
  'vary',
  'www-authenticate',
])

/** What of a trailer section goes on, in order and case; undefined if that is nothing. */
export function filterTrailers(trailers: RawHeaders | undefined): RawHeaders | undefined {
  if (trailers === undefined) return undefined
  const kept: string[] = []
  for (let i = 0; i + 1 < trailers.length; i += 2) {
    const name = trailers[i] as string
    const value = trailers[i + 1] as string
    if (!isToken(name) || NOT_IN_VALUE.test(value)) continue
    const lower = name.toLowerCase()
    if (!isHopByHop(lower) && !NEVER_IN_TRAILERS.has(lower)) kept.push(name, value)
  }
  return kept.length === 0 ? undefined : kept
}

/**
 * The value of `Trailer` (RFC 9110 §6.6.2), which announces the names of a trailer section, or undefined. It goes on
 * with a head only where the trailers can follow.
 */
export function announcedTrailers(headers: RawHeaders): string | undefined {
  let names: string | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length !== 7 || name.toLowerCase() !== 'trailer') continue
    names = names === undefined ? headers[i + 1] : `${names}, ${headers[i + 1] ?? ''}`
  }
  return names
}

/**
 * True for a gRPC message, which ends with its status in a trailer section. gRPC-Web, whose trailers are part of the
 * body, is not meant.
 */
export function isGrpc(headers: RawHeaders): boolean {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length === 12 && name.toLowerCase() === 'content-type') return GRPC.test(headers[i + 1] as string)
  }
  return false
}

const GRPC = /^application\/grpc(?:$|[+; \t])/i
