import { CrankerError } from '../../../protocol/errors.js'
import type {
  Capabilities,
  ConnectorSession,
  ConnectorSessionEvents,
  ProtocolVersion,
  ResponseExchange,
  SessionEnd,
} from '../../../protocol/session.js'
import type { Dialing, DialResult, RegistrationFailure } from '../../../connector/dialer.js'
import { type ConnectorOptions, resolveConnectorOptions } from '../../../connector/options.js'
import { type Loss, Registration, type RegistrationEvents } from '../../../connector/registration.js'
import type { Target } from '../../../connector/targets/target.js'
import { FakeClock } from '../../support/fake-clock.js'

const none: Capabilities = {
  informational: false,
  refuse: false,
  goaway: false,
  trailers: false,
  upgrade: false,
  rawTarget: false,
}

/** A session whose router is the test. */
export class FakeSession implements ConnectorSession {
  readonly capabilities: Capabilities
  readonly version: ProtocolVersion
  readonly capacity: number
  load = 0
  accepting = true
  readonly roundTrip = undefined
  readonly bytesIn = 0
  readonly bytesOut = 0
  readonly calls: string[] = []
  /** Barriers whose pong has not come. */
  readonly barriers: (() => void)[] = []
  readonly #events: ConnectorSessionEvents
  readonly #dial: FakeDial

  constructor(dial: FakeDial, events: ConnectorSessionEvents, version: ProtocolVersion, capabilities: Capabilities) {
    this.#dial = dial
    this.#events = events
    this.version = version
    this.capacity = version === '1.0' ? 1 : 256
    this.capabilities = capabilities
  }

  /** The router sends a request. */
  request(exchange: Partial<ResponseExchange> = {}): void {
    this.load++
    if (this.capacity === 1) this.accepting = false
    this.#events.onChange()
    this.#events.onRequest({ method: 'GET', target: '/', headers: [] }, true, exchange as ResponseExchange)
  }

  /** What runs is done; a 1.0 socket closes with it. */
  respond(): void {
    this.load--
    if (this.capacity === 1) this.end({ code: 1000 })
    else this.#events.onChange()
  }

  goaway(retryAfterMs: number): void {
    this.accepting = false
    this.#events.onChange()
    this.#events.onGoaway('restarting', retryAfterMs)
  }

  end(end: Partial<SessionEnd>): void {
    this.accepting = false
    this.load = 0
    this.#events.onChange()
    this.#events.onEnd({ code: 1001, reason: '', clean: true, error: undefined, ...end })
    if (!this.#dial.lingers) this.#dial.result.onGone()
  }

  barrier(done: () => void): void {
    this.calls.push('barrier')
    this.barriers.push(done)
  }

  drain(): void {
    this.calls.push('drain')
    this.accepting = false
    if (this.load === 0) this.end({ code: 1001 })
  }

  close(code: number): void {
    this.calls.push(`close ${String(code)}`)
    this.end({ code })
  }

  terminate(): void {
    this.calls.push('terminate')
  }
}

/** One attempt to open a tunnel socket, to be answered by the test. */
export class FakeDial {
  cancelled = false
  /** The connection outlives the session, until the test calls `result.onGone()`. */
  lingers = false
  readonly result: DialResult
  readonly at: number

  constructor(result: DialResult, at: number) {
    this.result = result
    this.at = at
  }

  accept(version: ProtocolVersion = '1.0', capabilities: Partial<Capabilities> = {}): FakeSession {
    let session: FakeSession | undefined
    this.result.onSession((events) => {
      session = new FakeSession(this, events, version, { ...none, ...capabilities })
      return session
    })
    return session as FakeSession
  }

  refuse(failure: Partial<RegistrationFailure> = {}): void {
    const error = new CrankerError('CRANKER_ERR_REGISTRATION', 'refused by the test')
    this.result.onFailed({ error, status: undefined, retryAfterMs: 0, ...failure })
  }
}

export const anyTarget: Target = { request: () => undefined, close: () => Promise.resolve() }

/** A registration, with its router played by the test and time standing still. */
export class Bed implements RegistrationEvents {
  readonly clock = new FakeClock()
  readonly dials: FakeDial[] = []
  readonly told: string[] = []
  readonly losses: Loss[] = []
  readonly registration: Registration
  /** Attempts to deregister, each to be confirmed by calling it. */
  readonly deregistrations: (() => void)[] = []
  random = 0.5
  readonly #seen = new Set<FakeDial>()

  constructor(options: Partial<ConnectorOptions> = {}, target: Target = anyTarget) {
    const resolved = resolveConnectorOptions({
      routers: 'ws://router.test',
      route: 'a',
      target: 'http://a',
      ...options,
    })
    const [router] = resolved.routers
    const [route] = resolved.routes
    if (router === undefined || route === undefined) throw new Error('options')
    const dialer = {
      register: (_endpoint: unknown, _route: unknown, result: DialResult): Dialing => {
        const dial = new FakeDial(result, this.clock.now())
        this.dials.push(dial)
        return { cancel: () => (dial.cancelled = true) }
      },
      deregister: (_endpoint: unknown, _route: unknown, done: (error: undefined) => void): Dialing => {
        this.told.push('deregister')
        this.deregistrations.push(() => {
          done(undefined)
        })
        return { cancel: () => this.told.push('deregister cancelled') }
      },
    }
    const { clock } = this
    const random = (): number => this.random
    this.registration = new Registration(
      { router, address: undefined },
      route,
      { options: resolved, dialer, target, clock, random },
      this,
    )
  }

  /** Attempts that have come since the last call. */
  fresh(): FakeDial[] {
    const fresh = this.dials.filter((dial) => !this.#seen.has(dial))
    for (const dial of fresh) this.#seen.add(dial)
    return fresh
  }

  onRegistered(): void {
    this.told.push('registered')
  }

  onLost(_registration: Registration, loss: Loss): void {
    this.told.push('lost')
    this.losses.push(loss)
  }

  onRetrying(_registration: Registration, _failure: RegistrationFailure, attempt: number, retryIn: number): void {
    this.told.push(`retrying ${String(attempt)} in ${String(retryIn)}`)
  }
}

/** Microtasks have run. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
