/**
 * crank4j's connector (Java, the original). Sends no ids, insists on `CrankerProtocol` in the 101, reads at most 64 KiB
 * per message, repeats the request line below the status line, and ends the socket with 1011 at a target that
 * java.net.URI rejects.
 */
import type { ClientRequest } from 'node:http'
import { WebSocket } from 'ws'
import { fieldsOf, framed, parseRequest, send, sendBody, writeBody } from './replay.js'
import { scriptedConnector, type Tunnel } from './tunnel-client.js'

const MAX_MESSAGE = 65_536
/** RFC 2396's "unwise" characters and stray percent signs; square brackets in the path only. */
const REJECTED_BY_JAVA_URI = /[ "<>\\^`{|}\x7f-\xa0]|%(?![0-9A-Fa-f]{2})|^[^?]*[[\]]/

export const crank4j = scriptedConnector({
  name: 'C4J',
  title: 'crank4j connector (Java), scripted',
  path: '/register/',
  client: { maxPayload: MAX_MESSAGE },
  accepts: (answer) => answer.headers['crankerprotocol'] === '1.0',
  ping: '*ping*',
  replaceAfter: (end, attempt) => (end === 'close' ? 0 : 500 + Math.min(10_000, 2 ** attempt)),
  leave: (ws) => ws.close(1001, 'Shutdown'),
  serve,
})

function serve(tunnel: Tunnel): void {
  const { ws } = tunnel
  let request: ClientRequest | undefined
  let complete = false
  const fail = (): void => {
    if (ws.readyState === WebSocket.OPEN) ws.close(1011, 'ErrorID: 0')
  }
  ws.on('close', () => {
    if (!complete) request?.destroy()
  })
  ws.on('message', (data: Buffer, binary: boolean) => {
    if (binary) {
      if (request !== undefined) writeBody(request, data, ws)
      return
    }
    if (request !== undefined) {
      if (data.toString() === '_3') request.end()
      return
    }
    tunnel.taken()
    const head = parseRequest(data.toString())
    if (REJECTED_BY_JAVA_URI.test(head.target)) {
      tunnel.log(`java.net.URISyntaxException: ${head.target}`)
      fail()
      return
    }
    // URI.resolve: `//host/path` would go to that host.
    const url = new URL(head.target, tunnel.target)
    request = send(url, url.pathname + url.search, head.method, framed(head.fields, head.marker))
    request.on('error', fail)
    request.on('response', (response) => {
      const lines = fieldsOf(response)
        .filter(([name]) => name.toLowerCase() !== 'transfer-encoding')
        .map(([name, value]) => `${name}:${value}\n`)
      const status = `HTTP/1.1 ${String(response.statusCode)} ${response.statusMessage ?? ''}\n`
      ws.send(`${status}${head.method} ${head.target}\n${lines.join('')}`)
      sendBody(response, ws, { most: 32_768, gone: () => request?.destroy() })
      response.on('error', fail)
      response.on('end', () => {
        complete = true
        if (ws.readyState === WebSocket.OPEN) ws.close(1000, 'Proxy complete')
      })
    })
    if (head.marker === '_2') request.end()
  })
}
