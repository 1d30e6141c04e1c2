import type { ResponseHead } from '../../protocol/head.js'
import { MAX_HEAD_FIELDS } from '../../protocol/limits.js'
import { isToken } from '../../protocol/token.js'

/** How the end of a response body is found, RFC 9112 §6.3. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'until-close' }

export interface ParsedHead {
  readonly head: ResponseHead
  readonly framing: Framing
  /** The target will read another request from this connection. */
  readonly keepAlive: boolean
  /** Seconds, from `Keep-Alive: timeout=`; undefined if the target does not say. */
  readonly keepAliveHint: number | undefined
}

const NONE: Framing = { kind: 'none' }
const CHUNKED: Framing = { kind: 'chunked' }
const UNTIL_CLOSE: Framing = { kind: 'until-close' }

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9][0-9])(?: ([^\r\n]*))?$/
/** Controls, and line ends that are not CRLF (RFC 9112 §2.2). */
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/
const TIMEOUT_HINT = /(?:^|[,;\s])timeout=(\d{1,6})/i

/**
 * Parses a response head: latin1 text with its lines, without the empty line at the end. `bodiless`: it answers HEAD.
 * Returns a complaint if it is not valid: as strict as `node:http`, because what it means decides where the next
 * response begins.
 */
export function parseResponseHead(text: string, bodiless: boolean): ParsedHead | string {
  if (FORBIDDEN.test(text)) return 'a control character or a bare line end in the head'
  const lineEnd = indexOrEnd(text, '\r\n', 0)
  const match = STATUS_LINE.exec(text.slice(0, lineEnd))
  if (match === null) return 'no valid status line'
  const status = Number(match[2])
  const headers: string[] = []
  let contentLength: number | undefined
  let transferEncoding: string | undefined
  let keepAlive = match[1] === '1'
  let keepAliveHint: number | undefined

  for (let at = lineEnd + 2; at < text.length;) {
    const end = indexOrEnd(text, '\r\n', at)
    const colon = text.indexOf(':', at)
    const name = colon === -1 || colon > end ? '' : text.slice(at, colon)
    // Also obs-fold and white space before the colon: RFC 9112 §5.1 and §5.2 let a gateway refuse them.
    if (!isToken(name)) return 'a field line without a valid name'
    if (headers.length === 2 * MAX_HEAD_FIELDS) return `more than ${MAX_HEAD_FIELDS} fields`
    const value = trimmed(text, colon + 1, end)
    headers.push(name, value)
    at = end + 2
    switch (name.length) {
      case 10: {
        const lower = name.toLowerCase()
        if (lower === 'connection') {
          const options = value.toLowerCase()
          if (options.includes('close')) keepAlive = false
          else if (options.includes('keep-alive')) keepAlive = true
        } else if (lower === 'keep-alive') {
          const hint = TIMEOUT_HINT.exec(value)
          if (hint !== null) keepAliveHint = Number(hint[1])
        }
        break
      }
      case 14:
        if (name.toLowerCase() !== 'content-length') break
        if (contentLength !== undefined) return 'more than one content-length'
        if (!/^\d{1,15}$/.test(value)) return 'an invalid content-length'
        contentLength = Number(value)
        break
      case 17:
        if (name.toLowerCase() !== 'transfer-encoding') break
        if (transferEncoding !== undefined) return 'more than one transfer-encoding'
        transferEncoding = value.toLowerCase()
        break
      default:
    }
  }

  // RFC 9112 §6.3: both may be an attempt at response splitting. Another coding than chunked would have to be undone.
  if (transferEncoding !== undefined && contentLength !== undefined) return 'content-length beside transfer-encoding'
  if (transferEncoding !== undefined && transferEncoding !== 'chunked') return 'an unknown transfer-encoding'
  return {
    head: { status, reason: match[3] ?? '', headers },
    framing: framing(status, bodiless, contentLength, transferEncoding !== undefined),
    keepAlive,
    keepAliveHint,
  }
}

/** Parses trailer fields, RFC 9112 §7.1.2: latin1 text of whole lines. A string is a complaint. */
export function parseTrailers(text: string): string[] | string {
  if (FORBIDDEN.test(text)) return 'a control character or a bare line end in the trailers'
  const trailers: string[] = []
  for (let at = 0; at < text.length;) {
    const end = indexOrEnd(text, '\r\n', at)
    const colon = text.indexOf(':', at)
    const name = colon === -1 || colon > end ? '' : text.slice(at, colon)
    if (!isToken(name)) return 'a trailer line without a valid name'
    if (trailers.length === 2 * MAX_HEAD_FIELDS) return `more than ${MAX_HEAD_FIELDS} trailer fields`
    trailers.push(name, trimmed(text, colon + 1, end))
    at = end + 2
  }
  return trailers
}

function framing(status: number, bodiless: boolean, length: number | undefined, chunked: boolean): Framing {
  // RFC 9112 §6.3: these have no body whatever their fields say; a content-length in them is legal.
  if (bodiless || status < 200 || status === 204 || status === 304) return NONE
  if (chunked) return CHUNKED
  if (length === undefined) return UNTIL_CLOSE
  return length === 0 ? NONE : { kind: 'length', bytes: length }
}

function trimmed(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}

function indexOrEnd(text: string, search: string, from: number): number {
  const index = text.indexOf(search, from)
  return index === -1 ? text.length : index
}
