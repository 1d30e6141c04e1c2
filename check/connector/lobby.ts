/** The scripted router's registration port: where the connector under test comes in, and waits until a case needs it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { formatExtensions, parseExtensions } from '../../protocol/extensions.js'
import { registrationKind, type RegistrationKind } from '../../protocol/registration.js'
import type { ProtocolVersion } from '../../protocol/session.js'
import { acceptHandshake, refuseHandshake } from '../accept.js'
import { Inbox } from '../inbox.js'
import type { RawSocket } from '../socket.js'
import { Transcript } from '../transcript.js'

/** What kind of router the kit is at the moment. */
export interface Mood {
  readonly version: ProtocolVersion
  /** Whether the 101 lists every extension, or none, as published routers do. */
  readonly extensions: boolean
  /** Whether the 101 names the subprotocol; false: as the oldest routers, only `CrankerProtocol`. */
  readonly echo: boolean
}

/** A handshake request of the connector. */
export interface Attempt {
  readonly kind: RegistrationKind | undefined
  readonly req: IncomingMessage
  /** When, in ms of `performance.now()`. */
  readonly at: number
  /** What it offered as subprotocols. */
  readonly offers: readonly string[]
}

/** An accepted registration. */
export interface Tunnel {
  readonly socket: RawSocket
  readonly attempt: Attempt
  readonly mood: Mood
  /** The next request id on a 3.0 socket. */
  nextId: number
  /** Whether a request was sent on it: a 1.0 socket carries but one. */
  used: boolean
}

/** `accept`, or what happens to a handshake instead; a word to `note` says so in transcripts. */
export type Policy = 'accept' | ((attempt: Attempt, stream: Duplex, head: Buffer) => void)

/** Everything that this package knows; what the connector lists too is in use then. */
const ALL_EXTENSIONS = formatExtensions()
/** Attempts remembered for whoever asks later. */
const MAX_ATTEMPTS = 2_000

export class Lobby {
  /** Registrations and deregistrations, in order. */
  readonly attempts: Attempt[] = []
  /** Broken rules of RFC 6455, on any socket. */
  readonly faults = new Set<string>()
  /** What becomes of the next registrations. */
  policy: Policy = 'accept'
  /** Called when a deregistration comes, before it is answered. */
  onDeregister: (() => void) | undefined
  mood: Mood = { version: '3.0', extensions: false, echo: true }
  readonly #route: string
  readonly #server: Server
  readonly #streams = new Set<Duplex>()
  readonly #watchers = new Set<Inbox<Attempt>>()
  readonly #idle: Tunnel[] = []
  readonly #arrivals = new Inbox<Tunnel>('the registration port', () => 'a registration')
  readonly #pinged = new Inbox<Mood>('the registration port', () => undefined)
  #count = 0

  private constructor(route: string) {
    this.#route = route
    this.#server = createServer((_req, res) => res.writeHead(404).end())
    this.#server.on('connection', (stream) => {
      this.#streams.add(stream)
      stream.on('close', () => this.#streams.delete(stream))
    })
    this.#server.on('upgrade', (req, stream, head) => {
      stream.on('error', () => {})
      this.#upgrade(req, stream, head)
    })
  }

  /** @throws the error of `listen` */
  static async listen(host: string, port: number, route: string): Promise<Lobby> {
    const lobby = new Lobby(route)
    lobby.#server.listen(port, host)
    await once(lobby.#server, 'listening')
    return lobby
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Stops listening and cuts everything, as a router that is gone; resolves with a way back. */
  async leave(): Promise<() => Promise<void>> {
    const { port, address } = this.#server.address() as AddressInfo
    await this.close()
    return async () => {
      this.#server.listen(port, address)
      await once(this.#server, 'listening')
    }
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const stream of this.#streams) stream.destroy()
    await closed
    this.#idle.length = 0
  }

  /** Every attempt from now on, until `done`. */
  watch(): { readonly inbox: Inbox<Attempt>; readonly done: () => void } {
    const inbox = new Inbox<Attempt>('the registration port', (attempt) => `a request for ${String(attempt.req.url)}`)
    this.#watchers.add(inbox)
    return { inbox, done: () => void this.#watchers.delete(inbox) }
  }

  /**
   * A socket that waits for requests, of the mood that is asked for; those of other moods are closed, so that the
   * connector comes back.
   * @throws CheckFailure when none comes within `timeout` ms
   */
  async take(mood: Mood, transcript: Transcript, timeout: number): Promise<Tunnel> {
    this.mood = mood
    this.#dismiss((tunnel) => !sameMood(tunnel.mood, mood))
    const tunnel = this.#idle.shift() ?? (await this.#arrival(mood, timeout))
    tunnel.socket.transcript = transcript
    tunnel.socket.inbox.clear()
    const { version, extensions } = mood
    tunnel.socket.note(`takes this case: protocol ${version}${extensions ? ', with extensions' : ''}`)
    return tunnel
  }

  /** Back to the others, if it is still good for another request. */
  give(tunnel: Tunnel): void {
    tunnel.socket.transcript = new Transcript()
    tunnel.socket.autoPong = true
    tunnel.socket.autoClose = true
    if (tunnel.socket.open) this.#idle.push(tunnel)
  }

  /** Closes the sockets that wait, as a router that stops does. */
  dismissIdle(): void {
    this.#dismiss(() => true)
  }

  /** From now on every registration is answered like this. */
  refuseAll(status: string): void {
    this.policy = (_attempt, stream) => {
      refuseHandshake(stream, status)
    }
  }

  /** From now on every registration is accepted, and closed at once. */
  closeAll(): void {
    this.policy = (attempt, stream, head) => {
      this.accept(attempt, stream, head)
      this.#dismiss(() => true)
    }
  }

  /** Resolves when the connector has sent a ping on any socket of this version. */
  async pinged(version: ProtocolVersion, timeout: number): Promise<void> {
    await this.#pinged.take('a ping', (mood) => (mood.version === version ? true : undefined), timeout)
  }

  /** What the connector listed in `Cranker-Extensions`. */
  static announced(attempt: Attempt): ReadonlySet<string> {
    const value = attempt.req.headers['cranker-extensions']
    return new Set(parseExtensions(Array.isArray(value) ? value.join(',') : value).keys())
  }

  #upgrade(req: IncomingMessage, stream: Duplex, head: Buffer): void {
    const attempt: Attempt = {
      kind: registrationKind(req.url ?? ''),
      req,
      at: performance.now(),
      offers: (req.headers['sec-websocket-protocol'] ?? '').split(',').flatMap((name) => name.trim() || []),
    }
    this.attempts.push(attempt)
    if (this.attempts.length > MAX_ATTEMPTS) this.attempts.shift()
    for (const watcher of this.#watchers) watcher.put(attempt)
    if (attempt.kind === undefined) refuseHandshake(stream, '404 Not Found')
    else if (attempt.kind === 'deregister') this.#deregister(attempt, stream, head)
    else if (this.policy !== 'accept') this.policy(attempt, stream, head)
    else this.accept(attempt, stream, head)
  }

  /** Answers 101 as a router of the present mood, or 400 when the connector does not offer its version. */
  accept(attempt: Attempt, stream: Duplex, head: Buffer): RawSocket | undefined {
    const { mood } = this
    const legacy = attempt.req.headers['crankerprotocol'] === '1.0'
    const subprotocol = `cranker_${mood.version}`
    const offered = attempt.offers.includes(subprotocol)
    if (!offered && !(mood.version === '1.0' && legacy)) {
      refuseHandshake(stream, '400 Bad Request')
      return undefined
    }
    const headers: [string, string][] = []
    if (mood.version === '1.0') headers.push(['CrankerProtocol', '1.0'])
    if (mood.extensions) headers.push(['Cranker-Extensions', ALL_EXTENSIONS])
    const socket = acceptHandshake(attempt.req, stream, head, {
      name: `socket ${String(++this.#count)}`,
      version: mood.version,
      transcript: new Transcript(),
      headers,
      onEvent: (event) => {
        if (event.kind === 'ping') this.#pinged.put(mood)
        for (const fault of socket.faults) this.faults.add(fault)
      },
      ...(offered && mood.echo ? { subprotocol } : {}),
    })
    this.#arrivals.put({ socket, attempt, mood, nextId: 1, used: false })
    this.#admit()
    return socket
  }

  /** As section 2.4 asks: no more requests, idle sockets closed with 1001, then 1000 on this one. */
  #deregister(attempt: Attempt, stream: Duplex, head: Buffer): void {
    const options = { name: 'deregistration', version: this.mood.version, transcript: new Transcript() }
    const socket = acceptHandshake(attempt.req, stream, head, options)
    this.onDeregister?.()
    this.#dismiss(() => true)
    socket.close(1000, 'Deregister complete')
  }

  /** Whoever arrived and nobody waits for joins the idle ones. */
  #admit(): void {
    for (let next = this.#arrivals.poll((tunnel) => tunnel); next; next = this.#arrivals.poll((tunnel) => tunnel)) {
      this.#idle.push(next)
    }
  }

  #arrival(mood: Mood, timeout: number): Promise<Tunnel> {
    const what = `the connector to register (${mood.version}, route ${this.#route})`
    return this.#arrivals.take(what, (tunnel) => (sameMood(tunnel.mood, mood) ? tunnel : undefined), timeout)
  }

  #dismiss(which: (tunnel: Tunnel) => boolean): void {
    const stay = this.#idle.filter((tunnel) => tunnel.socket.open && !which(tunnel))
    for (const tunnel of this.#idle) if (tunnel.socket.open && which(tunnel)) tunnel.socket.close(1001, 'Going away')
    this.#idle.splice(0, this.#idle.length, ...stay)
  }
}

function sameMood(a: Mood, b: Mood): boolean {
  return a.version === b.version && a.extensions === b.extensions && a.echo === b.echo
}
