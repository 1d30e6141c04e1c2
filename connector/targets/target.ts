import type { RequestHead } from '../../protocol/head.js'
import type { BodyHandler, ResponseExchange } from '../../protocol/session.js'

/** A service that requests are replayed on: one interface, several backends. */
export interface Target {
  /**
   * Replays one request. Returns the receiver of its body, or undefined if the exchange was ended at once. Must not
   * throw. `end`: the request has no body.
   */
  request(head: RequestHead, end: boolean, exchange: ResponseExchange): BodyHandler | undefined
  /** Releases idle connections; running requests are not touched. */
  close(): Promise<void>
}
