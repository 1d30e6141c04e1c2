/**
 * What the scripted routers share: two ports, sockets waiting per route, one request per socket. What tells them apart
 * is in {@link RouterTraits}, one file per peer. Both are of the time before subprotocols: they know only the header
 * `CrankerProtocol`, and echo no subprotocol.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { WebSocket } from 'ws'
import type { RouterPeer, RouterStart, RunningRouter } from '../../interop/peer.js'
import { type Attempt, ScriptedRouter } from '../scripted-router.js'

export interface RouterTraits {
  readonly name: string
  readonly title: string
  /** Largest message that it reads. */
  readonly maxMessage: number
  /** Bytes of a request body per message. */
  readonly bodyChunk: number
  readonly ping: string
  /** What it answers when no socket comes in time; it has no 404 once there is a catch-all. */
  readonly noSocket: string
  /** The request head without marker, and whether it thinks that a body follows. */
  requestHead(req: IncomingMessage): { readonly text: string; readonly hasBody: boolean }
  /** A response head. Throws at what the router would choke on. */
  responseHead(text: string): { readonly status: number; readonly fields: readonly (readonly [string, string])[] }
  /** The socket was closed while a response was outstanding. 1006: it was lost. */
  closed(code: number, res: ServerResponse): void
  /** The client went away. */
  clientLeft(ws: WebSocket): void
  /** A deregistration: `idle` are the sockets of that route, in order; those it takes out of service it removes. */
  deregister(attempt: Attempt, idle: Waiting[]): void
}

export interface Waiting {
  readonly ws: WebSocket
  readonly connectorInstanceId: string
}

interface Route {
  readonly idle: Waiting[]
  readonly waiters: ((socket: Waiting) => void)[]
}

export function scriptedRouter(traits: RouterTraits): RouterPeer {
  return {
    name: traits.name,
    title: traits.title,
    versions: ['1.0'],
    prepare: () => Promise.resolve(undefined),
    start: (options) => TunnelServer.start(traits, options),
  }
}

class TunnelServer implements RunningRouter {
  readonly registrationPort: number
  publicPort = 0
  readonly #traits: RouterTraits
  readonly #wait: number
  readonly #registration: ScriptedRouter
  readonly #public: Server
  readonly #clients = new Set<Socket>()
  readonly #routes = new Map<string, Route>()
  readonly #pings: NodeJS.Timeout
  readonly #lines: string[] = []

  private constructor(traits: RouterTraits, options: RouterStart, registration: ScriptedRouter) {
    this.#traits = traits
    this.#wait = options.connectorWait ?? 5_000
    this.#registration = registration
    this.registrationPort = registration.port
    registration.onRegister = (attempt) => this.#register(attempt)
    registration.onDeregister = (attempt) => {
      traits.deregister(attempt, this.#route(String(attempt.req.headers['route'] ?? '')).idle)
    }
    this.#public = createServer({ maxHeaderSize: 32_768, keepAliveTimeout: 60_000 }, (req, res) => {
      void this.#proxy(req, res)
    })
    this.#public.on('connection', (socket) => {
      this.#clients.add(socket)
      socket.on('close', () => this.#clients.delete(socket))
    })
    this.#pings = setInterval(() => {
      for (const { idle } of this.#routes.values()) for (const { ws } of idle) ws.ping(traits.ping)
    }, options.pingInterval ?? 5_000)
  }

  static async start(traits: RouterTraits, options: RouterStart): Promise<TunnelServer> {
    const registration = await ScriptedRouter.start(() => undefined, options.registrationPort ?? 0)
    const router = new TunnelServer(traits, options, registration)
    router.#public.listen(options.publicPort ?? 0, '127.0.0.1')
    await once(router.#public, 'listening')
    router.publicPort = (router.#public.address() as AddressInfo).port
    return router
  }

  output(): string {
    return this.#lines.join('\n')
  }

  async stop(): Promise<void> {
    clearInterval(this.#pings)
    if (!this.#public.listening) return
    const closed = once(this.#public, 'close')
    this.#public.close()
    for (const socket of this.#clients) socket.destroy()
    await Promise.all([closed, this.#registration[Symbol.asyncDispose]()])
  }

  #register(attempt: Attempt): void {
    const { headers } = attempt.req
    if (headers['crankerprotocol'] !== '1.0') {
      attempt.refuse(500, {}, 'nonsupport cranker version')
      return
    }
    const id = attempt.query.get('connectorInstanceID') ?? `unknown-${String(attempt.req.socket.remotePort)}`
    const ws = attempt.accept({ headers: ['CrankerProtocol: 1.0'], maxPayload: this.#traits.maxMessage })
    const route = this.#route(String(headers['route'] ?? ''))
    const socket: Waiting = { ws, connectorInstanceId: id }
    this.#log(`registered ${id} for ${String(headers['route'])}`)
    ws.on('close', (code: number) => {
      this.#log(`socket closed: ${String(code)}`)
      const at = route.idle.indexOf(socket)
      if (at !== -1) route.idle.splice(at, 1)
    })
    const waiter = route.waiters.shift()
    if (waiter === undefined) route.idle.push(socket)
    else waiter(socket)
  }

  #route(name: string): Route {
    const key = name === '' ? '*' : name
    let route = this.#routes.get(key)
    if (route === undefined) this.#routes.set(key, (route = { idle: [], waiters: [] }))
    return route
  }

  /** The first path segment is the route, and whatever is not known goes to the catch-all. */
  #acquire(target: string): Promise<Waiting | undefined> {
    const segment = /^\/([^/?]*)/.exec(target)?.[1] ?? ''
    const route = this.#routes.get(segment) ?? this.#route('*')
    const idle = route.idle.shift()
    if (idle !== undefined) return Promise.resolve(idle)
    return new Promise((resolve) => {
      const waiter = (socket: Waiting): void => {
        clearTimeout(timer)
        resolve(socket)
      }
      const timer = setTimeout(() => {
        route.waiters.splice(route.waiters.indexOf(waiter), 1)
        resolve(undefined)
      }, this.#wait)
      route.waiters.push(waiter)
    })
  }

  async #proxy(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const socket = await this.#acquire(req.url ?? '/')
    if (socket === undefined) {
      res.writeHead(503).end(this.#traits.noSocket)
      return
    }
    const { ws } = socket
    this.#receive(ws, res)
    const { text, hasBody } = this.#traits.requestHead(req)
    ws.send(`${text}\n${hasBody ? '_1' : '_2'}`)
    if (!hasBody) {
      req.resume()
      return
    }
    const { bodyChunk } = this.#traits
    req.on('data', (chunk: Buffer) => {
      req.pause()
      for (let at = 0; at < chunk.length; at += bodyChunk) {
        ws.send(chunk.subarray(at, at + bodyChunk), at + bodyChunk < chunk.length ? undefined : () => req.resume())
      }
    })
    req.on('end', () => ws.send('_3'))
  }

  #receive(ws: WebSocket, res: ServerResponse): void {
    ws.on('message', (data: Buffer, binary: boolean) => {
      if (!binary) {
        const { status, fields } = this.#traits.responseHead(data.toString())
        res.writeHead(status, fields.flat())
        // Heads are octets; node would write this one as UTF-8.
        res.socket?.setDefaultEncoding('latin1')
        res.flushHeaders()
      } else if (!res.write(data) && !res.destroyed) {
        ws.pause()
        res.once('drain', () => ws.resume())
      }
    })
    ws.on('close', (code: number) => this.#traits.closed(code, res))
    res.on('close', () => {
      ws.resume()
      if (!res.writableFinished) this.#traits.clientLeft(ws)
    })
  }

  #log(line: string): void {
    if (this.#lines.length < 1_000) this.#lines.push(line)
  }
}

/** Fields that neither of them sends on to a service. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The client's fields, as they came, without hop-by-hop ones. */
export function endToEnd(req: IncomingMessage): [name: string, value: string][] {
  const raw = req.rawHeaders
  return raw.flatMap((name, i): [string, string][] =>
    i % 2 === 0 && !HOP_BY_HOP.has(name.toLowerCase()) ? [[name, raw[i + 1] ?? '']] : [],
  )
}
