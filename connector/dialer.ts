/** Opens the WebSockets to a router: one per tunnel socket, and one to deregister. */
import type { Clock } from '../protocol/clock.js'
import { CrankerError } from '../protocol/errors.js'
import {
  capabilitiesOf,
  EXTENSIONS_HEADER,
  formatExtensions,
  OUR_EXTENSIONS,
  parseExtensions,
} from '../protocol/extensions.js'
import { headerValue, type RawHeaders } from '../protocol/head.js'
import type { Link, LinkHandler } from '../protocol/link.js'
import type { Logger } from '../protocol/logger.js'
import { answeredVersion, LEGACY_HEADER, offeredSubprotocols } from '../protocol/negotiate.js'
import { formatRegistrationHeaders, formatRegistrationTarget, type RegistrationKind } from '../protocol/registration.js'
import { createConnectorSession } from '../protocol/sessions.js'
import type { ConnectorSession, ConnectorSessionEvents } from '../protocol/session.js'
import { traced } from '../protocol/traced-link.js'
import type { dial, DialAnswer, DialEvents, DialFailure } from '../protocol/ws-dial.js'
import type { Endpoint } from './discovery.js'
import type { ResolvedConnectorOptions, ResolvedRoute } from './options.js'
import { retryAfterMs } from './retry-after.js'

/** Why a router did not accept. */
export interface RegistrationFailure {
  readonly error: CrankerError
  /** Set when it answered with something else than 101. */
  readonly status: number | undefined
  /** How long it asks us to stay away; 0 when it does not. */
  readonly retryAfterMs: number
}

/** What comes of one registration. Exactly one of onSession and onFailed, unless it is cancelled. */
export interface DialResult {
  /** `create` makes the session, and must be called before this returns. */
  onSession(create: (events: ConnectorSessionEvents) => ConnectorSession): void
  onFailed(failure: RegistrationFailure): void
  /** After onSession, and after the session's end: the connection is gone. */
  onGone(): void
}

export interface DialerDeps {
  /** From ws-dial.ts; handed in so that tests need no sockets. */
  readonly dial: typeof dial
  readonly clock: Clock
  readonly log: Logger
}

export interface Dialing {
  cancel(): void
}

export class Dialer {
  readonly #options: ResolvedConnectorOptions
  readonly #deps: DialerDeps
  readonly #subprotocols: readonly string[]
  /** Sockets opened so far: a number tells them apart in traces. */
  #sockets = 0

  constructor(options: ResolvedConnectorOptions, deps: DialerDeps) {
    this.#options = options
    this.#deps = deps
    this.#subprotocols = offeredSubprotocols(options.protocols)
  }

  /** Registers one tunnel socket. */
  register(endpoint: Endpoint, route: ResolvedRoute, result: DialResult): Dialing {
    return this.#dial('register', endpoint, route, this.#subprotocols, {
      onOpen: (link, answer) => this.#opened(link, answer, result),
      onFailed: (failure) => result.onFailed(failureOf(failure)),
      onGone: () => result.onGone(),
    })
  }

  /**
   * Tells the router to give this route's sockets no new request. `done` comes once, when the router has confirmed,
   * has refused or cannot be reached.
   */
  deregister(endpoint: Endpoint, route: ResolvedRoute, done: (error: CrankerError | undefined) => void): Dialing {
    let open: Link | undefined
    const dialing = this.#dial('deregister', endpoint, route, [], {
      onOpen: (link) => {
        open = link
        link.handler = new DeregistrationHandler(done)
      },
      onFailed: (failure) => done(failure.error),
    })
    return {
      cancel: () => {
        dialing.cancel()
        open?.terminate()
      },
    }
  }

  #opened(link: Link, answer: DialAnswer, result: DialResult): void {
    const crankerProtocol = headerValue(answer.headers, LEGACY_HEADER.toLowerCase())
    const version = answeredVersion({
      subprotocol: answer.subprotocol,
      crankerProtocol,
      offered: this.#options.protocols,
    })
    if (version === undefined) {
      link.terminate()
      result.onFailed({ error: registrationError('it chose a protocol that was not offered'), ...nothingSaid })
      return
    }
    const theirs = parseExtensions(headerValue(answer.headers, EXTENSIONS_HEADER.toLowerCase()))
    const { maxStreams, maxHeadSize, pingInterval, deadAfter, traceFrames: tracer } = this.#options
    const { clock, log } = this.#deps
    const capabilities = capabilitiesOf(OUR_EXTENSIONS, theirs, version)
    const socketID = String(++this.#sockets)
    const tracedLink = traced(link, { tracer, version, socketID, side: 'connector' })
    const config = {
      link: tracedLink,
      clock,
      log,
      capabilities,
      maxStreams,
      maxHeadBytes: maxHeadSize,
      pingInterval,
      deadAfter,
    }
    result.onSession((events) => createConnectorSession(version, config, events))
  }

  #dial(
    kind: RegistrationKind,
    endpoint: Endpoint,
    route: ResolvedRoute,
    subprotocols: readonly string[],
    events: DialEvents,
  ): Dialing {
    const { ca, insecureSkipVerify } = this.#options
    return this.#deps.dial(
      {
        url: this.#url(endpoint.router, kind),
        address: endpoint.address,
        headers: this.#headers(kind, route),
        subprotocols,
        ca,
        insecureSkipVerify,
      },
      events,
    )
  }

  #url(router: URL, kind: RegistrationKind): URL {
    const { instanceId, componentName } = this.#options
    const target = formatRegistrationTarget(kind, { connectorInstanceID: instanceId, componentName })
    // Joined, not resolved: the router may sit behind a path prefix.
    return new URL(router.origin + router.pathname.replace(/\/$/, '') + target)
  }

  #headers(kind: RegistrationKind, { route, domain }: ResolvedRoute): RawHeaders {
    const headers = formatRegistrationHeaders(kind, { route, domain, extensions: formatExtensions() })
    return [...headers, ...this.#options.registrationHeaders]
  }
}

/** Waits for "Deregister complete", or for the connection's end. */
class DeregistrationHandler implements LinkHandler {
  readonly #done: (error: CrankerError | undefined) => void
  #finished = false

  constructor(done: (error: CrankerError | undefined) => void) {
    this.#done = done
  }

  onCloseFrame(): void {
    this.#finish(undefined)
  }

  onClosed(_code: number, _reason: string, cause: Error | undefined): void {
    this.#finish(registrationError('the connection was lost while deregistering', cause))
  }

  onText(): void {}
  onBinary(): void {}
  onPing(): void {}
  onPong(): void {}
  onTurn(): void {}
  onDrain(): void {}

  #finish(error: CrankerError | undefined): void {
    if (this.#finished) return
    this.#finished = true
    this.#done(error)
  }
}

const nothingSaid = { status: undefined, retryAfterMs: 0 } as const

function failureOf({ error, status, headers }: DialFailure): RegistrationFailure {
  return { error, status, retryAfterMs: retryAfterMs(headers) }
}

function registrationError(why: string, cause?: unknown): CrankerError {
  return new CrankerError('CRANKER_ERR_REGISTRATION', `cannot register: ${why}`, {
    initiator: 'peer',
    delivered: 'no',
    cause,
  })
}
