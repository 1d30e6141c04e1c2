/** A registration port that does what a test says: the routers of this world, with their faults. */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'

export interface AcceptOptions {
  /** What the 101 echoes; undefined echoes nothing. */
  readonly subprotocol?: string
  /** Value of `Cranker-Extensions` on the 101. */
  readonly extensions?: string
  /** Further header lines of the 101. */
  readonly headers?: readonly string[]
  /** Largest message that is read; a larger one ends the socket with 1009. */
  readonly maxPayload?: number
}

/** One handshake request, waiting for its answer. */
export class Attempt {
  readonly req: IncomingMessage
  readonly #socket: Duplex
  readonly #head: Buffer
  readonly #router: ScriptedRouter

  constructor(router: ScriptedRouter, req: IncomingMessage, socket: Duplex, head: Buffer) {
    this.#router = router
    this.req = req
    this.#socket = socket
    this.#head = head
  }

  get path(): string {
    return (this.req.url ?? '').split('?', 1)[0] as string
  }

  get query(): URLSearchParams {
    return new URL(this.req.url ?? '', 'ws://any').searchParams
  }

  get offered(): string[] {
    return (this.req.headers['sec-websocket-protocol'] ?? '').split(',').flatMap((name) => name.trim() || [])
  }

  accept(options: AcceptOptions = {}): WebSocket {
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      ...(options.maxPayload === undefined ? {} : { maxPayload: options.maxPayload }),
      handleProtocols: () => options.subprotocol ?? false,
    })
    server.on('headers', (lines) => {
      if (options.extensions !== undefined) lines.push(`Cranker-Extensions: ${options.extensions}`)
      lines.push(...(options.headers ?? []))
    })
    let accepted: WebSocket | undefined
    server.handleUpgrade(this.req, this.#socket, this.#head, (ws) => (accepted = ws))
    if (accepted === undefined) throw new Error('no WebSocket handshake')
    accepted.on('error', () => {})
    this.#router.sockets.push(accepted)
    return accepted
  }

  refuse(status: number, headers: Readonly<Record<string, string>> = {}, body = ''): void {
    const lines = Object.entries({ ...headers, 'content-length': String(body.length), connection: 'close' })
    const fields = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    this.#socket.end(`HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${fields}\r\n${body}`)
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

export class ScriptedRouter extends EventEmitter<{ attempt: [Attempt]; deregister: [Attempt] }> {
  /** Everything that came to /register, in order. */
  readonly attempts: Attempt[] = []
  readonly deregistrations: Attempt[] = []
  /** Accepted sockets, in order. */
  readonly sockets: WebSocket[] = []
  readonly #server: Server
  readonly #connections = new Set<Duplex>()

  /** What happens to a registration. */
  onRegister: (attempt: Attempt) => void
  /** What happens to a deregistration. Default: it is confirmed, as the published routers do. */
  onDeregister: (attempt: Attempt) => void = (attempt) => {
    attempt.accept().close(1000, 'Deregister complete')
  }

  private constructor(onRegister: (attempt: Attempt) => void) {
    super()
    this.onRegister = onRegister
    this.#server = createServer((_req, res) => res.writeHead(404).end())
    this.#server.on('connection', (socket) => {
      this.#connections.add(socket)
      socket.on('close', () => this.#connections.delete(socket))
    })
    this.#server.on('upgrade', (req, socket, head) => {
      socket.on('error', () => {})
      const attempt = new Attempt(this, req, socket, head)
      if (attempt.path.endsWith('/deregister/')) {
        this.deregistrations.push(attempt)
        this.onDeregister(attempt)
        this.emit('deregister', attempt)
      } else {
        this.attempts.push(attempt)
        this.onRegister(attempt)
        this.emit('attempt', attempt)
      }
    })
  }

  static async start(onRegister: (attempt: Attempt) => void, port = 0): Promise<ScriptedRouter> {
    const router = new ScriptedRouter(onRegister)
    router.#server.listen(port, '127.0.0.1')
    await once(router.#server, 'listening')
    return router
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `ws://127.0.0.1:${String(this.port)}`
  }

  /** Resolves when `count` registrations have come. */
  async attempted(count: number): Promise<void> {
    while (this.attempts.length < count) await once(this, 'attempt')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#connections) socket.destroy()
    await closed
  }
}

/** As crank4go and crank4j: knows no subprotocols and echoes none. */
export function acceptWithoutSubprotocol(attempt: Attempt): void {
  attempt.accept()
}

/** As a router of 1.0 that knows subprotocols. */
export function acceptV1(attempt: Attempt): void {
  attempt.accept({ subprotocol: 'cranker_1.0' })
}

export function acceptV3(attempt: Attempt): void {
  attempt.accept({ subprotocol: 'cranker_3.0' })
}

/** Sends one bodyless 1.0 request; resolves with the response text, the body and the close code. */
export async function requestV1(
  ws: WebSocket,
  target = '/',
): Promise<{ head: string; body: string; code: number; reason: string }> {
  let head = ''
  let body = ''
  ws.on('message', (data: Buffer, binary: boolean) => {
    if (binary) body += data.toString()
    else head += data.toString()
  })
  ws.send(`GET ${target} HTTP/1.1\nhost:service\n\n_2`)
  const [code, reason] = (await once(ws, 'close')) as [number, Buffer]
  return { head, body, code, reason: reason.toString() }
}
