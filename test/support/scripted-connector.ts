import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { WebSocket, type ClientOptions } from 'ws'
import type { Router } from '../../router/index.js'

export interface DialOptions {
  readonly path?: string
  readonly subprotocols?: readonly string[]
  readonly headers?: Readonly<Record<string, string>>
  readonly ws?: ClientOptions
}

/** A connector that a test plays by hand, on the `ws` client. */
export interface ScriptedConnector {
  readonly ws: WebSocket
  /** The 101. */
  readonly answer: IncomingMessage
  /** The next message, also one that came together with the 101. */
  next(): Promise<Buffer>
  /** Code and reason, once it is closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
}

export interface RefusedDial {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

function dial(router: Router, options: DialOptions): WebSocket {
  const { path = '/register/', subprotocols = ['cranker_3.0'], headers = {}, ws = {} } = options
  return new WebSocket(`${router.address.registration.url}${path}`, [...subprotocols], { headers, ...ws })
}

/** Fails unless the handshake is answered with 101 and taken by the client. */
export async function register(router: Router, options: DialOptions = {}): Promise<ScriptedConnector> {
  const ws = dial(router, options)
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.once('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
  const messages: Buffer[] = []
  ws.on('message', (data) => messages.push(data as Buffer))
  const upgraded = once(ws, 'upgrade') as Promise<[IncomingMessage]>
  upgraded.catch(() => undefined)
  await once(ws, 'open')
  const [answer] = await upgraded
  const next = async (): Promise<Buffer> => {
    while (messages.length === 0) await once(ws, 'message')
    return messages.shift() as Buffer
  }
  return { ws, answer, next, closed }
}

/** Fails unless the handshake is refused. */
export function refusedRegistration(router: Router, options: DialOptions = {}): Promise<RefusedDial> {
  return new Promise((resolve, reject) => {
    const ws = dial(router, options)
    ws.on('error', reject)
    ws.on('open', () => reject(new Error('the handshake was not refused')))
    ws.on('unexpected-response', (_req, res) => {
      let body = ''
      res.setEncoding('utf8')
      res.on('data', (text: string) => (body += text))
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, body }))
    })
  })
}

/** A 1.0 connector that answers its one request with `body`; resolves with the request's first message. */
export async function answerOnce(connector: ScriptedConnector, body: string): Promise<string> {
  const request = await connector.next()
  connector.ws.send(`HTTP/1.1 200 OK\ncontent-length:${Buffer.byteLength(body)}\n`)
  connector.ws.send(Buffer.from(body))
  connector.ws.close(1000)
  return request.toString()
}
