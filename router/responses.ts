/** What clients are told when a request fails: the one table from error codes to HTTP. */
import { STATUS_CODES } from 'node:http'
import type { CrankerError, ErrorCode } from '../protocol/errors.js'
import { headerValue, type RawHeaders, type ResponseHead } from '../protocol/head.js'
import { isGrpc } from '../protocol/trailers.js'
import { grpcAnswer } from './grpc-answer.js'

interface Answer {
  readonly status: number
  /** A registered error type of RFC 9209 §2.3. */
  readonly type: string
  /** For people. Nothing internal: no address, no name of a connector. */
  readonly sentence: string
}

const ANSWERS: Readonly<Record<ErrorCode, Answer>> = {
  CRANKER_ERR_OPTION: answer(500, 'proxy_configuration_error', 'The router is not configured correctly.'),
  CRANKER_ERR_LISTEN: answer(500, 'proxy_configuration_error', 'The router is not configured correctly.'),
  CRANKER_ERR_CLOSED: answer(503, 'destination_unavailable', 'The service is not available right now.'),
  CRANKER_ERR_REGISTRATION: answer(502, 'proxy_internal_error', 'The service could not be reached.'),
  CRANKER_ERR_BAD_REQUEST: answer(400, 'http_request_error', 'The request is malformed.'),
  CRANKER_ERR_METHOD: answer(405, 'http_request_denied', 'This method is not allowed here.'),
  CRANKER_ERR_NOT_IMPLEMENTED: answer(501, 'http_request_error', 'The request asks for something unsupported.'),
  CRANKER_ERR_HEAD_TOO_LARGE: answer(431, 'http_request_error', 'The head of the request is too large.'),
  CRANKER_ERR_CLIENT_TIMEOUT: answer(408, 'http_request_error', 'The request was not completed in time.'),
  CRANKER_ERR_CLIENT_GONE: answer(400, 'http_request_error', 'The request ended before it was complete.'),
  CRANKER_ERR_NO_ROUTE: answer(404, 'destination_not_found', 'There is no service at this address.'),
  CRANKER_ERR_NO_UPGRADE: answer(501, 'destination_unavailable', 'This service takes no WebSockets here.'),
  CRANKER_ERR_NO_TRAILERS: answer(
    501,
    'destination_unavailable',
    'gRPC needs a connector that carries trailers (protocol 3.0); none of this service does.',
  ),
  CRANKER_ERR_NO_SOCKET: answer(503, 'destination_unavailable', 'The service is not available right now.'),
  CRANKER_ERR_BUSY: answer(503, 'connection_limit_reached', 'The service is busy.'),
  CRANKER_ERR_DRAINING: answer(503, 'destination_unavailable', 'The service is about to restart.'),
  CRANKER_ERR_SOCKET_LOST: answer(502, 'connection_terminated', 'The connection to the service was lost.'),
  CRANKER_ERR_PROTOCOL: answer(502, 'http_protocol_error', 'The service could not be understood.'),
  CRANKER_ERR_PEER_RESET: answer(502, 'connection_terminated', 'The service ended the request.'),
  CRANKER_ERR_REFUSED: answer(503, 'destination_unavailable', 'The service is not available right now.'),
  CRANKER_ERR_PEER_REJECTED: answer(400, 'http_request_error', 'The request is not acceptable to the service.'),
  CRANKER_ERR_BAD_RESPONSE: answer(502, 'http_protocol_error', 'The service sent an invalid response.'),
  CRANKER_ERR_TARGET_UNREACHABLE: answer(502, 'destination_unavailable', 'The service could not be reached.'),
  CRANKER_ERR_TARGET_FAILED: answer(502, 'connection_terminated', 'The service failed while it answered.'),
  CRANKER_ERR_IDLE_TIMEOUT: answer(504, 'http_response_timeout', 'The service did not answer in time.'),
  CRANKER_ERR_INTERNAL: answer(500, 'proxy_internal_error', 'Something went wrong in the router.'),
}

/** The messages of these were written in validity checks, for whoever sent the request. */
const SPEAKS_TO_CLIENT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CRANKER_ERR_BAD_REQUEST',
  'CRANKER_ERR_METHOD',
  'CRANKER_ERR_NOT_IMPLEMENTED',
  'CRANKER_ERR_HEAD_TOO_LARGE',
])

/** How long clients are asked to wait after a 503 (RFC 9110 §10.2.3), seconds: connectors reconnect within that. */
export const RETRY_AFTER_SECONDS = 2
/** RFC 9110 §10.2.1. */
const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'

/** The HTTP status that an error stands for. */
export function statusOf(error: CrankerError): number {
  // The same code is used for both directions; a response head that is too large is not the client's fault.
  if (error.code === 'CRANKER_ERR_HEAD_TOO_LARGE' && error.initiator === 'peer') return 502
  return ANSWERS[error.code].status
}

export interface AnswerOptions {
  readonly error: CrankerError
  /** Instead of the status that the error's code stands for. */
  readonly status?: number | undefined
  readonly requestId: string
  /** The request's fields, for `Accept`. */
  readonly headers: RawHeaders
  /** Names this router in `Proxy-Status`. */
  readonly viaName: string
}

/** The response for an error. For HEAD, send the head only. */
export function errorAnswer(options: AnswerOptions): { readonly head: ResponseHead; readonly body: Buffer } {
  const { error } = options
  const { type, sentence } = ANSWERS[error.code]
  const status = options.status ?? statusOf(error)
  const message = SPEAKS_TO_CLIENT.has(error.code) && error.initiator === 'caller' ? error.message : sentence
  const reason = STATUS_CODES[status] ?? ''
  const proxyStatus = `${structuredName(options.viaName)}; error=${type}; details="${error.code}"`
  if (isGrpc(options.headers)) {
    return grpcAnswer(status, `${message} (${error.code}, request ${options.requestId})`, proxyStatus)
  }
  const media = preferredMedia(headerValue(options.headers, 'accept'))
  const facts: Facts = { status, reason, message, code: error.code, requestId: options.requestId }
  const body = Buffer.from(render(media, facts), 'utf8')
  const headers = [
    'Content-Type',
    media === 'application/json' ? media : `${media}; charset=utf-8`,
    'Content-Length',
    String(body.length),
    'Cache-Control',
    'no-store',
    'Proxy-Status',
    proxyStatus,
  ]
  if (status === 503) headers.push('Retry-After', String(RETRY_AFTER_SECONDS))
  if (status === 405) headers.push('Allow', ALLOWED_METHODS)
  return { head: { status, reason, headers }, body }
}

type Media = 'text/plain' | 'text/html' | 'application/json'

/** The best of what we have for an `Accept` (RFC 9110 §12.5.1); wildcards get text. */
function preferredMedia(accept: string | undefined): Media {
  let best: Media = 'text/plain'
  let bestQuality = 0
  for (const range of (accept ?? '').split(',')) {
    const [name = '', ...parameters] = range.split(';')
    const quality = parameters.find((parameter) => /^\s*q=/i.test(parameter))
    const q = quality === undefined ? 1 : Number.parseFloat(quality.slice(quality.indexOf('=') + 1))
    const media = name.trim().toLowerCase()
    if (q > bestQuality && (media === 'text/plain' || media === 'text/html' || media === 'application/json')) {
      best = media
      bestQuality = q
    }
  }
  return best
}

interface Facts {
  readonly status: number
  readonly reason: string
  readonly message: string
  readonly code: ErrorCode
  readonly requestId: string
}

function render(media: Media, { status, reason, message, code, requestId }: Facts): string {
  switch (media) {
    case 'application/json':
      return `${JSON.stringify({ status, code, message, requestId })}\n`
    case 'text/html':
      return (
        `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${status} ${escapeHtml(reason)}</title></head>\n` +
        `<body>\n<h1>${status} ${escapeHtml(reason)}</h1>\n<p>${escapeHtml(message)}</p>\n` +
        `<p><small>${code} &middot; request ${escapeHtml(requestId)}</small></p>\n</body>\n</html>\n`
      )
    case 'text/plain':
      return `${status} ${reason}\n\n${message}\n\n${code}, request ${requestId}\n`
  }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

/** A proxy's name is an RFC 8941 token if it can be one, else a string. */
function structuredName(name: string): string {
  return /^[A-Za-z*][\w!#$%&'*+.^`|~:/-]*$/.test(name) ? name : `"${name}"`
}

function answer(status: number, type: string, sentence: string): Answer {
  return { status, type, sentence }
}
