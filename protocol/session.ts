/**
 * The one seam between what Cranker does and how a protocol version frames it. The proxy, the pool and the targets
 * are written once against these interfaces; what differs between versions is asked as a capability, never by
 * comparing `version`.
 *
 * Calls, not promises: one handler object per exchange; no promise, iterator, stream or closure per chunk.
 */
import type { CrankerError } from './errors.js'
import type { RawHeaders, RequestHead, ResponseHead } from './head.js'

/** For logs and status pages only. */
export type ProtocolVersion = '1.0' | '3.0'

/** What this session can carry, beyond requests and responses. All false towards a peer that announced nothing. */
export interface Capabilities {
  /** Interim responses (1xx) before the final head. */
  readonly informational: boolean
  /** "Not given to the service" can be said, and is understood. */
  readonly refuse: boolean
  /** "No new requests on this socket" can be said, and is understood. */
  readonly goaway: boolean
  /** Trailer sections, either way. */
  readonly trailers: boolean
  /** A request may ask for an upgrade to `websocket` and be answered with 101 (docs/protocol.md §9.7). */
  readonly upgrade: boolean
  /** The peer takes request targets byte for byte; towards others, what java.net.URI rejects is percent-encoded. */
  readonly rawTarget: boolean
}

/** Receives one direction of one exchange. */
export interface BodyHandler {
  /**
   * A piece of the body. Whoever takes it must say `exchange.consumed(chunk.length)` when its consumer has taken it.
   * It may be a view on a larger buffer.
   */
  onData(chunk: Buffer): void
  /** `write()` had said false; there is room again. */
  onDrain(): void
  /**
   * This direction is complete. On the router's side that ends the whole exchange: no call comes after it. Only after a
   * 101 the two directions end one by one, and onError may still follow until both have.
   */
  onEnd(trailers: RawHeaders | undefined): void
  /** The exchange failed; it is over, in both directions. At most once; no call comes after it. */
  onError(error: CrankerError): void
}

/**
 * What the router hands to `open`: the receiver of the response. Exactly one of onEnd and onError ends it; after a 101
 * see `onEnd`.
 */
export interface ResponseHandler extends BodyHandler {
  /**
   * The final response head. `end`: no body follows; `onEnd` is still called. 101 comes only for a request that asked for
   * an upgrade: from then on data are raw bytes, in both directions.
   */
  onHead(head: ResponseHead, end: boolean): void
  /** An interim response (1xx, never 101). */
  onInfo(head: ResponseHead): void
}

/** One running request, seen from either side. After its end every call is a no-op. */
export interface Exchange {
  /** Unique on its session. */
  readonly id: number
  /** Takes a piece of the body, and copies what it cannot send at once. False: wait for `onDrain`. */
  write(chunk: Buffer): boolean
  /** Ends our direction; `chunk` as with `write`. `trailers` are dropped where the session cannot carry them. */
  end(chunk?: Buffer, trailers?: RawHeaders): void
  /**
   * Ends the exchange at once, in both directions; the handler gets no further call. The error's code chooses what
   * the peer is told (`CRANKER_ERR_REFUSED` with the capability `refuse`: "not given to the service").
   */
  reset(error: CrankerError): void
  /** `bytes` of what `onData` delivered have been taken by their consumer: returns credit to the peer. */
  consumed(bytes: number): void
}

/** The router's end: its writes are the request body. */
export type RequestExchange = Exchange

/**
 * The connector's end: its writes are the response body. `end` or `reset` ends the exchange; after a 101 `end` ends only
 * this direction.
 */
export interface ResponseExchange extends Exchange {
  /** The request asks for an upgrade to `websocket`, and may be answered with 101. */
  readonly upgrade: boolean
  /** Trailers given to `end` reach the router. */
  readonly carriesTrailers: boolean
  /** The final response head, 101 included. `end`: no body follows; do not call `end()` after it. */
  head(head: ResponseHead, end: boolean): void
  /** An interim response; dropped where the session cannot carry it. */
  info(head: ResponseHead): void
}

/** Why a session is gone. */
export interface SessionEnd {
  /** Close code (RFC 6455 §7.4); 1006 when the connection was lost. */
  readonly code: number
  readonly reason: string
  /** True when either side ended it on purpose: a connector reconnects at once. */
  readonly clean: boolean
  readonly error: CrankerError | undefined
}

export interface SessionEvents {
  /**
   * `load`, `accepting` or `capacity` changed: a waiting request may have its chance, or a replacement is due.
   * Called often; must be cheap.
   */
  onChange(): void
  /** The peer asks that this socket be given no new request (goaway) and not be replaced before `retryAfterMs`. */
  onGoaway(reason: string, retryAfterMs: number): void
  /** Exactly once, and the last call; every exchange has been told before. */
  onEnd(end: SessionEnd): void
}

export interface ConnectorSessionEvents extends SessionEvents {
  /**
   * A request has arrived. Returns the receiver of its body, or undefined if the exchange was ended at once. `end`: it
   * has no body (`onEnd` is still called, after this returned).
   */
  onRequest(head: RequestHead, end: boolean, exchange: ResponseExchange): BodyHandler | undefined
}

export interface Session {
  readonly version: ProtocolVersion
  readonly capabilities: Capabilities
  /** Exchanges running now. */
  readonly load: number
  /** The most exchanges it runs at once. */
  readonly capacity: number
  /**
   * True as long as this socket may be given a new exchange, now or later: not draining, not retired, not closed, and
   * not a used-up 1.0 socket. It has room *now* when `accepting && load < capacity`.
   */
  readonly accepting: boolean
  /** The latest round trip in ms, as measured by pings; undefined before the first pong. */
  readonly roundTrip: number | undefined
  /** Bytes of response and request bodies carried so far, in and out, for status pages. */
  readonly bytesIn: number
  readonly bytesOut: number
  /**
   * No new exchange from here on; tells the peer where it understands that (`goaway`, with `retryAfterMs`). Closes
   * with 1001 as soon as nothing runs: at once when idle. The connector's end of an idle 1.0 socket closes with 1013
   * instead where `refuse` is agreed: a request that crosses the Close frame was not given to the service then.
   */
  drain(reason: string, retryAfterMs?: number): void
  /** Ends every exchange with an error, sends a Close frame. */
  close(code: number, reason: string): void
  /** Cuts the connection at once. */
  terminate(): void
}

/** The router's end of a tunnel socket. */
export interface RouterSession extends Session {
  /**
   * Starts a request. Call only when `accepting && load < capacity`; otherwise it throws CRANKER_ERR_CLOSED
   * (`delivered: 'no'`). `end`: the request has no body; false for one that asks for an upgrade, whose bytes must wait for
   * the 101. No handler call is made before this returns.
   */
  open(head: RequestHead, end: boolean, handler: ResponseHandler): RequestExchange
}

/** The connector's end of a tunnel socket. */
export interface ConnectorSession extends Session {
  /**
   * Sends a ping; `done` is called when its pong has come, which is after everything that the router had sent: the
   * barrier before a drain towards routers that do not know `goaway`. Also called when the session ends.
   */
  barrier(done: () => void): void
}
