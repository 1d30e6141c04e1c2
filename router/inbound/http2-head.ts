/** Heads of HTTP/2 messages: a request's as the rest of the router knows it, a response's as node wants it. */
import type { OutgoingHttpHeaders } from 'node:http2'
import { CrankerError } from '../../protocol/errors.js'
import type { ResponseHead } from '../../protocol/head.js'
import { fieldRecord } from '../../protocol/field-record.js'
import { isToken, NOT_IN_VALUE } from '../../protocol/token.js'
import { parseAuthority } from './host.js'
import { newWebSocketKey } from './http2-websocket.js'
import { checkRequest, Refusal, type RequestFacts } from './validity.js'

export interface Http2Head {
  /** GET for an extended CONNECT: that is what the service will see. */
  readonly method: string
  /** `:path` as sent; `` for CONNECT. */
  readonly path: string
  /** Of an extended CONNECT (RFC 8441), as added to the fields. */
  readonly webSocketKey: string | undefined
  /** Field lines as an HTTP/1.1 message would have them: `host` first, one `cookie`, no pseudo-header. */
  readonly headers: readonly string[]
  /** What makes the request invalid, found on the way. */
  readonly refusal: Refusal | undefined
}

/**
 * Takes a head apart. nghttp2 has refused what RFC 9113 §8.2 and §8.3 call malformed: unknown, repeated, missing or
 * late pseudo-headers, upper case, connection-specific fields, `te` other than trailers, a body unlike its length.
 *
 * @param maxBytes of the head, counted as HTTP/1.1 text
 */
export function readHead(raw: readonly string[], maxBytes: number): Http2Head {
  let method = ''
  let path = ''
  let scheme = ''
  let authority: string | undefined
  let protocol: string | undefined
  let host: string | undefined
  let hosts = 0
  let bytes = 0
  let cookieAt = -1
  const headers: string[] = ['host', '']
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string
    const value = raw[i + 1] as string
    bytes += name.length + value.length + 4
    if (name.charCodeAt(0) === COLON) {
      if (name === ':method') method = value
      else if (name === ':path') path = value
      else if (name === ':scheme') scheme = value
      else if (name === ':authority') authority = value
      else if (name === ':protocol') protocol = value
    } else if (name === 'host') {
      host = value
      hosts++
    } else if (name === 'cookie' && cookieAt !== -1) {
      headers[cookieAt] = `${headers[cookieAt] as string}; ${value}`
    } else if (name !== 'sec-websocket-key' || method !== 'CONNECT') {
      if (name === 'cookie') cookieAt = headers.length + 1
      headers.push(name, value)
    }
  }
  // RFC 9113 §8.3.1: who translates makes Host of :authority, which comes first.
  const named = authority ?? host
  if (named === undefined) headers.splice(0, 2)
  else headers[1] = named
  const refusal =
    bytes > maxBytes
      ? new Refusal('CRANKER_ERR_HEAD_TOO_LARGE', 'The head of the request is too large.')
      : hosts > 1
        ? badRequest('There is more than one Host field.')
        : authority !== undefined && host !== undefined && !isSame(authority, host)
          ? badRequest('The Host field and :authority name different hosts.')
          : method === 'CONNECT'
            ? checkConnect(protocol)
            : checkScheme(scheme)
  if (method !== 'CONNECT' || protocol === undefined) return { method, path, headers, refusal, webSocketKey: undefined }
  const webSocketKey = newWebSocketKey()
  headers.push('sec-websocket-key', webSocketKey)
  return { method: 'GET', path, headers, refusal: refusal ?? checkScheme(scheme), webSocketKey }
}

function checkConnect(protocol: string | undefined): Refusal | undefined {
  if (protocol === undefined) return new Refusal('CRANKER_ERR_METHOD', 'CONNECT is not allowed.')
  if (protocol.toLowerCase() === 'websocket') return undefined
  return new Refusal('CRANKER_ERR_NOT_IMPLEMENTED', 'The only protocol that is carried is websocket.')
}

function checkScheme(scheme: string): Refusal | undefined {
  return scheme === 'http' || scheme === 'https' ? undefined : badRequest('The scheme is neither http nor https.')
}

/** @param end no body follows the head. */
export function checkHead(head: Http2Head, end: boolean): RequestFacts | Refusal {
  if (head.refusal !== undefined) return head.refusal
  const { method, path, headers } = head
  // What is asked of the fields is the same, once they are written as in HTTP/1.1.
  const facts = checkRequest({ method, url: path, httpVersion: '1.1', rawHeaders: headers })
  if (facts instanceof Refusal) return facts
  if (head.webSocketKey === undefined) return { ...facts, hasBody: !end && facts.contentLength !== 0 }
  return facts.contentLength === undefined ? facts : badRequest('A WebSocket request has no Content-Length.')
}

/**
 * The fields of a response, final or interim.
 * @throws {CrankerError} CRANKER_ERR_BAD_RESPONSE for what is not valid in HTTP.
 */
export function responseFields(head: ResponseHead): OutgoingHttpHeaders {
  const { status, headers } = head
  if (!(status >= 100 && status <= 599)) throw badHead()
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!isToken(headers[i] as string) || NOT_IN_VALUE.test(headers[i + 1] as string)) throw badHead()
  }
  const fields: OutgoingHttpHeaders = fieldRecord(headers)
  fields[':status'] = status
  return fields
}

/** The same for an interim response, which is a hint: what is invalid in it is left out. */
export function interimFields(head: ResponseHead): OutgoingHttpHeaders {
  const valid: string[] = []
  const { headers } = head
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (isToken(name) && !NOT_IN_VALUE.test(value)) valid.push(name, value)
  }
  return responseFields({ status: head.status, reason: '', headers: valid })
}

const COLON = 58

function isSame(one: string, other: string): boolean {
  const a = parseAuthority(one)
  const b = parseAuthority(other)
  return a !== undefined && b !== undefined && a.host === b.host && a.port === b.port
}

function badRequest(message: string): Refusal {
  return new Refusal('CRANKER_ERR_BAD_REQUEST', message)
}

function badHead(): CrankerError {
  return new CrankerError('CRANKER_ERR_BAD_RESPONSE', 'the response head is not valid HTTP', {
    initiator: 'peer',
    delivered: 'yes',
  })
}
