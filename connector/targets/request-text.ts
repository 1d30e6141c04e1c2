import type { RawHeaders, RequestHead } from '../../protocol/head.js'
import { filterRequestHeaders } from '../../protocol/hop-by-hop.js'
import { isToken } from '../../protocol/token.js'

/** How the target learns where the request body ends. */
export type RequestFraming =
  { readonly kind: 'none' } | { readonly kind: 'length'; readonly bytes: number } | { readonly kind: 'chunked' }

export interface RequestText {
  /** latin1: one character is one octet. */
  readonly text: string
  readonly framing: RequestFraming
}

const NONE: RequestFraming = { kind: 'none' }
const CHUNKED: RequestFraming = { kind: 'chunked' }

/** Octets that end a request line early or cannot be in one (RFC 9112 §3.2). */
const BAD_TARGET = /[^\x21-\x7e\x80-\xff]/
/** RFC 9110 §5.5. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/

/**
 * The HTTP/1.1 head to send to the target, or a complaint if the request cannot be sent as it is meant. `end`: it has
 * no body.
 *
 * The path is joined by concatenation: `//evil.example/x` stays a path, which URL resolution would make a host.
 */
export function requestText(
  head: RequestHead,
  end: boolean,
  pathPrefix: string,
  defaultHost: string,
): RequestText | string {
  const { method, target } = head
  if (!isToken(method)) return 'the method is no token'
  // RFC 9110 §9.3.6 and §9.3.8: a CONNECT would turn the target into a proxy, a TRACE echoes credentials.
  if (method === 'CONNECT' || method === 'TRACE') return `the method ${method} is never forwarded`
  const asterisk = target === '*' && method === 'OPTIONS'
  if (!asterisk && !target.startsWith('/')) return 'the request target is no path'
  if (BAD_TARGET.test(target)) return 'the request target contains a space or a control character'

  const headers = filterRequestHeaders(head.headers)
  let fields = ''
  let hasHost = false
  let length: number | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (!isToken(name)) return 'a field name is no token'
    if (BAD_VALUE.test(value)) return 'a field value contains a control character'
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
  if (end && length !== undefined && length > 0) return 'a content-length but no body'
  const host = hasHost ? '' : `Host: ${defaultHost}\r\n`
  const start = `${method} ${asterisk ? '*' : pathPrefix + target} HTTP/1.1\r\n${host}${fields}`
  if (end) return { text: `${start}\r\n`, framing: NONE }
  if (length !== undefined) return { text: `${start}\r\n`, framing: { kind: 'length', bytes: length } }
  return { text: `${start}Transfer-Encoding: chunked\r\n\r\n`, framing: CHUNKED }
}

/** The end of a chunked body (RFC 9112 §7.1); trailers that cannot be sent are left out. */
export function lastChunk(trailers: RawHeaders | undefined): string {
  let text = '0\r\n'
  if (trailers !== undefined) {
    const fields = filterRequestHeaders(trailers)
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string
      const value = fields[i + 1] as string
      if (isToken(name) && !BAD_VALUE.test(value) && !FRAMING_FIELDS.has(name.toLowerCase())) {
        text += `${name}: ${value}\r\n`
      }
    }
  }
  return `${text}\r\n`
}

/** RFC 9110 §6.5.1: never in a trailer section. */
const FRAMING_FIELDS = new Set(['content-length', 'transfer-encoding', 'host', 'trailer', 'authorization', 'cookie'])
