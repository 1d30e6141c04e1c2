import type { CrankerError } from '../../protocol/errors.js'
import type { RawHeaders, ResponseHead } from '../../protocol/head.js'

/**
 * A client's request after validation, whatever HTTP version brought it: what the proxy sees instead of
 * IncomingMessage or Http2Stream.
 */
export interface InboundRequest {
  /** Unique and hard to guess; made when first asked for. */
  readonly id: string
  readonly method: string
  /** Origin-form exactly as sent (absolute-form has been reduced to it), or `*`. */
  readonly target: string
  /** The part of `target` before `?`; has been checked for confusion, see path.ts. */
  readonly path: string
  /** Host without port, lower case, no trailing dot: for routing. `` when the client sent none (HTTP/1.0). */
  readonly host: string
  /** Host as sent, for the forwarded `host` field. */
  readonly authority: string
  /** All field lines as they came. */
  readonly headers: RawHeaders
  /** `1.0`, `1.1` or `2.0`. */
  readonly httpVersion: string
  /** The client speaks TLS to us. */
  readonly secure: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localPort: number
  /** False: no body follows, and `onBodyEnd` is not called. */
  readonly hasBody: boolean
  /** Undefined when there is no body or its framing is chunked. */
  readonly contentLength: number | undefined
  /** The client waits for 100 (Continue). `start()` sends it. */
  readonly expectsContinue: boolean
  /**
   * The client asks for an upgrade to `websocket` and may be answered with 101; `hasBody` is false. After
   * `respond(101)` this is a raw duplex: `start()` lets the client's bytes flow, what it sent early first, `onBodyEnd`
   * says that it has finished sending, `end()` that we have; `abort()` cuts. `onFinished` comes when both sides have
   * ended and the connection is gone.
   */
  readonly upgrade: boolean

  /** Calls arrive here from now on. Set at once; the body does not flow before `start()`. */
  handler: InboundHandler
  /** Lets the body flow. Before that it is under backpressure. */
  start(): void
  /** No `onBody` comes between `pause()` and `resume()`. */
  pause(): void
  resume(): void

  /** Interim response (103); not sent to HTTP/1.0 clients, nor after the final head. */
  info(head: ResponseHead): void
  /**
   * The final head: end-to-end fields, already chosen by the proxy, and those of the upgrade if it is a 101. Held back
   * until the end of the turn, so that it leaves together with the first `write` or `end`.
   * @throws CrankerError CRANKER_ERR_BAD_RESPONSE when it cannot be sent as a valid message; nothing was sent then.
   */
  respond(head: ResponseHead): void
  /** `handler.onTaken(n)` reports what the client's socket has taken: whoever writes more is bound by that. */
  write(chunk: Buffer): void
  /**
   * The response is complete. What is left of the request body is discarded by the inbound side. `trailers`, already
   * chosen by the proxy, are dropped where the client cannot take them.
   */
  end(trailers?: RawHeaders): void
  /**
   * Ends the request with an error; the handler hears nothing more. Before `respond()` it is answered, and the status
   * is returned; after it the response is cut so that the client sees that it is broken.
   */
  abort(error: CrankerError): number | undefined
}

export interface InboundHandler {
  /** The proxy says `resume()`/`pause()`; there is no per-chunk acknowledgement on this side. Not after `end()`. */
  onBody(chunk: Buffer): void
  /** The request is complete. `trailers` as they came, if any. Not after `end()`. */
  onBodyEnd(trailers?: RawHeaders): void
  onTaken(bytes: number): void
  /** The client left, was too slow or broke HTTP, and has been dealt with; at most once, last call. */
  onGone(error: CrankerError): void
  /** The response was handed to the client whole; last call. */
  onFinished(): void
}

/** Hears nothing: whoever has answered a request itself has nobody to tell. */
export const nobody: InboundHandler = {
  onBody: () => undefined,
  onBodyEnd: () => undefined,
  onTaken: () => undefined,
  onGone: () => undefined,
  onFinished: () => undefined,
}

/** The receiver of every valid request. Must set `handler` before it returns. */
export type OnRequest = (inbound: InboundRequest) => void

/** Hears of every request that was answered before it could be handed on; `target` is as the client sent it. */
export type OnRefused = (inbound: InboundRequest, error: CrankerError, status: number) => void
