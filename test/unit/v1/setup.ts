import type { CrankerError } from '../../../protocol/errors.js'
import { NO_CAPABILITIES } from '../../../protocol/extensions.js'
import type { RawHeaders, RequestHead, ResponseHead } from '../../../protocol/head.js'
import { silentLogger } from '../../../protocol/logger.js'
import type { SessionConfig } from '../../../protocol/session-config.js'
import type {
  BodyHandler,
  Capabilities,
  ConnectorSessionEvents,
  ResponseExchange,
  ResponseHandler,
  SessionEnd,
  SessionEvents,
} from '../../../protocol/session.js'
import { V1ConnectorSession } from '../../../protocol/v1/connector-session.js'
import { V1RouterSession } from '../../../protocol/v1/router-session.js'
import type { Link } from '../../../protocol/link.js'
import { FakeClock } from '../../support/fake-clock.js'
import { type FakeLink, type LinkPair, linkPair } from '../../support/fake-link.js'

/** Writes down what one direction of an exchange was told. */
export class BodyLog implements BodyHandler {
  readonly calls: string[] = []
  readonly chunks: Buffer[] = []
  error: CrankerError | undefined
  drained = 0

  get body(): Buffer {
    return Buffer.concat(this.chunks)
  }

  /** Calls after which nothing may come. */
  get terminalCalls(): number {
    return this.calls.filter((call) => call === 'end' || call.startsWith('error')).length
  }

  onData(chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk))
    this.calls.push('data')
  }

  onDrain(): void {
    this.drained++
    this.calls.push('drain')
  }

  onEnd(trailers: RawHeaders | undefined): void {
    this.calls.push(trailers === undefined ? 'end' : 'end with trailers')
  }

  onError(error: CrankerError): void {
    this.error = error
    this.calls.push(`error ${error.code}`)
  }
}

export class ResponseLog extends BodyLog implements ResponseHandler {
  head: ResponseHead | undefined
  readonly interim: ResponseHead[] = []

  onHead(head: ResponseHead, end: boolean): void {
    this.head = head
    this.calls.push(end ? 'head end' : 'head')
  }

  onInfo(head: ResponseHead): void {
    this.interim.push(head)
    this.calls.push('info')
  }
}

export class EventLog implements SessionEvents {
  changes = 0
  readonly ends: SessionEnd[] = []

  onChange(): void {
    this.changes++
  }

  onGoaway(): void {
    throw new Error('1.0 knows no goaway')
  }

  onEnd(end: SessionEnd): void {
    this.ends.push(end)
  }
}

/** A service behind the connector session. By default it notes the request and leaves the exchange to the test. */
export class ServiceLog extends EventLog implements ConnectorSessionEvents {
  request: RequestHead | undefined
  requestEnd: boolean | undefined
  exchange!: ResponseExchange
  readonly body = new BodyLog()
  answer: ((exchange: ResponseExchange) => void) | undefined

  onRequest(head: RequestHead, end: boolean, exchange: ResponseExchange): BodyHandler {
    this.request = head
    this.requestEnd = end
    this.exchange = exchange
    this.answer?.(exchange)
    return this.body
  }
}

export interface Options {
  readonly capabilities?: Partial<Capabilities>
  readonly maxHeadBytes?: number
}

function configFor(link: Link, clock: FakeClock, options: Options): SessionConfig {
  return {
    link,
    clock,
    log: silentLogger,
    capabilities: { ...NO_CAPABILITIES, ...options.capabilities },
    ...(options.maxHeadBytes === undefined ? {} : { maxHeadBytes: options.maxHeadBytes }),
  }
}

export interface RouterSide {
  readonly clock: FakeClock
  readonly pair: LinkPair
  readonly session: V1RouterSession
  readonly events: EventLog
  /** Our link: what the router sent. */
  readonly link: FakeLink
  /** The other end, driven by hand. */
  readonly peer: FakeLink
  readonly settle: () => void
}

/** A router session whose peer is the test. */
export function routerSide(options: Options = {}): RouterSide {
  const clock = new FakeClock()
  const pair = linkPair({ auto: false })
  const events = new EventLog()
  const session = new V1RouterSession(configFor(pair.router, clock, options), events)
  return { clock, pair, session, events, link: pair.router, peer: pair.connector, settle: () => pair.settle() }
}

export interface ConnectorSide {
  readonly clock: FakeClock
  readonly pair: LinkPair
  readonly session: V1ConnectorSession
  readonly service: ServiceLog
  readonly link: FakeLink
  readonly peer: FakeLink
  readonly settle: () => void
}

/** A connector session whose peer is the test. */
export function connectorSide(options: Options = {}): ConnectorSide {
  const clock = new FakeClock()
  const pair = linkPair({ auto: false })
  const service = new ServiceLog()
  const session = new V1ConnectorSession(configFor(pair.connector, clock, options), service)
  return { clock, pair, session, service, link: pair.connector, peer: pair.router, settle: () => pair.settle() }
}

export interface BothSides {
  readonly clock: FakeClock
  readonly pair: LinkPair
  readonly router: V1RouterSession
  readonly connector: V1ConnectorSession
  readonly routerEvents: EventLog
  readonly service: ServiceLog
  readonly settle: () => void
}

/** A router session and a connector session, connected. */
export function bothSides(options: Options = {}): BothSides {
  const clock = new FakeClock()
  const pair = linkPair({ auto: false })
  const routerEvents = new EventLog()
  const service = new ServiceLog()
  const router = new V1RouterSession(configFor(pair.router, clock, options), routerEvents)
  const connector = new V1ConnectorSession(configFor(pair.connector, clock, options), service)
  return { clock, pair, router, connector, routerEvents, service, settle: () => pair.settle() }
}

export const GET: RequestHead = { method: 'GET', target: '/x', headers: ['host', 'a'] }
export const POST: RequestHead = { method: 'POST', target: '/x', headers: ['host', 'a'] }
export const OK: ResponseHead = { status: 200, reason: 'OK', headers: [] }

export function texts(link: FakeLink): string[] {
  return link.sent.flatMap((message) => (message.kind === 'text' ? [message.text] : []))
}

export function closes(link: FakeLink): { code: number; reason: string }[] {
  return link.sent.flatMap((message) =>
    message.kind === 'close' ? [{ code: message.code, reason: message.reason }] : [],
  )
}
