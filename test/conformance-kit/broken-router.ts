import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { decodeFrame } from '../../protocol/index.js'

/**
 * A router of 3.0 that gets some things right, and these wrong: it takes any registration, counts ids from 0, writes
 * heads with CRLF, forwards every field, never acknowledges, shows reset texts to clients, ends the socket for an
 * unknown frame type, and announces every extension that it is asked for, `upgrade` too, of which it knows nothing.
 */
export class BrokenRouter implements AsyncDisposable {
  readonly #registration: Server
  readonly #public: Server
  readonly #sockets = new Map<string, WebSocket>()
  readonly #answers = new Map<string, (message: Buffer) => void>()
  readonly #next = new Map<WebSocket, number>()

  constructor() {
    const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'cranker_3.0' })
    sockets.on('headers', (headers, req) => {
      const asked = req.headers['cranker-extensions']
      if (asked !== undefined) headers.push(`Cranker-Extensions: ${String(asked)}`)
    })
    this.#registration = createServer()
    this.#registration.on('upgrade', (req, stream, head) => {
      sockets.handleUpgrade(req, stream, head, (ws) => {
        const route = String(req.headers['route'])
        this.#sockets.set(route, ws)
        this.#next.set(ws, 0)
        ws.on('message', (data: Buffer) => {
          const frame = decodeFrame(data)
          if (frame.kind === 'unknown') ws.close(1011, 'what is this?')
          else if ('id' in frame) this.#answers.get(`${route} ${String(frame.id)}`)?.(data)
        })
      })
    })
    this.#public = createServer((req, res) => {
      const route = req.url?.split('/')[1] ?? ''
      const ws = this.#sockets.get(route)
      if (ws === undefined) {
        res.writeHead(404).end()
        return
      }
      const id = this.#next.get(ws) ?? 0
      this.#next.set(ws, id + 1)
      this.#answers.set(`${route} ${String(id)}`, (message) => {
        const frame = decodeFrame(message)
        if (frame.kind === 'header') res.writeHead(Number(frame.payload.toString().split(' ')[1]))
        if (frame.kind === 'data') res.write(frame.payload)
        if (frame.kind === 'rst') res.writeHead(502).end(frame.text)
        if ((frame.kind === 'header' || frame.kind === 'data') && frame.end) res.end()
      })
      const fields = req.rawHeaders.flatMap((name, i) =>
        i % 2 === 0 ? [`${name}:${String(req.rawHeaders[i + 1])}`] : [],
      )
      const head = Buffer.from(`${[`${String(req.method)} ${String(req.url)} HTTP/1.1`, ...fields].join('\r\n')}\r\n`)
      const first = Buffer.alloc(6)
      first[0] = 1
      first[1] = 5
      first.writeInt32BE(id, 2)
      ws.send(Buffer.concat([first, head]))
    })
  }

  async listen(): Promise<{ readonly registration: URL; readonly public: URL }> {
    const [registration, open] = await Promise.all([this.#registration, this.#public].map(portOf))
    return {
      registration: new URL(`ws://127.0.0.1:${String(registration)}`),
      public: new URL(`http://127.0.0.1:${String(open)}`),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const ws of this.#sockets.values()) ws.terminate()
    for (const server of [this.#registration, this.#public]) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

function portOf(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port)
    })
  })
}
