/** The router's HTTP side over sessions that a test plays by hand: no tunnel, no connector, no service. */
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../../protocol/clock.js'
import { CrankerError, type ErrorCode } from '../../protocol/errors.js'
import { headerValue, type RawHeaders, type RequestHead } from '../../protocol/head.js'
import { type Logger, silentLogger } from '../../protocol/logger.js'
import type { Capabilities, RequestExchange, ResponseHandler, RouterSession } from '../../protocol/session.js'
import { createPublicServer, type PublicServer, type PublicServerOptions } from '../../router/inbound/public-server.js'
import type { AccessEntry, TlsSource } from '../../router/options.js'
import { Proxy, type ProxyOptions } from '../../router/proxy.js'
import type { RegisteredSession, SessionSource, SessionWaiter } from '../../router/routing/source.js'
import { Certificates } from '../../router/tls/certificates.js'

/** Lets a test wait for something that it observes, woken by every call that is recorded. */
class Observed {
  #waiting: { readonly ready: () => boolean; readonly resolve: () => void }[] = []

  until(ready: () => boolean): Promise<void> {
    if (ready()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ ready, resolve }))
  }

  changed(): void {
    for (const waiting of this.#waiting) if (waiting.ready()) waiting.resolve()
    this.#waiting = this.#waiting.filter((waiting) => !waiting.ready())
  }
}

export class ScriptedExchange extends Observed implements RequestExchange {
  readonly id: number
  readonly head: RequestHead
  readonly bodyless: boolean
  readonly handler: ResponseHandler
  readonly chunks: Buffer[] = []
  ended = false
  resetError: CrankerError | undefined
  consumedBytes = 0
  /** What `write` answers. */
  room = true
  readonly #over: () => void

  constructor(id: number, head: RequestHead, bodyless: boolean, handler: ResponseHandler, over: () => void) {
    super()
    this.id = id
    this.head = head
    this.bodyless = bodyless
    this.handler = handler
    this.#over = over
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }

  field(name: string): string | undefined {
    return headerValue(this.head.headers, name)
  }

  // What the proxy calls

  write(chunk: Buffer): boolean {
    this.chunks.push(chunk)
    this.changed()
    return this.room
  }

  end(chunk?: Buffer): void {
    if (chunk !== undefined) this.chunks.push(chunk)
    this.ended = true
    this.changed()
  }

  reset(error: CrankerError): void {
    this.resetError = error
    this.#over()
    this.changed()
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes
    this.changed()
  }

  // What the test plays

  respond(status: number, headers: RawHeaders = [], reason = ''): this {
    this.handler.onHead({ status, reason, headers }, false)
    return this
  }

  data(text: string | Buffer): this {
    this.handler.onData(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
    return this
  }

  finish(): void {
    this.#over()
    this.handler.onEnd(undefined)
  }

  /** A whole response with a content-length. */
  answer(text: string, status = 200, headers: RawHeaders = []): void {
    this.respond(status, [...headers, 'content-length', String(text.length)])
    if (text !== '') this.data(text)
    this.finish()
  }

  fail(code: ErrorCode, delivered: 'no' | 'maybe' | 'yes' = 'maybe'): void {
    this.#over()
    this.handler.onError(
      new CrankerError(code, `internal detail of ${code} at 10.1.2.3`, { initiator: 'peer', delivered }),
    )
  }

  /** There is room again. */
  drain(): void {
    this.room = true
    this.handler.onDrain()
  }
}

const NOTHING_SPECIAL: Capabilities = {
  informational: true,
  refuse: true,
  goaway: false,
  trailers: false,
  upgrade: false,
  rawTarget: true,
}

/** Calls `play` for every exchange, after `open` has returned. */
export class ScriptedSession implements RouterSession {
  readonly version = '3.0'
  readonly capabilities = NOTHING_SPECIAL
  readonly capacity = Infinity
  readonly roundTrip = undefined
  readonly bytesIn = 0
  readonly bytesOut = 0
  load = 0
  opened = 0
  accepting = true
  play: (exchange: ScriptedExchange) => void
  /** Set: `open` throws it. */
  refusal: CrankerError | undefined

  constructor(play: (exchange: ScriptedExchange) => void) {
    this.play = play
  }

  open(head: RequestHead, end: boolean, handler: ResponseHandler): RequestExchange {
    if (this.refusal !== undefined) throw this.refusal
    this.load++
    const exchange = new ScriptedExchange(++this.opened, head, end, handler, () => this.load--)
    queueMicrotask(() => this.play(exchange))
    return exchange
  }

  drain(): void {
    this.accepting = false
  }

  close(): void {
    this.accepting = false
  }

  terminate(): void {
    this.accepting = false
  }
}

let sockets = 0

export function registered(session: RouterSession): RegisteredSession {
  return {
    session,
    route: 'route',
    domain: '*',
    connectorInstanceID: 'instance',
    componentName: 'component',
    remoteAddress: '127.0.0.1',
    remotePort: 1,
    socketID: `socket-${++sockets}`,
  }
}

/** Hands out its sessions in turn; with none left, requests wait until the test gives them one. */
export class ScriptedSource extends Observed implements SessionSource {
  readonly sessions: RegisteredSession[] = []
  readonly asked: { readonly host: string; readonly path: string }[] = []
  readonly waiters = new Set<SessionWaiter>()
  cancelled = 0

  take(host: string, path: string, not?: RegisteredSession): RegisteredSession | undefined {
    this.asked.push({ host, path })
    const at = this.sessions.findIndex((candidate) => candidate !== not && candidate.session.accepting)
    if (at === -1) return undefined
    const [chosen] = this.sessions.splice(at, 1)
    this.sessions.push(chosen as RegisteredSession)
    return chosen
  }

  wait(_host: string, _path: string, waiter: SessionWaiter): () => void {
    this.waiters.add(waiter)
    this.changed()
    return () => {
      if (this.waiters.delete(waiter)) this.cancelled++
      this.changed()
    }
  }

  /** The next waiter. */
  next(): SessionWaiter {
    const [waiter] = this.waiters
    if (waiter === undefined) throw new Error('nobody waits')
    this.waiters.delete(waiter)
    return waiter
  }
}

export interface HttpSide {
  readonly port: number
  readonly server: PublicServer
  readonly proxy: Proxy
  readonly source: ScriptedSource
  readonly session: ScriptedSession
  readonly access: AccessEntry[]
  /** Exchanges in the order in which they were opened, unless `play` was given. */
  exchange(): Promise<ScriptedExchange>
  /** Waits for this many access entries, and returns the last. */
  entry(count?: number): Promise<AccessEntry>
  close(): Promise<void>
}

export interface HttpSideOptions extends Partial<PublicServerOptions>, Partial<Omit<ProxyOptions, 'accessLog'>> {
  readonly play?: (exchange: ScriptedExchange) => void
  readonly tls?: TlsSource
  readonly clock?: Clock
  readonly log?: Logger
  /** False: no session, requests wait. */
  readonly session?: boolean
}

export async function startHttpSide(options: HttpSideOptions = {}): Promise<HttpSide> {
  const { clock = systemClock, log = silentLogger } = options
  const opened = new Observed()
  const arrived: ScriptedExchange[] = []
  const access: AccessEntry[] = []
  const collect = (exchange: ScriptedExchange): void => {
    arrived.push(exchange)
    opened.changed()
  }
  const session = new ScriptedSession(options.play ?? collect)
  const source = new ScriptedSource()
  if (options.session !== false) source.sessions.push(registered(session))
  const proxy = new Proxy({
    source,
    clock,
    log,
    options: {
      viaName: 'cranker',
      xForwarded: false,
      forwardHost: true,
      trustedProxies: [],
      idleTimeout: 300_000,
      upgradeIdleTimeout: 3_600_000,
      webSockets: true,
      ...options,
      accessLog: (entry) => {
        access.push(entry)
        opened.changed()
      },
    },
  })
  const server = createPublicServer(
    {
      host: '127.0.0.1',
      port: 0,
      headTimeout: 10_000,
      keepAliveTimeout: 75_000,
      maxHeadSize: 65_536,
      maxConnections: 20_000,
      http2: true,
      http2Cleartext: false,
      http2MaxStreams: 128,
      webSockets: true,
      certificates: options.tls === undefined ? undefined : new Certificates([options.tls]),
      viaName: 'cranker',
      log,
      ...options,
    },
    (inbound) => proxy.handle(inbound),
    (inbound, error, status) => proxy.refused(inbound, error, status),
  )
  const address: AddressInfo = await server.listen()
  return {
    port: address.port,
    server,
    proxy,
    source,
    session,
    access,
    exchange: async () => {
      await opened.until(() => arrived.length > 0)
      return arrived.shift() as ScriptedExchange
    },
    entry: async (count = 1) => {
      await opened.until(() => access.length >= count)
      return access.at(-1) as AccessEntry
    },
    close: async () => {
      server.closeNow()
      await server.close()
      proxy.close()
    },
  }
}
