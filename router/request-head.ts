/** The head of a client's request as it goes into a tunnel, and what it asks of the socket. */
import type { RequestHead } from '../protocol/head.js'
import type { Capabilities } from '../protocol/session.js'
import { announcedTrailers, isGrpc } from '../protocol/trailers.js'
import { lists, UPGRADE_FIELDS } from '../protocol/upgrade.js'
import type { ForwardingFields } from './forwarded.js'
import type { InboundRequest } from './inbound/inbound.js'
import type { Need } from './routing/source.js'

/** What a socket must be able to carry, or the request is lost on it. */
export function needOf(inbound: InboundRequest): Need | undefined {
  if (inbound.upgrade) return 'upgrade'
  return isGrpc(inbound.headers) ? 'trailers' : undefined
}

export function requestHead(
  inbound: InboundRequest,
  forwarding: ForwardingFields,
  capabilities: Capabilities,
): RequestHead {
  const headers = forwarding.apply(inbound)
  if (inbound.upgrade) headers.push(...UPGRADE_FIELDS)
  else if (capabilities.trailers) addTrailerFields(headers, inbound)
  return { method: inbound.method, target: inbound.target, headers }
}

/** What a client says about trailers is about this hop (RFC 9110 §10.1.4), so we say it again for the next one. */
function addTrailerFields(headers: string[], inbound: InboundRequest): void {
  if (lists(inbound.headers, 'te', 'trailers')) headers.push('TE', 'trailers')
  if (!inbound.hasBody || inbound.contentLength !== undefined) return
  const announced = announcedTrailers(inbound.headers)
  if (announced !== undefined) headers.push('Trailer', announced)
}
