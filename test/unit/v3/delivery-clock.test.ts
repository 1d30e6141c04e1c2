import { describe, expect, it } from 'vitest'
import { KiB, MiB } from '../../../protocol/limits.js'
import { DeliveryClock } from '../../../protocol/v3/delivery-clock.js'
import { FakeClock } from '../../support/fake-clock.js'
import { linkPair } from '../../support/fake-link.js'
import { Both, GET, OK, Response } from './harness.js'

function pings(sent: readonly { kind: string }[]): number {
  return sent.filter((message) => message.kind === 'ping').length
}

/** A clock on a link whose pings the test answers by hand. */
function byHand(): { clock: FakeClock; delivery: DeliveryClock; payloads: () => Buffer[]; rooms: () => number } {
  const clock = new FakeClock()
  const pair = linkPair({ auto: false, clock })
  let rooms = 0
  const delivery = new DeliveryClock(pair.router, clock, () => rooms++)
  const payloads = (): Buffer[] => pair.router.sent.flatMap((m) => (m.kind === 'ping' ? [m.data] : []))
  return { clock, delivery, payloads, rooms: () => rooms }
}

describe('the delivery clock', () => {
  it('ticks every 64 KiB and costs small traffic nothing', () => {
    const { delivery, payloads } = byHand()
    for (let i = 0; i < 63; i++) delivery.sent(KiB)
    expect(payloads()).toHaveLength(0)
    delivery.sent(KiB)
    delivery.sent(127 * KiB)
    expect(payloads()).toHaveLength(2)
  })

  it('closes at 512 KiB in flight and opens with a pong', () => {
    const { delivery, payloads, clock } = byHand()
    for (let i = 0; i < 32; i++) delivery.sent(16 * KiB)
    expect([delivery.inFlight, delivery.hasRoom(false), delivery.hasRoom(true)]).toEqual([512 * KiB, false, true])
    clock.advance(10)
    delivery.pong(payloads()[0] as Buffer)
    expect([delivery.inFlight, delivery.hasRoom(false), delivery.roundTrip]).toEqual([448 * KiB, true, 10])
  })

  it('takes the newest pong for all before it', () => {
    const { delivery, payloads } = byHand()
    for (let i = 0; i < 32; i++) delivery.sent(16 * KiB)
    expect(delivery.pong(payloads()[7] as Buffer)).toBe(true)
    expect(delivery.inFlight).toBe(0)
    expect(delivery.pong(payloads()[3] as Buffer)).toBe(false)
    expect(delivery.inFlight).toBe(0)
  })

  it('ignores pongs that answer no ping of ours', () => {
    const { delivery, payloads } = byHand()
    for (let i = 0; i < 32; i++) delivery.sent(16 * KiB)
    const future = Buffer.from(payloads()[0] as Buffer)
    future.writeUInt32BE(4_000_000_000, 4)
    for (const payload of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(8), Buffer.alloc(125), future]) {
      expect(delivery.pong(payload)).toBe(false)
    }
    expect(delivery.inFlight).toBe(512 * KiB)
  })

  it('goes on without a peer that never answers, until it does', () => {
    const { delivery, payloads, clock, rooms } = byHand()
    for (let i = 0; i < 32; i++) delivery.sent(16 * KiB)
    delivery.full()
    clock.advance(1_999)
    expect([delivery.hasRoom(false), rooms()]).toEqual([false, 0])
    clock.advance(1)
    expect([delivery.hasRoom(false), rooms()]).toEqual([true, 1])
    for (let i = 0; i < 3_200; i++) delivery.sent(16 * KiB)
    expect(delivery.hasRoom(false)).toBe(true)
    delivery.pong(payloads()[100] as Buffer)
    expect(delivery.hasRoom(false)).toBe(true)
    delivery.pong(payloads().at(-300) as Buffer)
    delivery.pong(payloads().at(-200) as Buffer)
    expect(delivery.hasRoom(false)).toBe(false)
  })

  /** Streams that always have something to send to consumers that always take it, for `ms`. */
  function run(options: { streams: number; stalled: number; latency: number; bandwidth: number; ms: number }): {
    rate: number
    small: number
    both: Both
  } {
    const chunk = Buffer.alloc(16 * KiB)
    const both = new Both({
      latency: options.latency,
      bandwidth: options.bandwidth,
      record: false,
      config: { maxStreams: 2_000 },
      onRequest: (request) => {
        const { response, head } = request
        response.head(OK, false)
        if (head.target === '/small') return response.end(Buffer.from('small'))
        const fill = (): void => {
          while (response.write(chunk));
        }
        request.onRoom = fill
        fill()
      },
    })
    const bulk = Array.from({ length: options.streams }, (_, i) => {
      const response = new Response()
      response.keep = false
      response.consumes = i >= options.stalled
      response.exchange = both.router.open(GET, true, response)
      return response
    })
    both.settle()
    both.clock.advance(options.ms / 2)
    const before = bulk.reduce((sum, response) => sum + response.bytes, 0)
    const at = both.clock.now()
    const small = both.open({ ...GET, target: '/small' })
    both.settle()
    let took = 0
    for (let i = 0; i < options.ms / 2; i++) {
      both.clock.advance(1)
      if (small.ends === 1 && took === 0) took = both.clock.now() - at
    }
    const after = bulk.reduce((sum, response) => sum + response.bytes, 0)
    return { rate: (after - before) / (both.clock.now() - at), small: took, both }
  }

  it('keeps the link busy and small responses quick, also while half of 200 streams are stalled', () => {
    const bandwidth = 12_500
    const { rate, small } = run({ streams: 200, stalled: 100, latency: 1, bandwidth, ms: 2_000 })
    expect(rate).toBeGreaterThan(bandwidth * 0.9)
    expect(small).toBeGreaterThan(0)
    expect(small).toBeLessThan(100)
  })

  it('keeps what is in flight small on a slow link', () => {
    const { rate, small } = run({ streams: 4, stalled: 0, latency: 5, bandwidth: 1_250, ms: 6_000 })
    expect(rate).toBeGreaterThan(1_250 * 0.9)
    expect(small).toBeLessThan(250)
  })

  it('opens up for a long fat path', () => {
    const bandwidth = 25_000
    const { rate } = run({ streams: 20, stalled: 0, latency: 50, bandwidth, ms: 6_000 })
    expect(rate).toBeGreaterThan(bandwidth * 0.8)
  })

  it('keeps a small response beside bulk under one and a half round trips of a long path', () => {
    const bandwidth = 12_500
    const { rate, small } = run({ streams: 4, stalled: 0, latency: 50, bandwidth, ms: 6_000 })
    expect(rate).toBeGreaterThan(bandwidth * 0.9)
    expect(small).toBeGreaterThan(0)
    expect(small).toBeLessThan(150)
  })

  it('measures the path again every ten seconds, with a ping behind no queue of its own', () => {
    const { both } = run({ streams: 4, stalled: 0, latency: 50, bandwidth: 2_500, ms: 40_000 })
    expect(both.connector.roundTrip).toBeGreaterThan(104)
    expect(both.connector.roundTrip).toBeLessThan(150)
  })

  it('delivers everything to a peer that answers no ping', () => {
    const both = new Both({
      latency: 5,
      bandwidth: 10_000,
      record: false,
      onRequest: ({ response }) => {
        response.head(OK, false)
        response.end(Buffer.alloc(4 * MiB))
      },
    })
    both.pair.router.answerPings = false
    const response = both.open()
    response.keep = false
    for (let i = 0; i < 100; i++) {
      both.settle()
      both.clock.advance(100)
    }
    expect([response.bytes, response.ends, response.errors]).toEqual([4 * MiB, 1, []])
  })

  it('sends one ping per 64 KiB of a download', () => {
    const both = new Both({
      onRequest: ({ response }) => {
        response.head(OK, false)
        response.end(Buffer.alloc(MiB))
      },
    })
    const response = both.open()
    both.settle()
    expect(response.ends).toBe(1)
    expect(pings(both.pair.connector.sent)).toBe(1 + 16)
  })
})
