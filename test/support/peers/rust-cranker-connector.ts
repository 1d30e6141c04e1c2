/**
 * rust-cranker-connector (Rust, tungstenite). Does not read its socket while it waits for the service, always says
 * `OK`, panics at a service that fails or answers with 8-bit field values (the socket stays open and goes on pinging),
 * hangs on every request body, and does not replace an idle socket that was closed cleanly; one that was lost, or
 * refused, it replaces at once.
 */
import type { ClientRequest } from 'node:http'
import { fieldsOf, parseRequest, send, sendBody } from './replay.js'
import { scriptedConnector, type Tunnel } from './tunnel-client.js'

const MAX_CHUNK = 65_536

export const rustCrankerConnector = scriptedConnector({
  name: 'RC',
  title: 'rust-cranker-connector, scripted',
  path: '/register',
  query: (id) => `?connectorInstanceID=${id}&componentName=scripted`,
  ping: 'ping',
  replaceAfter: (end) => (end === 'close' ? undefined : 0),
  finishesRunning: false,
  serve,
})

function serve(tunnel: Tunnel): void {
  const { ws } = tunnel
  ws.on('message', (data: Buffer, binary: boolean) => {
    if (binary) {
      ws.pause()
      return
    }
    const head = parseRequest(data.toString())
    tunnel.taken()
    // With a body it would be sent when the body has ended, and the body waits for it to be sent.
    if (head.marker !== '_2') return
    ws.pause()
    replay(tunnel, send(tunnel.target, head.target, head.method, head.fields).end())
  })
}

function replay({ ws, log }: Tunnel, request: ClientRequest): void {
  request.on('error', (error) => log(`panicked: ${error.message}`))
  ws.once('close', () => request.destroy())
  request.on('response', (response) => {
    const fields = fieldsOf(response)
    const odd = fields.find(([, value]) => /[^\t\x20-\x7e]/.test(value))
    if (odd !== undefined) {
      log(`panicked at the value of ${odd[0]}`)
      request.destroy()
      return
    }
    const lines = fields.map(([name, value]) => `${name.toLowerCase()}:${value}\n`)
    ws.send(`HTTP/1.1 ${String(response.statusCode)} OK\n${lines.join('')}`)
    sendBody(response, ws, { most: MAX_CHUNK, gone: () => request.destroy() })
    const end = (): void => {
      ws.resume()
      ws.close(1000, 'normal close')
    }
    // What the service cut is ended like what it finished.
    response.on('error', end)
    response.on('end', end)
  })
}
