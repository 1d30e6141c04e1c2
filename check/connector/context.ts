/** What a case about connectors works with. */
import type { ProtocolVersion } from '../../protocol/session.js'
import { NotApplicable, type CaseContext } from '../case.js'
import type { Inbox } from '../inbox.js'
import type { Harness } from '../runner.js'
import type { Transcript } from '../transcript.js'
import { expectResponse, type Exchange, type Request, type ResponseHead } from './exchange.js'
import { ExchangeV1 } from './exchange-v1.js'
import { ExchangeV3 } from './exchange-v3.js'
import { Lobby, type Attempt, type Tunnel } from './lobby.js'
import type { Program } from './program.js'
import type { ScriptedService, ServiceCall } from './service.js'

/** A connector's backoff may be as long as 10 s (docs/protocol.md, section 7). */
const COMEBACK_MS = 20_000
/** No registration for so long: the window is full. */
const SETTLED_MS = 700
/** A 1.0 socket whose case failed is cut so soon after its Close frame. */
const CUT_MS = 500

export interface Bench {
  readonly lobby: Lobby
  readonly service: ScriptedService
  /** Where nobody must ever come. */
  readonly trap: ScriptedService
  readonly route: string
  /** Undefined: the user has started the connector. */
  readonly program: Program | undefined
}

export interface TunnelOptions {
  /** The 101 lists every extension. Default false. */
  readonly extensions?: boolean
  /** The 101 names the subprotocol. Default true. */
  readonly echo?: boolean
}

export class ConnectorContext implements CaseContext {
  readonly version: ProtocolVersion
  readonly transcript: Transcript
  readonly timeout: number
  readonly signal: AbortSignal
  readonly bench: Bench
  /** A path that is this case's alone, within the route. */
  readonly path: string
  readonly #prefix: string
  readonly #tunnels = new Set<Tunnel>()
  readonly #calls: ServiceCall[] = []
  readonly #watches: (() => void)[] = []

  constructor(base: CaseContext, bench: Bench, token: string) {
    this.version = base.version
    this.transcript = base.transcript
    this.timeout = base.timeout
    this.signal = base.signal
    this.bench = bench
    this.#prefix = bench.route === '*' ? '' : `/${bench.route}`
    this.path = `${this.#prefix}/${token}`
  }

  get lobby(): Lobby {
    return this.bench.lobby
  }

  /** How long a connector may take to come back. */
  get comeback(): number {
    return Math.max(this.timeout, COMEBACK_MS)
  }

  /** A registered socket that waits for requests. */
  async tunnel(options: TunnelOptions = {}): Promise<Tunnel> {
    await this.bench.program?.ready()
    const mood = { version: this.version, extensions: options.extensions ?? false, echo: options.echo ?? true }
    const tunnel = await this.lobby.take(mood, this.transcript, this.comeback)
    this.#tunnels.add(tunnel)
    return tunnel
  }

  /** A tunnel with extensions on both sides. @throws NotApplicable when the connector does not list `name` */
  async extended(name: string): Promise<Tunnel> {
    const tunnel = await this.tunnel({ extensions: true })
    if (!Lobby.announced(tunnel.attempt).has(name)) {
      throw new NotApplicable(`the connector does not announce ${name}`)
    }
    return tunnel
  }

  /** A new exchange, of whichever version; on 1.0 a tunnel has but one. */
  exchange(tunnel: Tunnel): Exchange {
    return this.version === '3.0' ? new ExchangeV3(tunnel, this.timeout) : new ExchangeV1(tunnel, this.timeout)
  }

  /** An exchange whose frames the case looks at. Only for cases about 3.0. */
  exchangeV3(tunnel: Tunnel, id?: number): ExchangeV3 {
    return new ExchangeV3(tunnel, this.timeout, id)
  }

  /** The next request of this case that reaches the service, whose target contains `part`. */
  async call(part = this.path, what = `the request for ${part} to reach the service`): Promise<ServiceCall> {
    // Not the route: a connector that leaves it out fails the case about that, and no other.
    const token = part.slice(this.#prefix.length)
    const mine = (call: ServiceCall): ServiceCall | undefined => (call.target.includes(token) ? call : undefined)
    const call = await this.bench.service.calls.take(what, mine, this.timeout)
    this.transcript.note('service', `${call.method} ${call.target}`)
    this.#calls.push(call)
    return call
  }

  /** Sends a request without a body on a tunnel of its own, and waits until it has reached the service. */
  async start(request: Partial<Request> = {}, tunnel?: Tunnel): Promise<{ exchange: Exchange; call: ServiceCall }> {
    const exchange = this.exchange(tunnel ?? (await this.tunnel()))
    exchange.send({ target: this.path, ...request })
    return { exchange, call: await this.call() }
  }

  /** A whole GET, answered by the service with these fields and this body. */
  async get(
    fields: readonly string[],
    body: string | Buffer,
    tunnel?: Tunnel,
  ): Promise<ResponseHead & { body: Buffer }> {
    const { exchange, call } = await this.start({}, tunnel)
    call.answer(200, fields, body)
    const head = await exchange.head()
    return { ...head, body: await exchange.body() }
  }

  /** Throws unless the tunnel (3.0), or the connector on another socket (1.0), still serves a request. */
  async stillServes(tunnel: Tunnel): Promise<void> {
    const next = this.exchange(this.version === '3.0' ? tunnel : await this.tunnel())
    const target = `${this.path}/afterwards`
    next.send({ target })
    const call = await this.call(target, 'a later request to be served all the same')
    call.answer(200, ['content-length', '4'], 'fine')
    await expectResponse(next, 200, 'fine')
  }

  /** Registrations and deregistrations from now on. */
  watch(): Inbox<Attempt> {
    const { inbox, done } = this.lobby.watch()
    this.#watches.push(done)
    return inbox
  }

  /** Waits until no registration is under way: the next one is the one that the case is about. */
  async settled(): Promise<void> {
    const { inbox, done } = this.lobby.watch()
    const registers = (attempt: Attempt): Attempt | undefined => (attempt.kind === 'register' ? attempt : undefined)
    while ((await inbox.take('', registers, SETTLED_MS).catch(() => undefined)) !== undefined);
    done()
  }

  /** @throws NotApplicable without `--exec` */
  get program(): Program {
    const { program } = this.bench
    if (program === undefined) throw new NotApplicable('the kit can stop only what it has started: give --exec')
    return program
  }

  /** Leaves nothing behind. */
  close(passed: boolean): void {
    this.lobby.policy = 'accept'
    this.lobby.onDeregister = undefined
    for (const done of this.#watches) done()
    this.bench.service.dismiss(this.#calls, this.path)
    for (const tunnel of this.#tunnels) this.#leave(tunnel, passed)
  }

  #leave(tunnel: Tunnel, passed: boolean): void {
    const { socket } = tunnel
    socket.resume()
    if (socket.ended) return
    if (passed && (this.version === '3.0' || !tunnel.used)) {
      this.lobby.give(tunnel)
      return
    }
    socket.close(passed ? 1000 : 1001)
    setTimeout(() => {
      socket.destroy()
    }, CUT_MS).unref()
  }
}

export class ConnectorHarness implements Harness<ConnectorContext> {
  readonly versions: readonly ProtocolVersion[]
  readonly #bench: Bench
  #count = 0

  constructor(bench: Bench, versions: readonly ProtocolVersion[]) {
    this.#bench = bench
    this.versions = versions
  }

  open(base: CaseContext): Promise<ConnectorContext> {
    return Promise.resolve(new ConnectorContext(base, this.#bench, `case-${String(++this.#count)}-`))
  }

  close(context: ConnectorContext, passed: boolean): Promise<void> {
    context.close(passed)
    return Promise.resolve()
  }
}
