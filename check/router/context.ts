/** What a case about routers works with: it registers as a connector, and calls the public port as a client. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProtocolVersion } from '../../protocol/session.js'
import { CheckFailure, checkSame, NotApplicable, type CaseContext } from '../case.js'
import { dial, type DialAnswer } from '../dial.js'
import type { Harness } from '../runner.js'
import type { RawSocket } from '../socket.js'
import type { Transcript } from '../transcript.js'
import { Client, rawExchange, type ClientOptions, type ClientResponse, type ClientTarget } from './client.js'
import { ExchangeV1, ExchangeV3, type Exchange } from './exchange.js'
import { UpgradeClient, type UpgradeOptions } from './upgrade-client.js'

/** Where the router under test listens. */
export interface Bench {
  /** Of the registration port: `ws:` or `wss:`. */
  readonly registration: URL
  readonly public: ClientTarget
  /** Every case registers a route of its own that begins with this. */
  readonly route: string
  readonly insecure: boolean
}

export interface HandshakeOptions {
  /** `/register/` with ids by default. */
  readonly path?: string
  /** `Sec-WebSocket-Protocol`; null: none. Default: the version of the case. */
  readonly offer?: string | null
  /** `CrankerProtocol: 1.0`. Default true, as connectors that speak 1.0 must. */
  readonly legacy?: boolean
  readonly route?: string | null
  readonly domain?: string | null
  readonly extensions?: string
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly method?: string
  /** False: no WebSocket handshake at all. */
  readonly upgrade?: boolean
}

/** A socket whose case is over is cut so soon after its Close frame, ms. */
const CUT_MS = 500
/** mu-cranker-router lists a socket on a thread of its own, a moment after it has answered on it, ms. */
const LISTED_MS = 50
/** Long enough for what must not come to have come, ms. */
const QUIET_MS = 300

export class RouterContext implements CaseContext {
  readonly version: ProtocolVersion
  readonly transcript: Transcript
  readonly timeout: number
  readonly signal: AbortSignal
  readonly bench: Bench
  /** This case's alone. */
  readonly route: string
  readonly instance: string
  readonly #sockets: RawSocket[] = []
  /** What `start` has registered, to be used again where a socket carries many requests. */
  #started: RawSocket | undefined
  /** Those that have carried a request. */
  readonly #used = new Set<RawSocket>()
  readonly #clients: { leave(): void }[] = []

  constructor(base: CaseContext, bench: Bench, token: string) {
    this.version = base.version
    this.transcript = base.transcript
    this.timeout = base.timeout
    this.signal = base.signal
    this.bench = bench
    this.route = `${bench.route}-${token}`
    this.instance = `cranker-check-${token}`
  }

  /** Long enough for what must not come to have come, ms. */
  get quiet(): number {
    return QUIET_MS
  }

  /** Waits as long. */
  rest(): Promise<void> {
    return sleep(QUIET_MS)
  }

  /** A path within the route. */
  path(rest = '/x'): string {
    return `/${this.route}${rest}`
  }

  /** Any handshake; the answer may be a refusal. */
  async handshake(options: HandshakeOptions = {}): Promise<DialAnswer> {
    const query = `?connectorInstanceID=${this.instance}&componentName=cranker-check`
    const { path = `/register/${query}`, offer = `cranker_${this.version}`, legacy = this.version === '1.0' } = options
    const { route = this.route, domain = null, extensions } = options
    const url = new URL(this.bench.registration)
    const prefix = url.pathname.replace(/\/$/, '')
    const target = new URL(`${url.origin}${prefix}${path}`)
    const optional: (readonly [string, string | null | undefined])[] = [
      ['Sec-WebSocket-Protocol', offer],
      ['CrankerProtocol', legacy ? '1.0' : null],
      ['Route', route],
      ['Domain', domain],
      ['Cranker-Extensions', extensions],
    ]
    const headers = optional.flatMap(([name, value]) =>
      value === null || value === undefined ? [] : [[name, value] as const],
    )
    const answer = await dial({
      url: target,
      headers: [...headers, ...(options.headers ?? [])],
      upgrade: options.upgrade ?? true,
      method: options.method ?? 'GET',
      name: `socket ${String(this.#sockets.length + 1)}`,
      version: this.version,
      transcript: this.transcript,
      timeout: this.timeout,
      insecure: this.bench.insecure,
    })
    if (answer.socket !== undefined) this.#sockets.push(answer.socket)
    return answer
  }

  /** A registered socket. @throws CheckFailure when the router refuses it */
  async register(options: HandshakeOptions = {}): Promise<RawSocket> {
    const { socket, status } = await this.handshake(options)
    if (socket === undefined) throw new CheckFailure('101 for a registration', String(status))
    // What answers a ping has been made ready for requests.
    const token = Buffer.from('ready?')
    socket.ping(token)
    await this.pong(socket, token)
    await sleep(LISTED_MS)
    return socket
  }

  /** A socket on which both sides listed the extension. @throws NotApplicable when the router does not */
  async extended(name: string, options: HandshakeOptions = {}): Promise<RawSocket> {
    const answer = await this.handshake({ ...options, extensions: name })
    const listed = (answer.header('Cranker-Extensions') ?? '').split(',').map((each) => each.split(';')[0]?.trim())
    if (!listed.includes(name)) throw new NotApplicable(`the router does not announce ${name}`)
    if (answer.socket === undefined) throw new CheckFailure('101 for a registration', String(answer.status))
    return answer.socket
  }

  async pong(socket: RawSocket, payload: Buffer): Promise<void> {
    await socket.inbox.take(
      'a pong with the payload of the ping',
      (event) => (event.kind === 'pong' && event.bytes.equals(payload) ? true : undefined),
      this.timeout,
    )
  }

  /** A request at the public port, on a connection of its own. */
  client(options: Partial<ClientOptions> = {}): Client {
    const client = new Client(this.bench.public, { target: this.path(), ...options }, this.transcript)
    this.#clients.push(client)
    return client
  }

  /** A request for a WebSocket at the public port. */
  upgradeClient(options: Partial<UpgradeOptions> = {}): UpgradeClient {
    const client = new UpgradeClient(this.bench.public, { target: this.path(), ...options }, this.transcript)
    this.#clients.push(client)
    return client
  }

  /** Bytes at the public port, and what comes back. */
  raw(bytes: string): Promise<string> {
    this.transcript.note('client', `sends ${JSON.stringify(bytes)}`)
    return rawExchange(this.bench.public, bytes, QUIET_MS)
  }

  /** The request that arrives on a socket. */
  take(socket: RawSocket): Promise<Exchange> {
    this.#used.add(socket)
    return this.version === '3.0' ? ExchangeV3.take(socket, this.timeout) : ExchangeV1.take(socket, this.timeout)
  }

  /** Registers a socket (3.0: the first time), sends a request, waits until it arrives. */
  async start(
    options: Partial<ClientOptions> = {},
  ): Promise<{ readonly client: Client; readonly exchange: Exchange; readonly socket: RawSocket }> {
    const socket = await this.#ready()
    const client = this.client(options)
    return { client, exchange: await this.take(socket), socket }
  }

  /** The same for cases about 3.0. */
  async startV3(
    options: Partial<ClientOptions> = {},
    acknowledges = true,
  ): Promise<{ readonly client: Client; readonly exchange: ExchangeV3; readonly socket: RawSocket }> {
    const socket = await this.#ready()
    const client = this.client(options)
    return { client, exchange: await ExchangeV3.take(socket, this.timeout, acknowledges), socket }
  }

  /** A whole request, answered with this head and body; what the client gets. */
  async answered(
    head: string,
    body = 'hello',
    options: Partial<ClientOptions> = {},
  ): Promise<ClientResponse & { readonly body: Buffer }> {
    const { client, exchange } = await this.start(options)
    exchange.head(head)
    exchange.send(body)
    exchange.end()
    const whole = await client.whole()
    return { ...whole.response, body: whole.body }
  }

  /** The client of a failed exchange gets this status. */
  async expectStatus(client: Client, status: number): Promise<ClientResponse> {
    const response = await client.response()
    checkSame("the client's status", response.status, status)
    response.message.resume()
    return response
  }

  /** Throws unless a further request is served: by this socket, or by another one where it is a 1.0 socket and used. */
  async stillServes(socket: RawSocket): Promise<void> {
    const next = this.version === '1.0' && this.#used.has(socket) ? await this.register() : socket
    const client = this.client({ target: this.path('/afterwards') })
    const exchange = await this.take(next)
    exchange.respond('200 OK', ['content-length:4'], 'fine')
    const { response, body } = await client.whole()
    checkSame('the status of a later request', response.status, 200)
    checkSame('the body of a later request', body.toString('latin1'), 'fine')
  }

  /** Waits until the router has ended the socket. */
  async ended(socket: RawSocket, timeout = this.timeout): Promise<number> {
    const code = await socket.inbox
      .take(
        'the end of the socket',
        (event) => (event.kind === 'close' ? event.code : event.kind === 'end' ? 1006 : undefined),
        timeout,
      )
      .catch((error: unknown) => {
        // It may have ended before anybody looked.
        if (socket.closed !== undefined) return socket.closed.kind === 'close' ? socket.closed.code : 1006
        throw error
      })
    return code
  }

  async #ready(): Promise<RawSocket> {
    if (this.version === '1.0' || this.#started?.open !== true) this.#started = await this.register()
    return this.#started
  }

  /** Leaves nothing behind. */
  close(): void {
    for (const client of this.#clients) client.leave()
    for (const socket of this.#sockets) {
      socket.resume()
      if (socket.ended) continue
      socket.close(1000)
      setTimeout(() => {
        socket.destroy()
      }, CUT_MS).unref()
    }
  }
}

export class RouterHarness implements Harness<RouterContext> {
  readonly versions: readonly ProtocolVersion[]
  readonly #bench: Bench
  #count = 0
  /** Runs do not meet each other's routes. */
  readonly #run = Date.now().toString(36)

  constructor(bench: Bench, versions: readonly ProtocolVersion[]) {
    this.#bench = bench
    this.versions = versions
  }

  open(base: CaseContext): Promise<RouterContext> {
    return Promise.resolve(new RouterContext(base, this.#bench, `${this.#run}-${String(++this.#count)}`))
  }

  close(context: RouterContext): Promise<void> {
    context.close()
    return Promise.resolve()
  }
}
