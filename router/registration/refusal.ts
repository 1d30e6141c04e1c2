import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ErrorCode } from '../../protocol/errors.js'

/** Why a handshake is not answered with 101, and with what instead. */
export interface Refusal {
  readonly status: 400 | 404 | 405 | 408 | 426 | 429 | 431 | 503
  readonly code: ErrorCode
  /** One sentence for whoever runs the connector. */
  readonly message: string
  /** Seconds. */
  readonly retryAfter?: number
}

/** How long a refused peer may take to read why, ms. */
const LINGER_MS = 1_000

/** Answers on a socket that node:http has given up ('upgrade', 'clientError') and ends it. */
export function sendRefusal(socket: Duplex, refusal: Refusal): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const body = refusalText(refusal)
  const fields = refusalFields(refusal)
  let head = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status] as string}\r\n`
  for (let i = 0; i + 1 < fields.length; i += 2) head += `${fields[i] as string}: ${fields[i + 1] as string}\r\n`
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
  // What it still sends is read and forgotten: unread bytes turn the close into a reset that can overtake the answer.
  socket.resume()
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`)
}

export function refusalText(refusal: Refusal): string {
  return `${refusal.code}: ${refusal.message}\n`
}

/** All fields but those of the framing, as a flat list. */
export function refusalFields(refusal: Refusal): string[] {
  const fields = ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store']
  if (refusal.retryAfter !== undefined) fields.push('Retry-After', String(refusal.retryAfter))
  // RFC 9110 §15.5.22: the answer to "wrong protocol" names the right one, RFC 6455 §4.4 its version.
  if (refusal.status === 426) fields.push('Upgrade', 'websocket', 'Sec-WebSocket-Version', '13')
  if (refusal.status === 405) fields.push('Allow', 'GET')
  return fields
}
