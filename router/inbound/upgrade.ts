/**
 * node hands a request with `Upgrade` over raw, whatever the token (Java's HttpClient sends `Upgrade: h2c` with every
 * request of a new client). Without a listener its parser would swallow what was pipelined behind such a request. Only
 * a GET for `websocket` without a body is an upgrade here (http1-upgrade.ts); a server may ignore any other (RFC 9110
 * §7.8), so the request is put back in front of the socket without that field, and parsed again as an ordinary one,
 * body, keep-alive and all.
 */
import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { lists, upgradesToWebSocket } from '../../protocol/upgrade.js'
import { type ClientMessage, ClientResponse } from './client-message.js'
import type { ClientConnection } from './connection.js'
import { Http1Upgrade } from './http1-upgrade.js'
import { checkRequest, Refusal, type RequestFacts } from './validity.js'

export function handleUpgrade(
  server: EventEmitter,
  connection: ClientConnection,
  request: ClientMessage,
  rest: Buffer,
): void {
  connection.whenIdle(() => {
    const { socket } = connection
    // The keep-alive time of the request before would run on.
    socket.setTimeout(0)
    const facts = upgradeFacts(request)
    if (facts === undefined) {
      giveBack(server, socket, Buffer.concat([Buffer.from(withoutUpgrade(request), 'latin1'), rest]))
      return
    }
    connection.run(
      new Http1Upgrade({
        connection,
        request,
        response: new ClientResponse(request),
        facts,
        early: rest,
        last: lists(request.rawHeaders, 'connection', 'close'),
        giveBack: (early) => giveBack(server, socket, early),
      }),
    )
  })
}

/** Undefined: no upgrade, or a request that is to be refused, in the ordinary way. */
function upgradeFacts(request: ClientMessage): RequestFacts | undefined {
  // RFC 6455 §4.1; RFC 9110 §7.8: HTTP/1.0 knows no upgrade.
  if (request.method !== 'GET' || request.httpVersion !== '1.1') return undefined
  if (!upgradesToWebSocket(request.rawHeaders)) return undefined
  const facts = checkRequest(request as ClientMessage & { method: string; url: string })
  // A body would have to be read before the protocol is switched. Nobody sends one, but to disagree about its end.
  return facts instanceof Refusal || facts.hasBody ? undefined : facts
}

function withoutUpgrade(request: ClientMessage): string {
  let text = `${request.method ?? ''} ${request.url ?? ''} HTTP/${request.httpVersion}\r\n`
  const { rawHeaders } = request
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.toLowerCase() !== 'upgrade') text += `${name}: ${rawHeaders[i + 1] as string}\r\n`
  }
  return `${text}\r\n`
}

/** To the HTTP server, as a connection on which these bytes come first. */
function giveBack(server: EventEmitter, socket: Socket, bytes: Buffer): void {
  if (bytes.length > 0) socket.unshift(bytes)
  server.emit('connection', socket)
  socket.resume()
}
