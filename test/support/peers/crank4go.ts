/**
 * crank4go's connector (Go, gorilla/websocket). Reads at most 16,384 bytes per message, repeats the request line below
 * the status line, and loses every field of the response (it copies them into a slice without room). Sees that its
 * socket was closed, but gives up the request to the service only when the next write to that socket fails.
 */
import type { ClientRequest } from 'node:http'
import { WebSocket } from 'ws'
import { parseRequest, responseAsGo, sendAsGo, sendBody, writeBody } from './replay.js'
import { scriptedConnector, type Tunnel } from './tunnel-client.js'

const MAX_MESSAGE = 16_384
const WRITE_BUFFER = 32_768

export const crank4go = scriptedConnector({
  name: 'C4G',
  title: 'crank4go connector (Go), scripted',
  path: '/register/',
  query: (id) => `?connectorInstanceID=${id}&componentName=scripted`,
  client: { maxPayload: MAX_MESSAGE },
  ping: 'send the 1th ping to 127.0.0.1',
  replaceAfter: (end, attempt) => (end === 'close' ? 0 : 500 * Math.min(10_000, 2 ** Math.min(attempt, 4))),
  deregisters: true,
  serve,
})

function serve(tunnel: Tunnel): void {
  const { ws } = tunnel
  let request: ClientRequest | undefined
  ws.on('message', (data: Buffer, binary: boolean) => {
    if (binary) {
      if (request !== undefined) writeBody(request, data, ws)
      return
    }
    const text = data.toString()
    if (request === undefined) {
      tunnel.taken()
      request = replay(tunnel, text)
    } else if (text === '_3') request.end()
  })
}

function replay(tunnel: Tunnel, text: string): ClientRequest {
  const { ws, target } = tunnel
  const head = parseRequest(text)
  // ResolveReference: `//host/path` would go to that host.
  const url = new URL(head.target, target)
  const fields: (readonly [string, string])[] = [...head.fields, ['Via', '1.1 crnk']]
  const { request, gunzips } = sendAsGo(
    url,
    url.pathname + url.search,
    { ...head, fields },
    { host: false, length: false },
  )
  const fail = (): void => {
    ws.resume()
    if (ws.readyState === WebSocket.OPEN) ws.close(1011, 'ErrorID: 0')
  }
  request.on('error', fail)
  request.on('response', (response) => {
    const { body } = responseAsGo(response, gunzips)
    // The reason is the second word of "200 OK", and there are no fields.
    ws.send(`HTTP/1.1 ${String(response.statusCode)} ${String(response.statusCode)} \n${head.method} ${head.target}\n`)
    sendBody(body, ws, { most: WRITE_BUFFER, gone: () => request.destroy() })
    body.on('error', fail)
    body.on('end', () => {
      if (ws.readyState === WebSocket.OPEN) ws.close(1000, 'Proxy complete')
    })
  })
  if (head.marker === '_2') request.end()
  return request
}
