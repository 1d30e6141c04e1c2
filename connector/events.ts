/** What a connector tells the code that embeds it. */
import { EventEmitter } from 'node:events'
import type { CrankerError } from '../protocol/errors.js'
import type { Logger } from '../protocol/logger.js'
import type { ProtocolVersion } from '../protocol/session.js'

/** A router, as reached at one of its addresses. */
export interface RouterInfo {
  /** Its URL, as configured. */
  readonly router: string
  /** The IP address in use; undefined when the operating system chooses one (a name of this very machine). */
  readonly address: string | undefined
}

/** One route at one router address. */
export interface RegistrationInfo extends RouterInfo {
  readonly route: string
  readonly domain: string
}

/** Event name → arguments of its listeners. All times in ms. */
export interface ConnectorEventMap {
  /** The route can be reached through this router: its first tunnel socket is open. */
  registered: [event: RegistrationInfo & { readonly version: ProtocolVersion }]
  /** The last tunnel socket is gone, although nobody asked for it here. `retryIn` 0: reconnecting at once. */
  lost: [event: RegistrationInfo & { readonly code: number; readonly reason: string; readonly retryIn: number }]
  /** The router answered the registration with a status other than 101; `retrying` follows. */
  refused: [event: RegistrationInfo & { readonly status: number; readonly error: CrankerError }]
  /** Opening a tunnel socket failed; the next attempt comes in `retryIn`. `attempt` counts failures in a row. */
  retrying: [
    event: RegistrationInfo & { readonly retryIn: number; readonly attempt: number; readonly error: CrankerError },
  ]
  /** Name resolution shows a router address that was not known; the routes are being registered there. */
  discovered: [event: RouterInfo]
  /** A router address is no longer in its name; the routes are being deregistered there. */
  gone: [event: RouterInfo]
  /** `close()` has finished. `cut`: requests that had to be ended because the drain timeout was over. */
  drained: [event: { readonly cut: number }]
}

/** An emitter whose listeners cannot harm the emitter: what they throw, or reject with, is logged. */
export class SafeEmitter extends EventEmitter<ConnectorEventMap> {
  readonly #log: Logger

  constructor(log: Logger) {
    super()
    this.#log = log
  }

  override emit<K extends keyof ConnectorEventMap>(event: K, ...args: ConnectorEventMap[K]): boolean {
    const listeners = this.rawListeners(event)
    for (const listener of listeners) {
      try {
        const result: unknown = Reflect.apply(listener, this, args)
        if (result instanceof Promise) result.catch((error: unknown) => this.#complain(event, error))
      } catch (error) {
        this.#complain(event, error)
      }
    }
    return listeners.length > 0
  }

  #complain(event: string, error: unknown): void {
    this.#log.error({ event, err: error }, 'a listener of the connector threw')
  }
}
