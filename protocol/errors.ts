/**
 * Every error that leaves this package is a {@link CrankerError} with a stable `code`. Match on the code, never on
 * the message.
 */

/** Who caused an error: the code that called us, this package or its environment, or whoever is at the other end. */
export type Initiator = 'caller' | 'us' | 'peer'

/**
 * Whether the request may have reached the target service.
 *
 * - `no`: certainly not; it may be sent again whatever its method.
 * - `maybe`: it may be sent again only if its method is idempotent (RFC 9110 §9.2.2) and its body can be replayed.
 * - `yes`: the service has answered, at least in part.
 */
export type Delivered = 'no' | 'maybe' | 'yes'

/** The stable codes, each with what it means. docs/router.md has the table code → HTTP status. */
export type ErrorCode =
  /** An option or flag has a value that cannot be used. */
  | 'CRANKER_ERR_OPTION'
  /** A port cannot be listened on. */
  | 'CRANKER_ERR_LISTEN'
  /** The router, connector or session was already closed. */
  | 'CRANKER_ERR_CLOSED'
  /** The registration was refused, or its handshake failed. */
  | 'CRANKER_ERR_REGISTRATION'
  /** A client's request is malformed (RFC 9112) or ambiguous. */
  | 'CRANKER_ERR_BAD_REQUEST'
  /** The method is never forwarded (TRACE, CONNECT). */
  | 'CRANKER_ERR_METHOD'
  /** What the request asks for is not carried (an unknown transfer coding, an expectation). */
  | 'CRANKER_ERR_NOT_IMPLEMENTED'
  /** A head is larger, or has more fields, than its limit. */
  | 'CRANKER_ERR_HEAD_TOO_LARGE'
  /** The client did not complete its request in time. */
  | 'CRANKER_ERR_CLIENT_TIMEOUT'
  /** The client went away. */
  | 'CRANKER_ERR_CLIENT_GONE'
  /** No connector has ever registered this route. */
  | 'CRANKER_ERR_NO_ROUTE'
  /** None of the route's connectors carries WebSockets. */
  | 'CRANKER_ERR_NO_UPGRADE'
  /** None of the route's connectors carries trailers, without which there is no gRPC. */
  | 'CRANKER_ERR_NO_TRAILERS'
  /** The route is known but none of its connectors had room within the waiting time. */
  | 'CRANKER_ERR_NO_SOCKET'
  /** Too many requests are waiting already, or too many are running. */
  | 'CRANKER_ERR_BUSY'
  /** This side is shutting down. */
  | 'CRANKER_ERR_DRAINING'
  /** The tunnel socket was lost while the request ran. */
  | 'CRANKER_ERR_SOCKET_LOST'
  /** The peer broke the Cranker protocol. */
  | 'CRANKER_ERR_PROTOCOL'
  /** The peer ended this exchange. */
  | 'CRANKER_ERR_PEER_RESET'
  /** The peer did not give the request to the service and says so (`refuse`). */
  | 'CRANKER_ERR_REFUSED'
  /** The peer says that the request is not acceptable to it. */
  | 'CRANKER_ERR_PEER_REJECTED'
  /** The service's response cannot be forwarded: an invalid head, or a body that contradicts its content-length. */
  | 'CRANKER_ERR_BAD_RESPONSE'
  /** The target service could not be connected to. */
  | 'CRANKER_ERR_TARGET_UNREACHABLE'
  /** The target service failed while it answered. */
  | 'CRANKER_ERR_TARGET_FAILED'
  /** No bytes flowed for the idle timeout. */
  | 'CRANKER_ERR_IDLE_TIMEOUT'
  /** A bug in this package. */
  | 'CRANKER_ERR_INTERNAL'

export interface CrankerErrorOptions {
  readonly initiator?: Initiator
  readonly delivered?: Delivered
  readonly cause?: unknown
}

export class CrankerError extends Error {
  override readonly name = 'CrankerError'
  readonly code: ErrorCode
  readonly initiator: Initiator
  readonly delivered: Delivered

  constructor(code: ErrorCode, message: string, options: CrankerErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.initiator = options.initiator ?? 'us'
    this.delivered = options.delivered ?? 'maybe'
  }

  /** True when the request certainly did not reach the service, so that any method may be sent again. */
  get retryable(): boolean {
    return this.delivered === 'no'
  }
}
