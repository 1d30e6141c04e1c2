/**
 * npm-cranker-connector (JavaScript, `ws`). Sends no ids, offers permessage-deflate, ends response heads with two line
 * feeds too many and responses with a Close frame without a code, makes one `set-cookie` of several, opens missing
 * sockets every five seconds only, never notices that the client left, never ends a response that broke off, and dies
 * of a service that it cannot reach. Does not deregister.
 */
import type { ClientRequest } from 'node:http'
import { WebSocket } from 'ws'
import { framed, parseRequest, send } from './replay.js'
import { scriptedConnector, type Tunnel } from './tunnel-client.js'

const LOOK_INTERVAL = 5_000

export const npmCrankerConnector = scriptedConnector({
  name: 'NPM',
  title: 'npm-cranker-connector, scripted',
  path: '/register',
  client: { perMessageDeflate: true },
  ping: '',
  replaceAfter: () => LOOK_INTERVAL,
  leave: (ws) => ws.close(),
  serve,
})

function serve(tunnel: Tunnel): void {
  const { ws } = tunnel
  let request: ClientRequest | undefined
  ws.on('message', (data: Buffer) => {
    if (request !== undefined) {
      if (data.toString() === '_3') request.end()
      else request.write(data)
      return
    }
    tunnel.taken()
    const lines = data.toString().split('\n')
    // It takes the marker off the end and then one line more: the blank one, or else a header.
    const head = parseRequest([...lines.slice(0, -2), lines.at(-1)].join('\n'))
    // An object: of equal fields the last one stays.
    const fields = new Map(head.fields.map(([name, value]) => [name, value.trim()]))
    request = send(tunnel.target, head.target, head.method, framed([...fields], head.marker))
    request.on('error', (error) => tunnel.crash(error.message))
    request.on('response', (response) => {
      const lines = Object.entries(response.headers).map(([name, value]) => `${name}:${String(value)}`)
      ws.send(`HTTP/1.1 ${String(response.statusCode)} ${response.statusMessage ?? ''}\n${lines.join('\n')}\n\n`)
      response.on('data', (chunk: Buffer) => {
        if (ws.readyState === WebSocket.OPEN) ws.send(chunk)
      })
      response.on('end', () => ws.close())
    })
    if (head.marker === '_2') request.end()
  })
}
