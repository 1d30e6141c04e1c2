/** A far peer, in time that the test moves: how soon a stream fills its path, and what it may cost when nobody reads. */
import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import {
  V3_INITIAL_WINDOW_BYTES,
  V3_MAX_FLIGHT_BYTES,
  V3_MAX_SOCKET_WINDOW_BYTES,
  V3_MAX_DATA_BYTES,
  V3_STREAM_QUEUE_BYTES,
} from '../../../protocol/limits.js'
import { WindowBudget } from '../../../protocol/v3/flow.js'
import { Both, GET, OK, POST, type Response, type Body, type Request } from './harness.js'

/** Each way, ms. */
const LATENCY = 50
const ROUND_TRIP = 2 * LATENCY

function far(
  options: { bandwidth?: number; budget?: WindowBudget; onRequest?: (request: Request) => void } = {},
): Both {
  const both = new Both({
    latency: LATENCY,
    ...(options.bandwidth === undefined ? {} : { bandwidth: options.bandwidth }),
    record: false,
    config: options.budget === undefined ? {} : { windowBudget: options.budget },
    ...(options.onRequest === undefined ? {} : { onRequest: options.onRequest }),
  })
  both.clock.advance(5 * ROUND_TRIP)
  return both
}

function open(both: Both, head = GET, end = true): Response {
  const response = both.open(head, end)
  response.keep = false
  both.settle()
  return response
}

/** Answers with a body without end. */
function endless(request: Request): void {
  const chunk = Buffer.alloc(16 * 1024)
  const fill = (): void => {
    while (request.response.write(chunk));
  }
  request.response.head(OK, false)
  request.onRoom = fill
  fill()
}

/** The part of the path that a body used, from `after` round trips on, for as many more. */
function share(both: Both, body: Body, bandwidth: number, after: number): number {
  both.clock.advance(after * ROUND_TRIP)
  const before = body.bytes
  both.clock.advance(after * ROUND_TRIP)
  return (body.bytes - before) / (bandwidth * after * ROUND_TRIP)
}

describe('one stream over 100 ms of round trip', () => {
  it.each([
    [12_500, 10],
    [30_000, 14],
  ])('down fills %i bytes per ms after %i round trips', (bandwidth, roundTrips) => {
    const both = far({ bandwidth, onRequest: endless })
    const response = open(both)
    expect(share(both, response, bandwidth, roundTrips)).toBeGreaterThan(0.9)
  })

  it.each([
    [12_500, 10],
    [30_000, 14],
  ])('up fills %i bytes per ms after %i round trips', (bandwidth, roundTrips) => {
    const both = far({ bandwidth })
    const { exchange } = open(both, POST, false)
    both.clock.advance(ROUND_TRIP)
    const [request] = both.requests
    if (exchange === undefined || request === undefined) throw new Error('the request has not arrived')
    request.keep = false
    exchange.end(Buffer.alloc(bandwidth * ROUND_TRIP * (2 * roundTrips + 2)))
    both.settle()
    expect(share(both, request, bandwidth, roundTrips)).toBeGreaterThan(0.9)
  })
})

describe('clients that all stop reading, over 100 ms of round trip', () => {
  const STREAMS = 48
  /** What a stream may have received without being given more credit, and overshoot by. */
  const FREE_BYTES = V3_INITIAL_WINDOW_BYTES + V3_MAX_DATA_BYTES

  it('after their windows were widened, leave the router with no more than the limit of the socket', () => {
    const budget = new WindowBudget(Number.MAX_SAFE_INTEGER)
    const both = far({ budget, onRequest: endless })
    const stalled: { readonly response: Response; readonly consumed: number }[] = []
    // One after the other, so that each has the path for itself and could be given its 4 MiB.
    for (let i = 0; i < STREAMS; i++) {
      const response = open(both)
      both.clock.advance(10 * ROUND_TRIP)
      response.consumes = false
      stalled.push({ response, consumed: response.bytes })
    }
    const widest = budget.used
    both.clock.advance(100 * ROUND_TRIP)
    const held = stalled.reduce((sum, { response, consumed }) => sum + response.bytes - consumed, 0)
    expect(widest).toBeGreaterThan(V3_MAX_SOCKET_WINDOW_BYTES / 2)
    expect(held).toBeLessThanOrEqual(V3_MAX_SOCKET_WINDOW_BYTES + STREAMS * FREE_BYTES)
    // Nothing more is under way, and who still reads is served as before.
    expect(both.connector.roundTrip).toBeLessThan(1.1 * ROUND_TRIP)
    const other = open(both)
    expect(share(both, other, FREE_BYTES / ROUND_TRIP / 2, 10)).toBeGreaterThan(0.9)
  })

  it('leave the connector with one queue per stream, and hold no memory when they are gone', () => {
    const budget = new WindowBudget(Number.MAX_SAFE_INTEGER)
    let written = 0
    const both = far({
      budget,
      onRequest: (request) => {
        const chunk = Buffer.alloc(V3_MAX_DATA_BYTES)
        const fill = (): void => {
          let room = true
          for (; room; written += chunk.length) room = request.response.write(chunk)
        }
        request.response.head(OK, false)
        request.onRoom = fill
        fill()
      },
    })
    const responses = Array.from({ length: STREAMS }, () => {
      const response = open(both)
      response.consumes = false
      return response
    })
    both.clock.advance(100 * ROUND_TRIP)
    const received = responses.reduce((sum, response) => sum + response.bytes, 0)
    expect(received).toBeLessThanOrEqual(STREAMS * FREE_BYTES)
    expect(written - received).toBeLessThanOrEqual(STREAMS * (V3_STREAM_QUEUE_BYTES + V3_MAX_DATA_BYTES))
    expect(written - received).toBeLessThan(V3_MAX_FLIGHT_BYTES)
    for (const response of responses) response.exchange?.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'gone'))
    both.settle()
    both.clock.advance(ROUND_TRIP)
    expect(budget.used).toBe(0)
  })
})
