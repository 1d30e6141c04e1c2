/**
 * Message heads ⇄ the text that both protocol versions carry: a start line, then `name:value` lines, each ended by one
 * `\n`; no blank line.
 *
 * Strict in what is sent: no space after the colon, no CR, nothing that could be read as another line. Lenient in what
 * is accepted, because of what published peers send: CRLF and `Name: value` (go-cranker-connector), a line `GET /path`
 * after the status line (crank4go, crank4py, crank4j), no last newline (cranker-node-connector), two of them
 * (npm-cranker-connector), an empty protocol word (go-cranker-connector), any reason phrase (cranker-connector).
 *
 * A character in a head is one octet (latin1); the wire is the UTF-8 encoding of that string. Peers in other languages
 * put real text there: code points above U+00FF become the octets of their UTF-8 encoding.
 */
import { CrankerError } from './errors.js'
import type { RawHeaders, RequestHead, ResponseHead } from './head.js'
import { MAX_HEAD_FIELDS } from './limits.js'
import { isToken } from './token.js'

const CR = 13
const SPACE = 32
const TAB = 9

/** What neither a line end nor a field value (RFC 9110 §5.5) may contain: controls, DEL, more than an octet. */
const UNUSUAL = /[^\t\n\r\x20-\x7e\x80-\xff]/
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/
const WIDE = /[^\0-\xff]+/gu

/** Which error a malformed head becomes. */
type Fail = (problem: string) => CrankerError

const badRequest: Fail = (problem) =>
  new CrankerError('CRANKER_ERR_BAD_REQUEST', `the request head cannot be sent: ${problem}`, {
    initiator: 'caller',
    delivered: 'no',
  })
const badResponse: Fail = (problem) =>
  new CrankerError('CRANKER_ERR_BAD_RESPONSE', `the response head is not valid: ${problem}`, {
    initiator: 'peer',
    delivered: 'yes',
  })
const protocolError: Fail = (problem) =>
  new CrankerError('CRANKER_ERR_PROTOCOL', `the peer sent a malformed head: ${problem}`, {
    initiator: 'peer',
    delivered: 'no',
  })

/**
 * The wire text of a request head, ended by one `\n`.
 * @throws CrankerError CRANKER_ERR_BAD_REQUEST for what would not arrive as it is meant.
 */
export function encodeRequestHead(head: RequestHead): string {
  if (!isToken(head.method)) throw badRequest('the method is no token')
  if (head.target === '' || head.target.includes(' ')) throw badRequest('the target is empty or contains a space')
  return encode(`${head.method} ${head.target} HTTP/1.1\n`, head.headers, badRequest)
}

/**
 * The wire text of a response head, ended by one `\n`.
 * @throws CrankerError CRANKER_ERR_BAD_RESPONSE for what would not arrive as it is meant.
 */
export function encodeResponseHead(head: ResponseHead): string {
  if (!isStatus(head.status)) throw badResponse('the status is not 100 to 999')
  return encode(`HTTP/1.1 ${head.status} ${head.reason}\n`, head.headers, badResponse)
}

/**
 * The wire text of a trailer section.
 * @throws CrankerError CRANKER_ERR_BAD_RESPONSE for what would not arrive as it is meant.
 */
export function encodeTrailers(trailers: RawHeaders): string {
  return encode('', trailers, badResponse)
}

/** @throws CrankerError CRANKER_ERR_PROTOCOL */
export function decodeRequestHead(text: string): RequestHead {
  const octets = toOctets(text, protocolError)
  const eol = lineEnd(octets, 0)
  const line = octets.slice(0, trimEnd(octets, 0, eol))
  const afterMethod = line.indexOf(' ')
  const method = line.slice(0, Math.max(afterMethod, 0))
  if (!isToken(method)) throw protocolError('its first line has no method')
  const lastSpace = line.lastIndexOf(' ')
  // Two words only: no published router leaves out the version, but nothing depends on it either.
  const targetEnd = lastSpace === afterMethod ? line.length : lastSpace
  const target = line.slice(afterMethod + 1, targetEnd)
  if (target === '' || target.includes(' ') || target.includes('\t') || target.includes('\r')) {
    throw protocolError('its first line has no target, or one with white space')
  }
  return {
    method,
    target,
    headers: decodeFields(octets, eol + 1, protocolError),
  }
}

/** @throws CrankerError CRANKER_ERR_BAD_RESPONSE, so that node's `writeHead` never sees what it throws on. */
export function decodeResponseHead(text: string): ResponseHead {
  const octets = toOctets(text, badResponse)
  const eol = lineEnd(octets, 0)
  const end = trimEnd(octets, 0, eol)
  // The protocol word may be empty: ` 500 Server Error`.
  let at = octets.indexOf(' ')
  if (at === -1 || at >= end) throw badResponse('no status line')
  while (octets.charCodeAt(at) === SPACE) at++
  const afterStatus = at + 3
  if (afterStatus > end || (afterStatus < end && octets.charCodeAt(afterStatus) !== SPACE)) {
    throw badResponse('the status is not three digits')
  }
  let status = 0
  for (; at < afterStatus; at++) {
    const digit = octets.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) throw badResponse('the status is not three digits')
    status = status * 10 + digit
  }
  if (!isStatus(status)) throw badResponse('the status is not 100 to 999')
  const reason = octets.slice(trimStart(octets, afterStatus, end), end)
  if (reason.includes('\r')) throw badResponse('a bare CR')
  return {
    status,
    reason,
    headers: decodeFields(octets, eol + 1, badResponse),
  }
}

/** @throws CrankerError CRANKER_ERR_PROTOCOL */
export function decodeTrailers(text: string): RawHeaders {
  return decodeFields(toOctets(text, protocolError), 0, protocolError)
}

function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 100 && status <= 999
}

function encode(startLine: string, headers: RawHeaders, fail: Fail): string {
  let text = startLine
  let lines = startLine === '' ? 0 : 1
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (!isToken(name)) throw fail('a field name is no token')
    text += `${name}:${headers[i + 1] as string}\n`
    lines++
  }
  // One look at the finished text instead of one per value.
  if (UNUSUAL.test(text) || text.includes('\r')) throw fail('it contains a control character')
  if (countNewlines(text) !== lines) throw fail('it contains a newline')
  return text
}

function countNewlines(text: string): number {
  let count = 0
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count++
  return count
}

function toOctets(text: string, fail: Fail): string {
  if (!UNUSUAL.test(text)) return text
  // RFC 9110 §5.5: a recipient of controls rejects the message, or node does so by throwing.
  if (CONTROL.test(text)) throw fail('it contains a control character')
  return text.replace(WIDE, (wide) => Buffer.from(wide, 'utf8').toString('latin1'))
}

/** Reads field lines from `start` to the end of the text or the first empty line. */
function decodeFields(text: string, start: number, fail: Fail): string[] {
  const headers: string[] = []
  const bareCrPossible = text.includes('\r')
  for (let pos = start; pos < text.length;) {
    const eol = lineEnd(text, pos)
    const end = trimEnd(text, pos, eol)
    if (end === pos) break
    const colon = text.indexOf(':', pos)
    if (colon !== -1 && colon < end) {
      // RFC 9112 §5.1: white space before the colon is removed. A line that begins with white space has no name.
      const name = text.slice(pos, trimEnd(text, pos, colon))
      if (isToken(name)) {
        if (headers.length >= 2 * MAX_HEAD_FIELDS) throw fail(`it has more than ${MAX_HEAD_FIELDS} fields`)
        const value = text.slice(trimStart(text, colon + 1, end), end)
        // RFC 9112 §2.2: a bare CR is invalid.
        if (bareCrPossible && value.includes('\r')) throw fail('a bare CR')
        headers.push(name, value)
      }
    }
    pos = eol + 1
  }
  return headers
}

function lineEnd(text: string, from: number): number {
  const newline = text.indexOf('\n', from)
  return newline === -1 ? text.length : newline
}

function trimStart(text: string, from: number, end: number): number {
  let at = from
  while (at < end && (text.charCodeAt(at) === SPACE || text.charCodeAt(at) === TAB)) at++
  return at
}

function trimEnd(text: string, from: number, end: number): number {
  let at = end
  while (at > from) {
    const code = text.charCodeAt(at - 1)
    if (code !== SPACE && code !== TAB && code !== CR) break
    at--
  }
  return at
}
