import type { CrankerError } from '../../../protocol/errors.js'
import type { RawHeaders, RequestHead, ResponseHead } from '../../../protocol/head.js'
import { silentLogger } from '../../../protocol/logger.js'
import type { SessionConfig } from '../../../protocol/session-config.js'
import type {
  BodyHandler,
  Capabilities,
  Exchange,
  ResponseExchange,
  ResponseHandler,
  SessionEnd,
} from '../../../protocol/session.js'
import { V3ConnectorSession } from '../../../protocol/v3/connector-session.js'
import { decodeFrame, type Frame } from '../../../protocol/v3/frame.js'
import { V3RouterSession } from '../../../protocol/v3/router-session.js'
import { FakeClock } from '../../support/fake-clock.js'
import { type FakeLink, linkPair, type LinkPair, type LinkPairOptions } from '../../support/fake-link.js'

export const GET: RequestHead = { method: 'GET', target: '/a?b=c', headers: ['host', 'example.org'] }
export const POST: RequestHead = { method: 'POST', target: '/a', headers: ['host', 'example.org'] }
export const OK: ResponseHead = { status: 200, reason: 'OK', headers: ['content-type', 'text/plain'] }

export function capabilities(...names: (keyof Capabilities)[]): Capabilities {
  const has = (name: keyof Capabilities): boolean => names.includes(name)
  return {
    informational: has('informational'),
    refuse: has('refuse'),
    goaway: has('goaway'),
    trailers: has('trailers'),
    upgrade: has('upgrade'),
    rawTarget: has('rawTarget'),
  }
}

/** Keeps what arrives; acknowledges at once unless told not to. */
export class Body implements BodyHandler {
  exchange: Exchange | undefined
  consumes = true
  chunks: Buffer[] = []
  bytes = 0
  drains = 0
  ends = 0
  trailers: RawHeaders | undefined
  errors: CrankerError[] = []
  keep = true
  onRoom: (() => void) | undefined

  onData(chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.keep) this.chunks.push(Buffer.from(chunk))
    if (this.consumes) this.exchange?.consumed(chunk.length)
  }

  onDrain(): void {
    this.drains++
    this.onRoom?.()
  }

  onEnd(trailers: RawHeaders | undefined): void {
    this.ends++
    this.trailers = trailers
  }

  onError(error: CrankerError): void {
    this.errors.push(error)
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString()
  }

  /** Codes of the errors, in order. */
  get codes(): string[] {
    return this.errors.map((error) => error.code)
  }
}

export class Response extends Body implements ResponseHandler {
  head: ResponseHead | undefined
  headEnded = false
  infos: ResponseHead[] = []

  onHead(head: ResponseHead, end: boolean): void {
    this.head = head
    this.headEnded = end
  }

  onInfo(head: ResponseHead): void {
    this.infos.push(head)
  }
}

export class Request extends Body {
  readonly head: RequestHead
  readonly bodyless: boolean
  readonly response: ResponseExchange

  constructor(head: RequestHead, bodyless: boolean, response: ResponseExchange) {
    super()
    this.head = head
    this.bodyless = bodyless
    this.response = response
    this.exchange = response
  }
}

export class Events {
  changes = 0
  goaways: { reason: string; retryAfterMs: number }[] = []
  ended: SessionEnd[] = []

  onChange = (): void => {
    this.changes++
  }

  onGoaway = (reason: string, retryAfterMs: number): void => {
    this.goaways.push({ reason, retryAfterMs })
  }

  onEnd = (end: SessionEnd): void => {
    this.ended.push(end)
  }
}

export interface HarnessOptions extends LinkPairOptions {
  readonly capabilities?: Capabilities
  readonly config?: Partial<SessionConfig>
  readonly onRequest?: (request: Request) => void
}

class Harness {
  readonly clock: FakeClock
  readonly pair: LinkPair
  readonly config: Omit<SessionConfig, 'link'>

  constructor(options: HarnessOptions) {
    this.clock = options.clock ?? new FakeClock()
    this.pair = linkPair({ auto: false, ...options, clock: this.clock })
    this.config = {
      clock: this.clock,
      log: silentLogger,
      capabilities: options.capabilities ?? capabilities(),
      ...options.config,
    }
  }

  settle(): void {
    this.pair.settle()
  }
}

/** A router's session against a peer that the test drives by hand. */
export class RouterSide extends Harness {
  readonly events = new Events()
  readonly session: V3RouterSession
  readonly peer: Peer

  constructor(options: HarnessOptions = {}) {
    super(options)
    this.session = new V3RouterSession({ ...this.config, link: this.pair.router }, this.events)
    this.peer = new Peer(this.pair, this.pair.connector)
    this.settle()
  }

  /** Starts a request; `end` true unless a body shall follow. */
  open(head: RequestHead = GET, end = true): Response {
    const response = new Response()
    response.exchange = this.session.open(head, end, response)
    return response
  }
}

/** A connector's session against a peer that the test drives by hand. */
export class ConnectorSide extends Harness {
  readonly events = new Events()
  readonly requests: Request[] = []
  readonly session: V3ConnectorSession
  readonly peer: Peer

  constructor(options: HarnessOptions = {}) {
    super(options)
    this.session = connectorSession({ ...this.config, link: this.pair.connector }, this.events, this.requests, options)
    this.peer = new Peer(this.pair, this.pair.router)
    this.settle()
  }

  /** The peer sends a request head. */
  request(id = 1, end = true, text = 'GET /a HTTP/1.1\nhost:example.org\n'): Request {
    this.peer.send(header(id, end ? 5 : 4, text))
    return this.requests.at(-1) as Request
  }
}

/** Both sides, connected. */
export class Both extends Harness {
  readonly routerEvents = new Events()
  readonly connectorEvents = new Events()
  readonly requests: Request[] = []
  readonly router: V3RouterSession
  readonly connector: V3ConnectorSession

  constructor(options: HarnessOptions = {}) {
    super(options)
    this.router = new V3RouterSession({ ...this.config, link: this.pair.router }, this.routerEvents)
    this.connector = connectorSession(
      { ...this.config, link: this.pair.connector },
      this.connectorEvents,
      this.requests,
      options,
    )
    this.settle()
  }

  open(head: RequestHead = GET, end = true): Response {
    const response = new Response()
    response.exchange = this.router.open(head, end, response)
    return response
  }
}

function connectorSession(
  config: SessionConfig,
  events: Events,
  requests: Request[],
  options: HarnessOptions,
): V3ConnectorSession {
  return new V3ConnectorSession(config, {
    onChange: events.onChange,
    onGoaway: events.onGoaway,
    onEnd: events.onEnd,
    onRequest: (head, end, exchange) => {
      const request = new Request(head, end, exchange)
      requests.push(request)
      options.onRequest?.(request)
      return request
    },
  })
}

/** The other end of the link, driven by the test. */
export class Peer {
  readonly link: FakeLink
  readonly #pair: LinkPair
  readonly #received: Buffer[] = []
  pings: Buffer[] = []
  closeCode: number | undefined

  constructor(pair: LinkPair, link: FakeLink) {
    this.#pair = pair
    this.link = link
    link.handler = {
      onText: () => {},
      onBinary: (message) => this.#received.push(message),
      onPing: (payload) => this.pings.push(payload),
      onPong: () => {},
      onTurn: () => {},
      onDrain: () => {},
      onCloseFrame: (code) => (this.closeCode = code),
      onClosed: () => {},
    }
  }

  send(...messages: Buffer[]): void {
    for (const message of messages) this.link.sendBinary(message)
    this.#pair.settle()
  }

  /** The frames that have arrived since the last call. */
  take(): Frame[] {
    this.#pair.settle()
    return this.#received.splice(0).map((message) => decodeFrame(message))
  }

  /** The same, in short: `data 1 end 5`, `header 1 end endHeaders`, `rst 1 1011`, … */
  takeShort(): string[] {
    return this.take().map(short)
  }
}

export function short(frame: Frame): string {
  switch (frame.kind) {
    case 'data':
      return `data ${frame.id} ${frame.payload.length}${frame.end ? ' end' : ''}`
    case 'header':
      return `header ${frame.id}${frame.endHeaders ? ' endHeaders' : ''}${frame.end ? ' end' : ''}`
    case 'rst':
      return `rst ${frame.id} ${frame.code}`
    case 'goaway':
      return `goaway ${frame.lastId} ${frame.code} ${frame.text}`
    case 'window-update':
      return `window-update ${frame.id} ${frame.increment}`
    default:
      return frame.kind
  }
}

/** Frames written the naive way, from the published description. */
export function raw(type: number, flags: number, id: number, payload: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(6)
  head.writeUInt8(type, 0)
  head.writeUInt8(flags, 1)
  head.writeInt32BE(id, 2)
  return Buffer.concat([head, Buffer.from(payload as string)])
}

export const data = (id: number, payload: Buffer | string, end = false): Buffer => raw(0, end ? 1 : 0, id, payload)
export const header = (id: number, flags: number, text: string): Buffer => raw(1, flags, id, text)
export const windowUpdate = (id: number, increment: number): Buffer => raw(8, 0, id, int32(increment))
export const rst = (id: number, code: number, text = ''): Buffer =>
  raw(3, 0, id, Buffer.concat([int32(code), Buffer.from(text)]))
export const goaway = (lastId: number, text: string, code = 0): Buffer =>
  raw(7, 0, 0, Buffer.concat([int32(lastId), int32(code), Buffer.from(text)]))

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Deterministic random numbers in [0, 1): mulberry32. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
