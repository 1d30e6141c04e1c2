/** What the tunnel is told of a target, whichever HTTP version it speaks. */
import { CrankerError } from '../../protocol/errors.js'
import type { ResponseHead } from '../../protocol/head.js'
import { filterResponseHeaders } from '../../protocol/hop-by-hop.js'
import { TARGET_UNREACHABLE } from '../../protocol/refusal.js'
import type { ResponseExchange } from '../../protocol/session.js'
import { announcedTrailers } from '../../protocol/trailers.js'

/** The final head of a response, as it goes on; with `Trailer` where trailers can follow. */
export function forwardedHead(head: ResponseHead, exchange: ResponseExchange): ResponseHead {
  const headers = filterResponseHeaders(head.headers, true)
  const announced = exchange.carriesTrailers ? announcedTrailers(head.headers) : undefined
  if (announced !== undefined) headers.push('Trailer', announced)
  return { status: head.status, reason: head.reason, headers }
}

/** Hands on an interim response. */
export function forwardInfo({ status, reason, headers }: ResponseHead, exchange: ResponseExchange): void {
  // 100 answers an Expect, which is not forwarded (RFC 9110 §10.1.1: the router has answered it).
  if (status !== 100) exchange.info({ status, reason, headers: filterResponseHeaders(headers, true) })
}

/**
 * The target could not be connected to. Said as a refusal, which lets the router ask another connector; to routers that
 * know none it is a failure.
 */
export function unreachable(error: Error): CrankerError {
  const cause = new CrankerError('CRANKER_ERR_TARGET_UNREACHABLE', error.message, { delivered: 'no', cause: error })
  return new CrankerError('CRANKER_ERR_REFUSED', TARGET_UNREACHABLE, { initiator: 'peer', delivered: 'no', cause })
}
