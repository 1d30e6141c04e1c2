import { describe, expect, it } from 'vitest'
import { Liveness } from '../../../protocol/liveness.js'
import { FakeClock } from '../../support/fake-clock.js'

function setUp(interval = 5_000, deadAfter = 20_000) {
  const clock = new FakeClock()
  const seen = { pings: 0, deaths: 0 }
  const liveness = new Liveness({
    clock,
    interval,
    deadAfter,
    ping: () => seen.pings++,
    dead: () => seen.deaths++,
  })
  return { clock, seen, liveness }
}

describe('liveness', () => {
  it('pings every interval', () => {
    const { clock, seen, liveness } = setUp()
    for (let i = 0; i < 12; i++) {
      clock.advance(5_000)
      liveness.heard()
    }
    expect(seen).toEqual({ pings: 12, deaths: 0 })
  })

  it('declares a silent peer dead, once, and leaves no timer', () => {
    const { clock, seen } = setUp()
    clock.advance(19_999)
    expect(seen.deaths).toBe(0)
    clock.advance(60_000)
    expect(seen.deaths).toBe(1)
    expect(clock.pending).toBe(0)
  })

  it('takes any frame for life, however late in the interval', () => {
    const { clock, seen, liveness } = setUp()
    for (let i = 0; i < 10; i++) {
      clock.advance(19_000)
      liveness.heard()
    }
    expect(seen.deaths).toBe(0)
  })

  it('declares nobody dead while suspended, but goes on pinging', () => {
    const { clock, seen, liveness } = setUp()
    liveness.suspend()
    clock.advance(600_000)
    expect(seen).toEqual({ pings: 120, deaths: 0 })
    liveness.resume()
    clock.advance(15_000)
    expect(seen.deaths).toBe(0)
    clock.advance(10_000)
    expect(seen.deaths).toBe(1)
  })

  it('stops', () => {
    const { clock, seen, liveness } = setUp()
    liveness.stop()
    clock.advance(600_000)
    expect(seen).toEqual({ pings: 0, deaths: 0 })
    expect(clock.pending).toBe(0)
  })

  it('declares nobody dead because our own event loop stood still', () => {
    const { clock, seen, liveness } = setUp()
    clock.advance(15_000)
    clock.leap(60_000)
    expect(seen.deaths).toBe(0)
    // Now the sockets are read.
    liveness.heard()
    clock.advance(19_000)
    expect(seen.deaths).toBe(0)
  })

  it('gives a peer one more round after our event loop stood still, then it is dead', () => {
    const { clock, seen } = setUp()
    clock.advance(15_000)
    clock.leap(60_000)
    expect(seen.deaths).toBe(0)
    clock.advance(5_000)
    expect(seen.deaths).toBe(1)
  })

  it('notices death also when every timer is late', () => {
    const { clock, seen } = setUp()
    for (let i = 0; i < 6; i++) clock.leap(7_000)
    expect(seen.deaths).toBe(1)
  })

  it('leaves time for an answer when the interval is longer than the death timer', () => {
    const { clock, seen, liveness } = setUp(60_000, 1_000)
    for (let i = 0; i < 20; i++) {
      clock.advance(500)
      liveness.heard()
    }
    expect(seen).toEqual({ pings: 20, deaths: 0 })
  })
})
