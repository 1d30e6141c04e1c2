import type { RawHeaders, RequestHead } from '../../protocol/head.js'
import { filterRequestHeaders } from '../../protocol/hop-by-hop.js'
import type { ResponseExchange } from '../../protocol/session.js'
import { isToken, NOT_IN_VALUE } from '../../protocol/token.js'
import { announcedTrailers, filterTrailers } from '../../protocol/trailers.js'
import { lists } from '../../protocol/upgrade.js'

/** How the target learns where the request body ends. */
export type RequestFraming =
  { readonly kind: 'none' } | { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' }

export interface RequestText {
  /** latin1: one character is one octet. */
  readonly text: string
  readonly framing: RequestFraming
  /** It asks for an upgrade to `websocket`. */
  readonly upgrade: boolean
}

const NONE: RequestFraming = { kind: 'none' }
const CHUNKED: RequestFraming = { kind: 'chunked' }

/** What of an exchange decides about the head of its request. */
export type RequestTraits = Pick<ResponseExchange, 'upgrade' | 'carriesTrailers'>

/** Octets that end a request line early or cannot be in one (RFC 9112 §3.2). */
const BAD_TARGET = /[^\x21-\x7e\x80-\xff]/

/**
 * The HTTP/1.1 head to send to the target, or a complaint if the request cannot be sent as it is meant. `end`: it has
 * no body; nor has one that asks for an upgrade to `websocket`.
 *
 * The path is joined as {@link joinedTarget} says.
 */
export function requestText(
  head: RequestHead,
  end: boolean,
  pathPrefix: string,
  defaultHost: string,
  { upgrade, carriesTrailers }: RequestTraits,
): RequestText | string {
  const { method } = head
  const complaint = badRequestLine(head)
  if (complaint !== undefined) return complaint
  const headers = filterRequestHeaders(head.headers)
  let fields = ''
  let hasHost = false
  let length: number | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (!isToken(name)) return 'a field name is no token'
    if (NOT_IN_VALUE.test(value)) return 'a field value contains a control character'
    if (name.length === 4 && name.toLowerCase() === 'host') {
      if (hasHost) return 'more than one host'
      hasHost = true
    } else if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== undefined) return 'more than one content-length'
      if (!/^\d{1,15}$/.test(value)) return 'an invalid content-length'
      length = Number(value)
    }
    fields += `${name}: ${value}\r\n`
  }
  const bodyless = end || upgrade
  if (bodyless && length !== undefined && length > 0) return 'a content-length but no body'
  const host = hasHost ? '' : `Host: ${defaultHost}\r\n`
  const start = `${method} ${joinedTarget(head, pathPrefix)} HTTP/1.1\r\n${host}${fields}`
  if (upgrade) return { text: `${start}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, framing: NONE, upgrade }
  // RFC 9110 §10.1.4: `TE` is about this connection, and must be named as such.
  const te = carriesTrailers && lists(head.headers, 'te', 'trailers') ? 'TE: trailers\r\nConnection: TE\r\n' : ''
  if (end) return { text: `${start}${te}\r\n`, framing: NONE, upgrade }
  if (length !== undefined) return { text: `${start}${te}\r\n`, framing: { kind: 'length', bytes: length }, upgrade }
  const announced = carriesTrailers ? announcedTrailers(head.headers) : undefined
  if (announced !== undefined && NOT_IN_VALUE.test(announced)) return 'a field value contains a control character'
  const trailer = announced === undefined ? '' : `Trailer: ${announced}\r\n`
  return { text: `${start}${te}${trailer}Transfer-Encoding: chunked\r\n\r\n`, framing: CHUNKED, upgrade }
}

/** What is wrong with the method or the target of a request; undefined if it can be forwarded. */
export function badRequestLine({ method, target }: RequestHead): string | undefined {
  if (!isToken(method)) return 'the method is no token'
  // RFC 9110 §9.3.6 and §9.3.8: a CONNECT would turn the target into a proxy, a TRACE echoes credentials.
  if (method === 'CONNECT' || method === 'TRACE') return `the method ${method} is never forwarded`
  if (!(target === '*' && method === 'OPTIONS') && !target.startsWith('/')) return 'the request target is no path'
  return BAD_TARGET.test(target) ? 'the request target contains a space or a control character' : undefined
}

/** By concatenation: `//evil.example/x` stays a path, which URL resolution would make a host. */
export function joinedTarget({ target }: RequestHead, pathPrefix: string): string {
  return target === '*' ? target : pathPrefix + target
}

/** The end of a chunked body (RFC 9112 §7.1); trailers that cannot be sent are left out. */
export function lastChunk(trailers: RawHeaders | undefined): string {
  let text = '0\r\n'
  const fields = filterTrailers(trailers)
  if (fields !== undefined) {
    for (let i = 0; i + 1 < fields.length; i += 2) text += `${fields[i] as string}: ${fields[i + 1] as string}\r\n`
  }
  return `${text}\r\n`
}
