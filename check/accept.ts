/** The router's end of a WebSocket handshake (RFC 6455 §4.2), with every header in the hands of the case. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { RawSocket, type SocketOptions } from './socket.js'

/** RFC 6455 §1.3. */
const KEY_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** The `Sec-WebSocket-Accept` that belongs to a `Sec-WebSocket-Key`. */
export function acceptKey(key: string): string {
  return createHash('sha1').update(`${key}${KEY_SUFFIX}`).digest('base64')
}

export interface AcceptOptions extends Omit<SocketOptions, 'role'> {
  /** To echo in `Sec-WebSocket-Protocol`; default: nothing is echoed. */
  readonly subprotocol?: string
  /** Further header lines of the 101. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
}

/** Answers 101. */
export function acceptHandshake(req: IncomingMessage, stream: Duplex, head: Buffer, options: AcceptOptions): RawSocket {
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKey(req.headers['sec-websocket-key'] ?? '')}`,
    ...(options.subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${options.subprotocol}`]),
    ...(options.headers ?? []).map(([name, value]) => `${name}: ${value}`),
  ]
  stream.write(`${lines.join('\r\n')}\r\n\r\n`)
  return new RawSocket(stream, head, { ...options, role: 'server' })
}

/** Answers anything but 101, and ends the connection. */
export function refuseHandshake(
  stream: Duplex,
  status: string,
  headers: readonly (readonly [name: string, value: string])[] = [],
): void {
  const all = [...headers, ['Content-Length', '0'] as const, ['Connection', 'close'] as const]
  const lines = all.map(([name, value]) => `${name}: ${value}`)
  stream.on('error', () => {})
  stream.end(`HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n`)
}
