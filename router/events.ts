import { EventEmitter } from 'node:events'
import type { ErrorCode } from '../protocol/errors.js'
import type { Logger } from '../protocol/logger.js'
import type { ProtocolVersion, SessionEnd } from '../protocol/session.js'
import type { RegisteredSession } from './routing/source.js'

/** One tunnel socket and who opened it. */
export interface SocketInfo {
  readonly socketID: string
  readonly route: string
  readonly domain: string
  readonly connectorInstanceID: string
  readonly componentName: string
  /** The connector's address and port. */
  readonly ip: string
  readonly port: number
  readonly protocol: ProtocolVersion
}

/** Why a tunnel socket is gone. */
export interface LossInfo {
  /** Ended on purpose, by either side: a 1.0 socket that has served its request, a drain. */
  readonly clean: boolean
  /** Close code (RFC 6455 §7.4); 1006: the connection broke. */
  readonly code: number
  readonly reason: string
  readonly error: ErrorCode | undefined
}

/** A connector said that it leaves. */
export interface DeregistrationInfo {
  readonly connectorInstanceID: string
  readonly route: string
  /** How many of its sockets were open. */
  readonly sockets: number
}

/** The events of a router, each with the arguments of its listeners. */
export interface RouterEvents {
  /** A tunnel socket was opened. On 1.0 that happens for every request. */
  registered: [socket: SocketInfo]
  /** A tunnel socket is gone; `why.clean` tells the ordinary ends from the others. */
  lost: [socket: SocketInfo, why: LossInfo]
  /** A connector withdrew a route. Its sockets' `lost` follow when they are done. */
  deregistered: [leaving: DeregistrationInfo]
  /** No new client is let in from here on. */
  draining: []
  /** All clients are gone; `cut` requests had not finished in time. */
  drained: [result: { readonly cut: number }]
  /** Everything is closed. */
  closed: []
}

/** Emits; whatever a listener does, the router goes on. */
export class SafeEmitter extends EventEmitter<RouterEvents> {
  readonly #log: Logger

  constructor(log: Logger) {
    super({ captureRejections: true })
    this.#log = log
  }

  /** Called by node when an async listener's promise rejects. */
  override [EventEmitter.captureRejectionSymbol](error: Error, ...[event]: readonly unknown[]): void {
    this.#log.error({ err: error, event: String(event) }, 'a listener of the router rejected')
  }

  tell<K extends keyof RouterEvents>(event: K, ...args: RouterEvents[K]): void {
    try {
      // The type of emit does not follow a generic event name.
      ;(this.emit as (name: K, ...values: RouterEvents[K]) => boolean).call(this, event, ...args)
    } catch (error) {
      this.#log.error({ err: error, event }, 'a listener of the router threw')
    }
  }
}

export function socketInfo(registered: RegisteredSession): SocketInfo {
  const { socketID, route, domain, connectorInstanceID, componentName } = registered
  return {
    socketID,
    route,
    domain,
    connectorInstanceID,
    componentName,
    ip: registered.remoteAddress,
    port: registered.remotePort,
    protocol: registered.session.version,
  }
}

export function lossInfo(end: SessionEnd): LossInfo {
  return { clean: end.clean, code: end.code, reason: end.reason, error: end.error?.code }
}
