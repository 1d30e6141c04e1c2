import { describe, expect, it } from 'vitest'
import { KiB, MiB } from '../../../protocol/limits.js'
import { WindowBudget } from '../../../protocol/v3/flow.js'
import { Both, data, header, OK, POST, RouterSide } from './harness.js'

/** ms that a body of `bytes` takes behind `latency` ms each way. */
function download(bytes: number, latency: number, budget = new WindowBudget(256 * MiB)): number {
  const both = new Both({
    latency,
    record: false,
    config: { windowBudget: budget },
    onRequest: ({ response }) => {
      response.head(OK, false)
      response.end(Buffer.alloc(bytes))
    },
  })
  both.clock.advance(500)
  const response = both.open()
  response.keep = false
  both.settle()
  const start = both.clock.now()
  while (response.ends === 0 && both.clock.now() - start < 120_000) both.clock.advance(5)
  expect(response.bytes).toBe(bytes)
  expect(budget.used).toBe(0)
  return both.clock.now() - start
}

describe('the receive window', () => {
  it('widens itself behind 100 ms of round trip by acknowledging ahead', () => {
    // As published: at most 64 KiB per 100 ms, 32 s for this.
    expect(download(20 * MiB, 50)).toBeLessThan(3_500)
  })

  it('stays as published where no memory may be promised', () => {
    expect(download(4 * MiB, 50, new WindowBudget(0))).toBeGreaterThan(4_000)
  })

  it('widens for uploads, too', () => {
    const both = new Both({ latency: 50, record: false })
    both.clock.advance(500)
    const response = both.open(POST, false)
    response.exchange?.end(Buffer.alloc(10 * MiB))
    both.settle()
    const start = both.clock.now()
    both.clock.advance(100)
    const request = both.requests[0]
    if (request !== undefined) request.keep = false
    while (request?.ends === 0 && both.clock.now() - start < 60_000) both.clock.advance(5)
    expect(request?.bytes).toBe(10 * MiB)
    expect(both.clock.now() - start).toBeLessThan(3_000)
  })

  it('acknowledges only after the client took the bytes', () => {
    const side = new RouterSide()
    const response = side.open()
    response.consumes = false
    side.peer.take()
    side.peer.send(header(1, 4, 'HTTP/1.1 200 OK\n'), data(1, Buffer.alloc(60_000)))
    expect(side.peer.takeShort()).toEqual([])
    response.exchange?.consumed(30_000)
    expect(side.peer.takeShort()).toEqual([`window-update 1 ${30_000 + 16}`])
    response.exchange?.consumed(30_000)
    expect(side.peer.takeShort()).toEqual(['window-update 1 30000'])
  })

  it('acknowledges all that is consumed in a turn with one frame', () => {
    const side = new RouterSide()
    const response = side.open()
    side.peer.take()
    side.peer.link.sendBinary(header(1, 4, 'HTTP/1.1 200 OK\n'))
    for (let i = 0; i < 4; i++) side.peer.link.sendBinary(data(1, Buffer.alloc(16_000)))
    side.settle()
    expect(response.bytes).toBe(64_000)
    expect(side.peer.takeShort()).toEqual([`window-update 1 ${64_000 + 16}`])
  })

  it('acknowledges heads by itself, or long heads would stall the peer', () => {
    const side = new RouterSide()
    side.open()
    side.peer.take()
    for (let i = 0; i < 3; i++) side.peer.link.sendBinary(header(1, 0, `x${i}:${'y'.repeat(15_000)}\n`))
    side.settle()
    expect(side.peer.takeShort().join()).toMatch(/^window-update 1 4\d{4}$/)
  })

  it('keeps a stalled reader from the memory of others: 64 KiB and a frame', () => {
    const both = new Both({
      onRequest: ({ response }) => {
        response.head(OK, false)
        response.end(Buffer.alloc(MiB))
      },
    })
    const response = both.open()
    response.consumes = false
    both.settle()
    expect(response.bytes).toBeLessThanOrEqual(64 * KiB + 16 * KiB)
    response.exchange?.consumed(response.bytes)
    response.consumes = true
    both.settle()
    expect([response.bytes, response.ends]).toEqual([MiB, 1])
  })
})
