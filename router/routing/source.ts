import type { CrankerError } from '../../protocol/errors.js'
import type { RouterSession } from '../../protocol/session.js'

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

/** Where the proxy gets a socket for a request. */
export interface SessionSource {
  /**
   * The socket with the fewest running requests for this host and path, or undefined if none has room now or others
   * wait already: then `wait`. `not`: one that has just refused this request.
   */
  take(host: string, path: string, not?: RegisteredSession): RegisteredSession | undefined
  /**
   * Waits for a socket. Exactly one of the waiter's methods is called, never before this returns, unless the returned
   * function (cancel: the client left) is called first. Fails with NO_ROUTE, NO_SOCKET, BUSY or DRAINING.
   */
  wait(host: string, path: string, waiter: SessionWaiter): () => void
}

export interface SessionWaiter {
  onSession(registered: RegisteredSession): void
  onFailed(error: CrankerError): void
}
