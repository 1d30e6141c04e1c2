import { IncomingMessage, ServerResponse } from 'node:http'
import type { Http1Request } from './http1-request.js'

const NO_HEADERS: NodeJS.Dict<string> = Object.freeze(Object.create(null) as NodeJS.Dict<string>)

/**
 * Requests whose `headers` are empty: only `rawHeaders` count here. It spares the work of building them, and keeps
 * node from acting on them: it would answer `Expect` itself, and send chunked framing to HTTP/1.0 clients with
 * `TE: chunked` (RFC 9112 §7.1: chunked is not for HTTP/1.0).
 */
export class ClientMessage extends IncomingMessage {}

// An accessor cannot override what the types declare as a property.
Object.defineProperty(ClientMessage.prototype, 'headers', { get: () => NO_HEADERS, set: () => undefined })

export class ClientResponse extends ServerResponse<ClientMessage> {
  /** Found by the shared listeners, so that none needs a closure per request. */
  owner: Http1Request | undefined = undefined
}
