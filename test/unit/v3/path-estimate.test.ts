import { describe, expect, it } from 'vitest'
import { KiB, MiB } from '../../../protocol/limits.js'
import { PathEstimate } from '../../../protocol/v3/path-estimate.js'
import { random } from './harness.js'

/** A path with a queue in front of it, and a sender that always has more. Time in ms. */
class Path {
  readonly estimate = new PathEstimate()
  /** Bytes per ms. */
  rate: number
  /** Without any queue. */
  roundTrip: number
  delivered = 0
  /** Of the last pong. */
  latest = 0
  /** A third of the pongs, and what comes behind them, is late by up to so much. */
  late = 0
  /** Pongs are seen only every so many ms. */
  grain = 1
  readonly #random = random(1)
  #now = 1_000
  #sent = 0
  #arrived = 0
  #arrivedAt = 1_000
  #freeAt = 0
  readonly #pings: { at: number; due: number; sent: number; arrived: number; arrivedAt: number; bare: boolean }[] = []

  constructor(rate: number, roundTrip: number) {
    this.rate = rate
    this.roundTrip = roundTrip
    this.estimate.learn({
      now: this.#now,
      at: this.#now - roundTrip,
      bytes: 0,
      elapsed: roundTrip,
      bare: true,
      limited: false,
    })
  }

  /** Returns the greatest round trip. */
  run(ms: number): number {
    let greatest = 0
    for (const until = this.#now + ms; this.#now < until; this.#now++) {
      for (let ping = this.#pings[0]; ping !== undefined && ping.due <= this.#now; ping = this.#pings[0]) {
        this.#pings.shift()
        this.delivered += ping.sent - this.#arrived
        this.#arrived = ping.sent
        this.#arrivedAt = this.#now
        this.latest = this.#now - ping.at
        greatest = Math.max(greatest, this.latest)
        const { at, bare } = ping
        const [bytes, elapsed] = [ping.sent - ping.arrived, this.#now - ping.arrivedAt]
        this.estimate.learn({ now: this.#now, at, bytes, elapsed, bare, limited: true })
        if (this.estimate.probe(this.#now, this.#sent - this.#arrived)) this.#send(0)
      }
      while (this.#sent - this.#arrived < this.estimate.cap) this.#send(64 * KiB)
    }
    return greatest
  }

  /** And a ping. */
  #send(bytes: number): void {
    this.#sent += bytes
    this.#freeAt = Math.max(this.#now, this.#freeAt) + bytes / this.rate
    const [arrived, arrivedAt] = [this.#arrived, this.#arrivedAt]
    const late = this.#random() < 0.33 ? this.#random() * this.late : 0
    const seen = Math.ceil((this.#freeAt + this.roundTrip + late) / this.grain) * this.grain
    const due = Math.max(this.#pings.at(-1)?.due ?? 0, seen)
    this.#pings.push({ at: this.#now, due, sent: this.#sent, arrived, arrivedAt, bare: bytes === 0 })
  }

  /** As a part of what the path can carry. */
  share(ms: number): number {
    const before = this.delivered
    this.run(ms)
    return (this.delivered - before) / (this.rate * ms)
  }
}

describe('the estimate of a path', () => {
  it.each([
    [12_500, 100],
    [5_000, 300],
    [60_000, 100],
  ])(
    '%i bytes per ms over %i ms: fills it within ten round trips, and leaves half a round trip of queue',
    (rate, ms) => {
      const path = new Path(rate, ms)
      path.run(10 * ms)
      expect(path.share(60_000)).toBeGreaterThan(0.95)
      expect(path.run(60_000)).toBeLessThan(1.5 * ms)
    },
  )

  it('on the way there has a queue of no more than half a round trip', () => {
    const path = new Path(12_500, 100)
    expect(path.run(2_000)).toBeLessThan(160)
  })

  it('stays within 8 MiB', () => {
    const path = new Path(1_000_000, 100)
    path.run(10_000)
    expect(path.estimate.cap).toBe(8 * MiB)
  })

  it('keeps 50 ms in front of a slow link', () => {
    const path = new Path(5_000, 1)
    path.run(5_000)
    expect(path.run(60_000)).toBeLessThan(60)
    expect(path.share(10_000)).toBeGreaterThan(0.95)
  })

  it('follows a path that becomes longer, and one that becomes shorter', () => {
    const path = new Path(12_500, 20)
    path.run(15_000)
    path.roundTrip = 200
    path.run(60_000)
    expect(path.share(60_000)).toBeGreaterThan(0.9)
    path.roundTrip = 100
    path.run(60_000)
    expect(path.share(60_000)).toBeGreaterThan(0.95)
    expect(path.run(60_000)).toBeLessThan(150)
  })

  it('follows a path that becomes slower, and one that becomes faster', () => {
    const path = new Path(12_500, 100)
    path.run(15_000)
    path.rate = 2_500
    path.run(5_000)
    expect(path.run(60_000)).toBeLessThan(150)
    path.rate = 12_500
    path.run(5_000)
    expect(path.share(10_000)).toBeGreaterThan(0.95)
  })

  it('finds the path and keeps it full where a third of the pongs is late by up to 30 ms', () => {
    const path = new Path(12_500, 100)
    path.late = 30
    path.run(3_000)
    expect(path.share(60_000)).toBeGreaterThan(0.95)
  })

  it.each([25, 33, 50, 80])('does not starve where pongs are seen every %i ms only', (grain) => {
    const path = new Path(12_500, 103)
    path.grain = grain
    path.run(20_000)
    expect(path.share(60_000)).toBeGreaterThan(0.95)
    expect(path.run(60_000)).toBeLessThan(103 + 3 * grain)
  })

  it('does not take its own queue for the path, however long it is busy', () => {
    const path = new Path(12_500, 100)
    path.run(30 * 60_000)
    expect(path.estimate.least).toBeLessThan(115)
    expect(path.latest).toBeLessThan(150)
  })

  it('learns nothing of the rate from who sends little, but that it is more', () => {
    const estimate = new PathEstimate()
    const trickle = (now: number, bytes: number): void => {
      estimate.learn({ now, at: now - 100, bytes, elapsed: 100, bare: false, limited: false })
    }
    for (let i = 1; i < 1_000; i++) trickle(i * 100, 1_000)
    expect(estimate.cap).toBe(512 * KiB)
    trickle(100_000, 2 * MiB)
    expect(estimate.cap).toBeGreaterThan(2 * MiB)
  })
})
