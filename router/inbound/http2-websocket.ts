/** WebSockets over HTTP/2 (RFC 8441) as the tunnel knows them: a GET with `Upgrade`, answered with 101. */
import { createHash, randomBytes } from 'node:crypto'
import { CrankerError } from '../../protocol/errors.js'
import { headerValue, type ResponseHead } from '../../protocol/head.js'
import { SWITCHING_PROTOCOLS } from '../../protocol/upgrade.js'

/** RFC 6455 §1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
/** About the handshake of HTTP/1.1, which RFC 8441 §5 replaces. */
const HANDSHAKE: ReadonlySet<string> = new Set(['connection', 'upgrade', 'sec-websocket-accept'])

/** What the service is sent, and must prove to have read. */
export function newWebSocketKey(): string {
  return randomBytes(16).toString('base64')
}

/**
 * The answer to an extended CONNECT: a 101 becomes a 200, everything else stays.
 * @throws CrankerError CRANKER_ERR_BAD_RESPONSE for what the client would take for a WebSocket and is none.
 */
export function connectResponse(head: ResponseHead, key: string): ResponseHead {
  const { status, headers } = head
  if (status !== SWITCHING_PROTOCOLS) {
    if (status >= 200 && status < 300) throw noWebSocket(`answered a WebSocket request with ${status}`)
    return head
  }
  if (headerValue(headers, 'sec-websocket-accept') !== acceptOf(key)) {
    throw noWebSocket('sent a Sec-WebSocket-Accept that does not belong to the request')
  }
  const kept: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (!HANDSHAKE.has(name.toLowerCase())) kept.push(name, headers[i + 1] as string)
  }
  return { status: 200, reason: '', headers: kept }
}

function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}${GUID}`).digest('base64')
}

function noWebSocket(what: string): CrankerError {
  return new CrankerError('CRANKER_ERR_BAD_RESPONSE', `the service ${what}`, { initiator: 'peer', delivered: 'yes' })
}
