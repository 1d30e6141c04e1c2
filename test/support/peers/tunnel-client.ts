/**
 * What the scripted connectors share: a window of registered sockets per router, pings, and leaving. What tells them
 * apart is in {@link ConnectorTraits}, one file per peer. Knows `ws` only, nothing of our own code.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { WebSocket, type ClientOptions } from 'ws'
import type { ConnectorPeer, ConnectorStart, RunningConnector } from '../../interop/peer.js'

/** How a connector's idle socket ended. */
export type IdleEnd = 'close' | 'error'

export interface ConnectorTraits {
  readonly name: string
  readonly title: string
  /** The query that it registers and deregisters with; undefined: it sends no ids. */
  query?(instanceId: string): string
  /** `/register` or `/register/`. */
  readonly path: string
  readonly client?: ClientOptions
  /** Whether it takes this 101. Default: any. */
  accepts?(answer: IncomingMessage): boolean
  /** What its pings carry. */
  readonly ping: string
  /** Default 5 s, as most of them. */
  readonly pingInterval?: number
  /** Closes a socket on which no *pong* came for this long, whatever else comes. */
  readonly deadWithoutPong?: number
  /** When an idle socket that ended is replaced, in ms; undefined: never. `attempt` counts from 1 until one is used. */
  replaceAfter(end: IdleEnd, attempt: number): number | undefined
  /** Asks the router to deregister when it stops; else idle sockets are ended by `leave`. */
  readonly deregisters?: boolean
  /** What happens to an idle socket when it stops. Default: the process ends and the connection with it. */
  leave?(ws: WebSocket): void
  /** Whether requests that run may finish when it stops. Default true. */
  readonly finishesRunning?: boolean
  /** Called for each open socket. */
  serve(tunnel: Tunnel): void
}

/** One registered socket, for `serve`. */
export interface Tunnel {
  readonly ws: WebSocket
  readonly route: string
  readonly target: URL
  /** A request has come: the socket leaves the window, the next one is opened. */
  taken(): void
  log(line: string): void
  /** An exception that nobody catches ends the process; a supervisor starts it again. */
  crash(why: string): void
}

/** What "at once" is in practice: published connectors come back 33 to 79 times a second. */
const AT_ONCE_MS = 15
/** After so many sockets in a row that served nothing, a storm goes on at one per second: tests must end. */
const STORM_LIMIT = 200
const SUPERVISOR_MS = 200
const STOP_LIMIT_MS = 5_000

export function scriptedConnector(traits: ConnectorTraits): ConnectorPeer {
  return {
    name: traits.name,
    title: traits.title,
    versions: ['1.0'],
    prepare: () => Promise.resolve(undefined),
    start: (options) => Promise.resolve(new Process(traits, options)),
  }
}

/** Not `once`, which an error would reject. */
function closing(ws: WebSocket): Promise<unknown> {
  return new Promise((resolve) => ws.once('close', resolve))
}

class Process implements RunningConnector {
  readonly #traits: ConnectorTraits
  readonly #options: ConnectorStart
  readonly #instanceId = randomUUID()
  readonly #idle = new Set<WebSocket>()
  readonly #busy = new Set<WebSocket>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #lines: string[] = []
  #attempts = 0
  #crashes = 0
  #stopping = false

  constructor(traits: ConnectorTraits, options: ConnectorStart) {
    this.#traits = traits
    this.#options = options
    this.#fill()
  }

  output(): string {
    return this.#lines.join('\n')
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#forgetTimers()
    if (this.#traits.deregisters === true) await this.#deregister()
    const { leave } = this.#traits
    for (const ws of this.#idle) {
      if (leave === undefined || ws.readyState !== WebSocket.OPEN) ws.terminate()
      else leave(ws)
    }
    if (this.#traits.finishesRunning ?? true) await this.#drained()
    const left = [...this.#idle, ...this.#busy]
    const closed = left.map(closing)
    for (const ws of left) ws.terminate()
    await Promise.all(closed)
    this.#forgetTimers()
  }

  #fill(): void {
    for (const router of this.#options.routers) for (let i = 0; i < (this.#options.window ?? 2); i++) this.#open(router)
  }

  #open(router: string): void {
    const traits = this.#traits
    const ws = new WebSocket(`${router}${traits.path}${traits.query?.(this.#instanceId) ?? ''}`, {
      perMessageDeflate: false,
      ...traits.client,
      headers: { CrankerProtocol: '1.0', Route: this.#options.route },
    })
    this.#idle.add(ws)
    this.#attempts++
    const life = this.#crashes
    let taken = false
    let failed = false
    const taking = (): void => {
      if (taken) return
      taken = true
      this.#attempts = 0
      this.#idle.delete(ws)
      this.#busy.add(ws)
      if (!this.#stopping) this.#open(router)
    }
    ws.on('upgrade', (answer) => {
      if (traits.accepts?.(answer) === false) ws.emit('error', new Error('the answer is not acceptable'))
    })
    ws.on('error', (error) => {
      failed = true
      this.#log(`socket error: ${error.message}`)
      // A Close frame that says why is on its way already: 1009 for a message that is too large.
      if (ws.readyState === WebSocket.CLOSING) this.#later(100, () => ws.terminate())
      else ws.terminate()
    })
    ws.on('close', (code, reason) => {
      this.#log(`socket closed: ${String(code)} ${reason.toString()}`)
      this.#idle.delete(ws)
      this.#busy.delete(ws)
      if (!taken && life === this.#crashes) this.#replace(router, failed || code === 1006 ? 'error' : 'close')
    })
    ws.on('open', () => {
      this.#log('socket open')
      this.#keepAlive(ws)
      traits.serve({
        ws,
        route: this.#options.route,
        target: new URL(this.#options.target),
        taken: taking,
        log: (line) => this.#log(line),
        crash: (why) => this.#crash(why),
      })
    })
  }

  #keepAlive(ws: WebSocket): void {
    const { ping, deadWithoutPong } = this.#traits
    const pings = setInterval(() => ws.ping(ping), this.#options.pingInterval ?? this.#traits.pingInterval ?? 5_000)
    const dead =
      deadWithoutPong === undefined ? undefined : setTimeout(() => ws.close(1001, 'timeout'), deadWithoutPong)
    ws.on('pong', () => dead?.refresh())
    ws.on('close', () => {
      clearInterval(pings)
      clearTimeout(dead)
    })
  }

  #replace(router: string, end: IdleEnd): void {
    if (this.#stopping) return
    const after = this.#traits.replaceAfter(end, this.#attempts)
    if (after === undefined) return
    this.#later(Math.max(after, this.#attempts < STORM_LIMIT ? AT_ONCE_MS : 1_000), () => this.#open(router))
  }

  #crash(why: string): void {
    this.#log(`uncaught: ${why}`)
    this.#crashes++
    this.#forgetTimers()
    for (const ws of [...this.#idle, ...this.#busy]) ws.terminate()
    if (!this.#stopping) this.#later(SUPERVISOR_MS, () => this.#fill())
  }

  async #deregister(): Promise<void> {
    const query = this.#traits.query?.(this.#instanceId) ?? ''
    await Promise.all(
      this.#options.routers.map(async (router) => {
        const ws = new WebSocket(`${router}/deregister/${query}`, {
          perMessageDeflate: false,
          headers: { CrankerProtocol: '1.0', Route: this.#options.route },
        })
        ws.on('error', (error) => this.#log(`deregistration failed: ${error.message}`))
        await Promise.race([closing(ws), this.#waited(1_000)])
        ws.terminate()
      }),
    )
  }

  /** Resolves when nothing runs any more and the idle sockets are closed, or after {@link STOP_LIMIT_MS}. */
  async #drained(): Promise<void> {
    const sockets = [...this.#busy, ...(this.#traits.leave === undefined ? [] : this.#idle)]
    await Promise.race([Promise.all(sockets.map(closing)), this.#waited(STOP_LIMIT_MS)])
  }

  #waited(ms: number): Promise<void> {
    return new Promise((resolve) => this.#later(ms, resolve))
  }

  #later(ms: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  #forgetTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  #log(line: string): void {
    if (this.#lines.length < 1_000) this.#lines.push(line)
  }
}
