/** What all requests of a proxy share, and the errors that they end with on their own. */
import type { Clock } from '../protocol/clock.js'
import { CrankerError } from '../protocol/errors.js'
import type { Logger } from '../protocol/logger.js'
import type { ForwardingFields } from './forwarded.js'
import type { AccessEntry } from './options.js'
import type { ProxiedRequest } from './proxied-request.js'
import type { SessionSource } from './routing/source.js'

export interface ProxyContext {
  readonly source: SessionSource
  readonly clock: Clock
  readonly log: Logger
  readonly forwarding: ForwardingFields
  readonly accessLog: ((entry: AccessEntry) => void) | undefined
  /** Counts up; the idle timeout is `idleSteps` of them. */
  step: number
  readonly idleSteps: number
  /** The same for upgraded connections; Infinity: for ever. */
  readonly upgradeIdleSteps: number
  readonly onDone: (request: ProxiedRequest) => void
}

export function clientTimeout(): CrankerError {
  return new CrankerError('CRANKER_ERR_CLIENT_TIMEOUT', 'the client stopped sending its request', {
    initiator: 'caller',
  })
}

export function idleTimeout(): CrankerError {
  return new CrankerError('CRANKER_ERR_IDLE_TIMEOUT', 'no bytes flowed for the idle timeout', { initiator: 'peer' })
}

export function badBody(message: string): CrankerError {
  return new CrankerError('CRANKER_ERR_BAD_REQUEST', message, { initiator: 'caller' })
}

export function asCrankerError(error: unknown): CrankerError {
  if (error instanceof CrankerError) return error
  return new CrankerError('CRANKER_ERR_INTERNAL', 'the request could not be handled', { cause: error })
}
