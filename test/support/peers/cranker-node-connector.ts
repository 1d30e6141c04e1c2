/**
 * cranker-node-connector (TypeScript, `ws`). Offers permessage-deflate, ends response heads without a line feed, counts
 * only pongs as signs of life, joins equal request fields with `;`, never notices that the client left, and dies of a
 * service that it cannot reach. Does not deregister.
 */
import type { ClientRequest } from 'node:http'
import { WebSocket } from 'ws'
import { framed, parseRequest, send } from './replay.js'
import { scriptedConnector, type Tunnel } from './tunnel-client.js'

export const crankerNodeConnector = scriptedConnector({
  name: 'NC',
  title: 'cranker-node-connector, scripted',
  path: '/register',
  query: (id) => `?connectorInstanceID=${id}&componentName=scripted`,
  client: { perMessageDeflate: true },
  ping: 'ping',
  deadWithoutPong: 20_000,
  // Whatever it was, it counts as an error.
  replaceAfter: (_end, attempt) => Math.min(10_000, 500 + 2 ** Math.min(attempt, 14)),
  leave: (ws) => ws.close(1001, 'server stop'),
  serve,
})

function serve(tunnel: Tunnel): void {
  const { ws } = tunnel
  let request: ClientRequest | undefined
  const close = (code: number, reason: string): void => {
    if (ws.readyState === WebSocket.OPEN) ws.close(code, reason)
  }
  ws.on('message', (data: Buffer, binary: boolean) => {
    tunnel.taken()
    if (request !== undefined) {
      if (binary) request.write(data)
      else if (data.toString() === '_3') request.end()
      return
    }
    const head = parseRequest(data.toString())
    const joined = new Map<string, string>()
    for (const [name, value] of head.fields) {
      const before = joined.get(name)
      joined.set(name, before === undefined ? value : `${before};${value}`)
    }
    request = send(tunnel.target, head.target, head.method, framed([...joined], head.marker))
    request.on('error', (error) => tunnel.crash(error.message))
    request.on('response', (response) => {
      const lines = Object.entries(response.headers).flatMap(([name, value]) =>
        (Array.isArray(value) ? value : [value]).map((one) => `${name}:${String(one)}`),
      )
      ws.send(`HTTP/1.1 ${String(response.statusCode)} ${response.statusMessage ?? ''}\n${lines.join('\n')}`)
      response.on('data', (chunk: Buffer) => {
        if (ws.readyState === WebSocket.OPEN) ws.send(chunk)
      })
      response.on('end', () => close(1000, 'target server end.'))
      response.on('error', () => close(1011, 'target server error.'))
    })
    if (head.marker === '_2') request.end()
  })
}
