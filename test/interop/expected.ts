/**
 * What a foreign peer cannot do by its own fault, with the reason: docs/interop.md shows it. Each is run all the same,
 * and one that passes fails the suite until it is removed here.
 */
import type { CaseId } from './cases/index.js'
import type { Column, Over } from './columns.js'

export interface ExpectedFailure {
  readonly side: Column['side']
  /** The peer's name. */
  readonly peer: string
  /** Default: every version. */
  readonly over?: readonly Over[]
  readonly cases: readonly CaseId[]
  /** A sentence for the page: what the peer does, and why nothing on our side can help. */
  readonly reason: string
  /** It depends on chance inside the peer: neither result is an error. */
  readonly sometimes?: true
  /** The exchange never ends: the case is given up after a short time. */
  readonly hangs?: true
}

export const expectedFailures: readonly ExpectedFailure[] = [
  // Connectors.
  {
    side: 'connector',
    peer: 'JC',
    cases: ['oddFields'],
    reason: 'The HTTP client of Java makes a space of a tab within a field value of a response.',
  },
  {
    side: 'connector',
    peer: 'JC',
    cases: ['octets'],
    reason: 'The HTTP client of Java sends `?` in place of octets above 127.',
  },
  {
    side: 'connector',
    peer: 'JC',
    over: ['1.0'],
    cases: ['leftBefore'],
    reason: 'On 1.0 it does not end its request to the service when its socket is closed before there is a response.',
    hangs: true,
  },
  {
    side: 'connector',
    peer: 'JC',
    over: ['1.0'],
    cases: ['underLoad'],
    reason: 'While it stops, a request may meet the end of one of its sockets.',
    sometimes: true,
  },
  {
    side: 'connector',
    peer: 'C4P',
    cases: ['gzip'],
    reason: 'It unpacks bodies and leaves `content-encoding` in place.',
  },
  {
    side: 'connector',
    peer: 'C4P',
    cases: ['cookies'],
    reason: 'It keeps response fields in a map: of several `set-cookie` one is left.',
  },
  {
    side: 'connector',
    peer: 'C4P',
    cases: ['target'],
    reason: 'Its HTTP client writes percent-encoding in capitals and encodes `[` and `]` in a query.',
  },
  {
    side: 'connector',
    peer: 'C4P',
    cases: ['leftBefore'],
    reason: 'It does not read its socket while it waits for the service.',
    hangs: true,
  },
  {
    side: 'connector',
    peer: 'AC',
    cases: ['distance'],
    reason: 'Its count of unacknowledged bytes stops at zero: no router can widen its window.',
  },
  {
    side: 'connector',
    peer: 'C4G',
    cases: ['head', 'bodyless', 'gzip', 'cookies', 'oddFields', 'octets'],
    reason: 'It loses every field of a response (it copies them into an empty slice).',
  },
  {
    side: 'connector',
    peer: 'C4G',
    cases: ['leftBefore'],
    reason: 'It gives up its request to the service only when a write to its socket fails.',
    hangs: true,
  },
  {
    side: 'connector',
    peer: 'GC',
    cases: ['get', 'target'],
    reason: 'It removes the route from the path and encodes the rest anew.',
  },
  {
    side: 'connector',
    peer: 'GC',
    cases: ['dead'],
    reason: 'It answers 500 itself when the service cannot be reached.',
  },
  ...['GC', 'NC', 'NPM'].map((peer): ExpectedFailure => ({
    side: 'connector',
    peer,
    cases: ['leftDuring', 'leftBefore'],
    reason: 'It never ends its request to the service when its socket is closed.',
    hangs: true,
  })),
  ...['C4J', 'GC', 'NC', 'NPM'].map((peer): ExpectedFailure => ({
    side: 'connector',
    peer,
    cases: ['underLoad'],
    reason: 'It closes its idle sockets without deregistering before: a request may meet the Close frame on its way.',
    sometimes: true,
  })),
  ...['NC', 'NPM'].map((peer): ExpectedFailure => ({
    side: 'connector',
    peer,
    cases: ['stalled'],
    reason:
      'It sends without looking at what is waiting, and its WebSocket library cuts the connection 30 s after the Close frame, with all that was not read by then.',
    sometimes: true,
  })),
  {
    side: 'connector',
    peer: 'NPM',
    cases: ['cookies'],
    reason: 'It makes one field of several `set-cookie`.',
  },
  {
    side: 'connector',
    peer: 'NPM',
    cases: ['cut'],
    reason: 'It does not notice that the service cut its response, and waits for more.',
    hangs: true,
  },
  {
    side: 'connector',
    peer: 'RC',
    cases: ['postFixed', 'postChunked', 'up1', 'up64'],
    reason: 'It hangs on request bodies: it waits for their end before it reads them.',
    hangs: true,
  },
  {
    side: 'connector',
    peer: 'RC',
    cases: ['octets', 'dead'],
    reason: 'It panics, and leaves the socket open without an answer.',
    hangs: true,
  },
  {
    side: 'connector',
    peer: 'RC',
    cases: ['cut'],
    reason: 'It ends a response that the service cut as if it were complete.',
  },
  {
    side: 'connector',
    peer: 'RC',
    cases: ['restart'],
    reason: 'It does not replace an idle socket that was closed cleanly.',
    hangs: true,
  },
  {
    side: 'connector',
    peer: 'RC',
    cases: ['finishes'],
    reason: 'It does not wait for running requests when it stops.',
  },
  {
    side: 'connector',
    peer: 'RC',
    cases: ['underLoad'],
    reason: 'It does not wait for running requests when it stops.',
    sometimes: true,
  },
  // Routers.
  {
    side: 'router',
    peer: 'MU',
    cases: ['rawQuery'],
    reason: 'It answers 400 to `|`, `{` and `}` in a query.',
  },
  {
    side: 'router',
    peer: 'MU',
    cases: ['headFirst'],
    reason: 'It holds a response head back until the first byte of the body.',
    hangs: true,
  },
  {
    side: 'router',
    peer: 'MU',
    over: ['3.0'],
    cases: ['waits', 'nobody'],
    reason: 'On 3.0 it lets no request wait for a connector: it answers 404 at once.',
  },
  {
    side: 'router',
    peer: 'RS',
    cases: ['octets'],
    reason: 'It drops request fields, and writes response fields as UTF-8, when they have octets above 127.',
  },
  {
    side: 'router',
    peer: 'RS',
    cases: ['leftBefore'],
    reason: 'It does not tell the connector that a client left before the response.',
    hangs: true,
  },
  {
    side: 'router',
    peer: 'RS',
    over: ['3.0'],
    cases: ['finishes'],
    reason:
      'On 3.0 it goes on giving requests to a busy socket whose connector has deregistered, until that is closed.',
    hangs: true,
  },
  {
    side: 'router',
    peer: 'RS',
    over: ['3.0'],
    cases: ['underLoad'],
    reason:
      'On 3.0 it goes on giving requests to a busy socket whose connector has deregistered, until that is closed.',
    sometimes: true,
  },
  {
    side: 'router',
    peer: 'C4G',
    cases: ['head', 'bodyless', 'gzip', 'cookies', 'oddFields', 'octets'],
    reason: 'It loses every field of a response (it copies them into an empty slice).',
  },
  {
    side: 'router',
    peer: 'C4G',
    cases: ['postChunked'],
    reason: 'It takes a request without a content-length for one without a body.',
  },
  {
    side: 'router',
    peer: 'C4G',
    cases: ['target'],
    reason: 'It decodes the path.',
  },
  ...['C4G', 'C4J'].map((peer): ExpectedFailure => ({
    side: 'router',
    peer,
    cases: ['wrongRoute'],
    reason: 'It takes every unknown route for the catch-all: 503 after the wait.',
  })),
  {
    side: 'router',
    peer: 'C4G',
    cases: ['leftDuring', 'leftBefore'],
    reason: 'It does not tell the connector that a client left.',
    hangs: true,
  },
  {
    side: 'router',
    peer: 'C4G',
    cases: ['cut'],
    reason: 'It ends a response that broke off as if it were complete.',
  },
  {
    side: 'router',
    peer: 'C4G',
    cases: ['finishes'],
    reason: 'It fails at deregistrations, and goes on giving requests to a connector that stops.',
    hangs: true,
  },
  {
    side: 'router',
    peer: 'C4G',
    cases: ['underLoad'],
    reason: 'It fails at deregistrations, and goes on giving requests to a connector that stops.',
    sometimes: true,
  },
]

/** The entry for a cell, if there is one. */
export function expectedFailure(column: Column, id: CaseId): ExpectedFailure | undefined {
  return expectedFailures.find(
    ({ side, peer, over, cases }) =>
      side === column.side &&
      peer === column.peer.name &&
      (over === undefined || over.includes(column.over)) &&
      cases.includes(id),
  )
}
