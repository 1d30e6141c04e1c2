/**
 * go-cranker-connector (Go, nhooyr.io/websocket). Sends no ids, offers permessage-deflate, reads at most 32,768 bytes
 * per message, writes heads with CRLF and `Name: value`, removes its route from the path, answers 500 without a
 * protocol word when the service fails, and reads its socket only while it wants a message: a ping that comes while the
 * service works is not answered, and a client that leaves is never noticed.
 */
import type { ClientRequest } from 'node:http'
import { WebSocket } from 'ws'
import { parseRequest, responseAsGo, sendAsGo, sendBody } from './replay.js'
import { scriptedConnector, type Tunnel } from './tunnel-client.js'

const MAX_MESSAGE = 32_768
const BUFFER = 8_192

export const goCrankerConnector = scriptedConnector({
  name: 'GC',
  title: 'go-cranker-connector, scripted',
  path: '/register',
  client: { maxPayload: MAX_MESSAGE, perMessageDeflate: true },
  ping: '',
  pingInterval: 60_000,
  replaceAfter: (end) => (end === 'close' ? 0 : 5_000 + 5_000 * Math.random()),
  serve,
})

function serve(tunnel: Tunnel): void {
  const { ws } = tunnel
  let request: ClientRequest | undefined
  ws.on('message', (data: Buffer, binary: boolean) => {
    const text = binary ? '' : data.toString()
    if (request === undefined) {
      tunnel.taken()
      request = replay(tunnel, text)
      if (text.endsWith('_2')) {
        request.end()
        ws.pause()
      }
    } else if (binary) {
      if (request.write(data)) return
      ws.pause()
      request.once('drain', () => ws.resume())
    } else if (text === '_3') {
      request.end()
      ws.pause()
    }
  })
}

function replay(tunnel: Tunnel, text: string): ClientRequest {
  const { ws, target } = tunnel
  const head = parseRequest(text)
  const url = new URL(withoutRoute(head.target, tunnel.route), target)
  const { request, gunzips } = sendAsGo(url, url.pathname + url.search, head, { host: true, length: true })
  const close = (code: number, reason: string): void => {
    // Its close reads again, for the answer to it.
    ws.resume()
    if (ws.readyState === WebSocket.OPEN) ws.close(code, reason)
  }
  let answered = false
  request.on('error', (error) => {
    tunnel.log(`error sending request: ${error.message}`)
    if (answered || ws.readyState !== WebSocket.OPEN) return
    answered = true
    ws.send(' 500 Server Error\r\n')
    ws.send(Buffer.from('errorId=0\n'))
    close(1000, 'response finished')
  })
  request.on('response', (response) => {
    answered = true
    const { fields, body } = responseAsGo(response, gunzips)
    // Header.Write sorts by name; equal names keep their order.
    const lines = fields
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([name, value]) => `${name}: ${value}\r\n`)
    ws.send(`HTTP/1.1 ${String(response.statusCode)} ${response.statusMessage ?? ''}\r\n${lines.join('')}`)
    // A write to a socket that is closed fails, and is only logged: the response is read to its end.
    sendBody(body, ws, { most: BUFFER })
    body.on('error', () => close(1011, ''))
    body.on('end', () => close(1000, 'response finished'))
  })
  return request
}

/** What Go's URL.Path without its prefix becomes: unescaped, cut, and escaped anew as Go thinks it should be. */
function withoutRoute(target: string, route: string): string {
  if (!target.startsWith(`/${route}`)) return target
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  const rest = encodeURI(decodeURIComponent(path).slice(route.length + 1))
  return rest + (query === -1 ? '' : target.slice(query))
}
