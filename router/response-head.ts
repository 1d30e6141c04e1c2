/** What of a service's response head goes to the client, and how its body is framed (RFC 9112 §6.3). */
import { CrankerError } from '../protocol/errors.js'
import type { ResponseHead } from '../protocol/head.js'
import { filterResponseHeaders } from '../protocol/hop-by-hop.js'
import { announcedTrailers } from '../protocol/trailers.js'
import { UPGRADE_FIELDS, upgradesToWebSocket } from '../protocol/upgrade.js'

export interface PreparedResponse {
  readonly head: ResponseHead
  /** Body bytes announced; -1: not announced, or none follow whatever was announced. */
  readonly length: number
  /** No body follows (RFC 9110 §6.4.1); one that is sent nevertheless is dropped. */
  readonly bodyless: boolean
}

/**
 * @param end the head is all there is.
 * @param trailers a trailer section may follow the body.
 * @throws CrankerError CRANKER_ERR_BAD_RESPONSE for what a client could take for another response, or for two.
 */
export function prepareResponse(head: ResponseHead, method: string, end: boolean, trailers: boolean): PreparedResponse {
  const { status } = head
  if (status < 200) throw badResponse(`${status} is not the status of a final response`)
  const announced = announcedLength(head)
  const headers = filterResponseHeaders(head.headers)
  const bodyless = method === 'HEAD' || status === 204 || status === 304 || status === 205
  if (bodyless) {
    // RFC 9110 §8.6: never on 204. On 205 it must say that nothing follows (§15.3.6).
    if (status === 204 || status === 205) dropContentLength(headers)
    if (status === 205) headers.push('Content-Length', '0')
  } else if (end) {
    if (announced > 0) throw badResponse('a body is announced, but none follows')
    if (announced < 0) headers.push('Content-Length', '0')
  } else if (trailers && announced < 0) {
    const names = announcedTrailers(head.headers)
    if (names !== undefined) headers.push('Trailer', names)
  }
  return { head: { status, reason: head.reason, headers }, length: bodyless ? -1 : announced, bodyless }
}

/**
 * The head of a 101, which grants an upgrade to `websocket`.
 * @throws CrankerError CRANKER_ERR_BAD_RESPONSE for one that does not say so.
 */
export function prepareUpgrade({ status, reason, headers }: ResponseHead): ResponseHead {
  if (!upgradesToWebSocket(headers)) throw badResponse('101 without `Upgrade: websocket`')
  const kept = filterResponseHeaders(headers)
  // RFC 9110 §8.6: never on a 1xx.
  dropContentLength(kept)
  return { status, reason, headers: [...UPGRADE_FIELDS, ...kept] }
}

/** Exactly one content-length of digits, or none; none beside a transfer coding. */
function announcedLength({ headers }: ResponseHead): number {
  let length: string | undefined
  let coding: string | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length === 14 && name.toLowerCase() === 'content-length') {
      if (length !== undefined) throw badResponse('more than one content-length')
      length = headers[i + 1]
    } else if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') {
      coding = coding === undefined ? headers[i + 1] : `${coding},${headers[i + 1] ?? ''}`
    }
  }
  // The connector has undone chunked. Any other coding is still on the body, and would no longer be announced.
  if (coding !== undefined && !/^(chunked|identity)$/i.test(coding)) throw badResponse('an unknown transfer coding')
  if (length === undefined) return -1
  if (coding !== undefined) throw badResponse('both content-length and transfer-encoding')
  const value = Number(length)
  if (!/^\d+$/.test(length) || !Number.isSafeInteger(value)) throw badResponse('a malformed content-length')
  return value
}

function dropContentLength(headers: string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if ((headers[i] as string).toLowerCase() === 'content-length') headers.splice(i, 2)
  }
}

export function badResponse(problem: string): CrankerError {
  return new CrankerError('CRANKER_ERR_BAD_RESPONSE', `the service's response cannot be forwarded: ${problem}`, {
    initiator: 'peer',
    delivered: 'yes',
  })
}
