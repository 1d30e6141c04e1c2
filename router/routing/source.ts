import type { CrankerError } from '../../protocol/errors.js'
import type { Capabilities, RouterSession } from '../../protocol/session.js'

/** A tunnel socket as the router knows it, with who registered it. */
export interface RegisteredSession {
  readonly session: RouterSession
  readonly route: string
  readonly domain: string
  readonly connectorInstanceID: string
  readonly componentName: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly socketID: string
}

/** What of a socket a request may depend on; it is never given to one without. */
export type Need = keyof Pick<Capabilities, 'upgrade' | 'trailers'>

/** Where the proxy gets a socket for a request. */
export interface SessionSource {
  /**
   * The socket with the fewest running requests for this host and path, or undefined if none has room now or others
   * wait already: then `wait`. `not`: one that has just refused this request. `need`: only a socket with that capability.
   */
  take(host: string, path: string, not?: RegisteredSession, need?: Need): RegisteredSession | undefined
  /**
   * Waits for a socket. Exactly one of the waiter's methods is called, never before this returns, unless the returned
   * function (cancel: the client left) is called first. Fails with NO_ROUTE, NO_SOCKET, NO_UPGRADE, NO_TRAILERS,
   * BUSY or DRAINING.
   */
  wait(host: string, path: string, waiter: SessionWaiter, need?: Need): () => void
}

export interface SessionWaiter {
  onSession(registered: RegisteredSession): void
  onFailed(error: CrankerError): void
}
