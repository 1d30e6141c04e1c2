import type { CrankerError } from '../protocol/errors.js'
import type { Logger } from '../protocol/logger.js'
import type { InboundRequest } from './inbound/inbound.js'
import type { AccessEntry } from './options.js'
import type { RegisteredSession } from './routing/source.js'

/** What is known about a request when it is over. */
export interface Outcome {
  readonly inbound: InboundRequest
  readonly status: number | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly duration: number
  readonly registered: RegisteredSession | undefined
  readonly error: CrankerError | undefined
}

/** Calls the access log. What it throws is its owner's fault, but must not end anything here. */
export function writeAccess(accessLog: (entry: AccessEntry) => void, log: Logger, outcome: Outcome): void {
  const { inbound, registered, error, ...counts } = outcome
  try {
    accessLog({
      requestId: inbound.id,
      method: inbound.method,
      host: inbound.authority,
      target: inbound.target,
      httpVersion: inbound.httpVersion,
      remoteAddress: inbound.remoteAddress,
      ...counts,
      route: registered?.route,
      connectorInstanceID: registered?.connectorInstanceID,
      error: error?.code,
    })
  } catch (thrown) {
    log.error({ err: thrown }, 'the access log threw')
  }
}
