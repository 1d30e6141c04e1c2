/**
 * node hands a request with `Upgrade` over raw, whatever the token (Java's HttpClient sends `Upgrade: h2c` with every
 * request of a new client). Without a listener its parser would swallow what was pipelined behind such a request. Only
 * `websocket` asks for an upgrade here; a server may ignore any other (RFC 9110 §7.8), so the request is put back in
 * front of the socket without that field, and parsed again as an ordinary one, body, keep-alive and all.
 */
import type { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { CrankerError } from '../../protocol/errors.js'
import type { ClientConnection } from './connection.js'

/** RFC 9110 §7.8: a list of protocols, without regard to case. */
export function asksForWebSocket(headers: readonly string[]): boolean {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if ((headers[i] as string).toLowerCase() !== 'upgrade') continue
    const protocols = (headers[i + 1] as string).toLowerCase().split(',')
    if (protocols.some((protocol) => protocol.trim() === 'websocket')) return true
  }
  return false
}

export function handleUpgrade(
  server: EventEmitter,
  connection: ClientConnection,
  request: IncomingMessage,
  rest: Buffer,
): void {
  if (asksForWebSocket(request.rawHeaders)) {
    connection.refuse(
      new CrankerError('CRANKER_ERR_NOT_IMPLEMENTED', 'WebSocket requests are not carried.', {
        initiator: 'caller',
        delivered: 'no',
      }),
    )
    return
  }
  connection.whenIdle(() => parseAgain(server, connection.socket, request, rest))
}

function parseAgain(server: EventEmitter, socket: Socket, request: IncomingMessage, rest: Buffer): void {
  let text = `${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}\r\n`
  const { rawHeaders } = request
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.toLowerCase() !== 'upgrade') text += `${name}: ${rawHeaders[i + 1] as string}\r\n`
  }
  // The keep-alive time of the request before would run on.
  socket.setTimeout(0)
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, 'latin1'), rest]))
  server.emit(connectionEvent(socket), socket)
}

function connectionEvent(socket: Socket): string {
  return 'encrypted' in socket ? 'secureConnection' : 'connection'
}
