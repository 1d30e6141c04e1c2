import { describe, expect, it } from 'vitest'
import { KiB, MiB } from '../../../protocol/limits.js'
import { ReceiveWindow, SendCredit, WindowBudget } from '../../../protocol/v3/flow.js'
import { random } from './harness.js'

describe('credit to send', () => {
  it('pauses above 65,536 unacknowledged bytes and resumes below 16,384', () => {
    const credit = new SendCredit()
    credit.sent(65_536)
    expect(credit.open).toBe(true)
    credit.sent(1)
    expect(credit.open).toBe(false)
    credit.acknowledged(65_537 - 16_384)
    expect(credit.open).toBe(false)
    credit.acknowledged(1)
    expect(credit.open).toBe(true)
  })

  it('is signed: a peer may acknowledge ahead of what was sent', () => {
    const credit = new SendCredit()
    expect(credit.acknowledged(MiB)).toBe(true)
    expect(credit.unacknowledged).toBe(-MiB)
    credit.sent(MiB + 65_536)
    expect(credit.open).toBe(true)
    credit.sent(1)
    expect(credit.open).toBe(false)
  })

  it('takes no absurd total', () => {
    const credit = new SendCredit()
    expect(credit.acknowledged(2 ** 31 - 1)).toBe(true)
    expect(credit.acknowledged(1)).toBe(true)
    expect(credit.acknowledged(1)).toBe(false)
  })
})

describe('a receive window', () => {
  const roomy = (): WindowBudget => new WindowBudget(64 * MiB)

  it('acknowledges nothing before the consumer took it, then in batches', () => {
    const window = new ReceiveWindow(roomy(), true)
    window.receive(40_000)
    expect(window.take(0, undefined)).toBe(0)
    expect(window.consume(8_191)).toBe(false)
    expect(window.take(0, undefined)).toBe(0)
    expect(window.consume(1)).toBe(true)
    expect(window.take(0, undefined)).toBe(8_192)
    expect(window.consume(31_808)).toBe(true)
    expect(window.take(0, undefined)).toBe(31_808)
  })

  it('never acknowledges more than came, whatever the consumer says', () => {
    const window = new ReceiveWindow(roomy(), true)
    window.receive(10_000)
    window.consume(1_000_000)
    expect(window.take(0, undefined)).toBe(10_000)
  })

  it('never holds back 16,384 bytes of what was consumed, or the peer would stall for good', () => {
    const next = random(3)
    let [heldBack, ahead] = [0, 0]
    for (let round = 0; round < 20; round++) {
      const budget = new WindowBudget(2 * MiB)
      const window = new ReceiveWindow(budget, true)
      let [received, consumed, acknowledged, now] = [0, 0, 0, 0]
      for (let step = 0; step < 2_000; step++) {
        now += next() * 20
        const bytes = Math.floor(next() * 20_000)
        if (window.receive(bytes)) received += bytes
        const taken = Math.floor(next() * (received - consumed + 1))
        consumed += taken
        if (window.consume(taken)) acknowledged += window.take(now, 10)
        heldBack = Math.max(heldBack, consumed - acknowledged)
        ahead = Math.max(ahead, acknowledged - consumed)
        // Now and then other streams take the memory away, and give it back.
        if (step % 200 === 0 && !budget.scarce) budget.take(MiB / 2)
        else if (step % 200 === 100) budget.give(Math.min(MiB / 2, budget.used - (window.window - 64 * KiB)))
      }
    }
    expect(heldBack).toBeLessThan(16_384)
    expect(ahead).toBeGreaterThan(0)
    expect(ahead).toBeLessThanOrEqual(4 * MiB)
  })

  it('says so when the peer sends far more than its credit', () => {
    const window = new ReceiveWindow(roomy(), true)
    expect(window.receive(65_536 + MiB)).toBe(true)
    expect(window.receive(1)).toBe(false)
  })

  /** A peer that fills the window each round trip, and a consumer that takes everything at once. */
  class Flood {
    readonly window: ReceiveWindow
    #now = 0
    #unacknowledged = 0

    constructor(budget: WindowBudget, signed = false) {
      this.window = new ReceiveWindow(budget, signed)
    }

    run(roundTrips: number, roundTrip = 100): void {
      for (let i = 0; i < roundTrips; i++) {
        this.#now += roundTrip
        const bytes = Math.max(0, 65_536 - this.#unacknowledged)
        this.window.receive(bytes)
        this.#unacknowledged += bytes
        for (let left = bytes; left > 0; left -= 16_384) {
          if (this.window.consume(Math.min(left, 16_384))) {
            this.#unacknowledged -= this.window.take(this.#now, roundTrip)
          }
        }
      }
    }
  }

  it('doubles while the round trip limits the stream, up to 4 MiB', () => {
    const budget = roomy()
    const flood = new Flood(budget)
    flood.run(4)
    expect(flood.window.window).toBeGreaterThan(64 * KiB)
    flood.run(40)
    expect(flood.window.window).toBe(4 * MiB)
    expect(budget.used).toBe(4 * MiB - 64 * KiB)
    flood.window.close()
    expect(budget.used).toBe(0)
  })

  /** How asgi-cc counts: never below zero. It pauses above 65,536 and resumes below 16,384. */
  class CountsFromZero {
    pending = 0
    paused = false
    readonly #frame: number

    constructor(frame = 16_384) {
      this.#frame = frame
    }

    /** Sends what the count allows. */
    send(): number {
      let sent = 0
      while (!this.paused) {
        sent += this.#frame
        this.pending += this.#frame
        this.paused = this.pending > 65_536
      }
      return sent
    }

    acknowledged(bytes: number): void {
      this.pending = Math.max(0, this.pending - bytes)
      if (this.pending < 16_384) this.paused = false
    }
  }

  /** One round trip: what came before is offered to the consumer in pieces, then the peer sends what it may. */
  function roundTrip(window: ReceiveWindow, peer: CountsFromZero, now: number, appetite: number): number {
    for (let left = Math.min(window.backlog, appetite); left > 0; left -= 4_096) {
      if (window.consume(Math.min(left, 4_096))) peer.acknowledged(window.take(now, 100))
    }
    const bytes = peer.send()
    window.receive(bytes)
    return bytes
  }

  it('never stalls a peer whose count stops at zero, however wide the window', () => {
    const window = new ReceiveWindow(roomy(), false)
    const peer = new CountsFromZero()
    for (let round = 1; round <= 100; round++) {
      expect(roundTrip(window, peer, round * 100, Infinity), `round ${round}`).toBeGreaterThan(0)
    }
    expect(window.window).toBeGreaterThan(64 * KiB)
  })

  it('never stalls a peer whose count stops at zero when memory is scarce after its window was widened', () => {
    // Room for one doubling; after that memory is scarce.
    const window = new ReceiveWindow(new WindowBudget(64 * KiB), false)
    const peer = new CountsFromZero(60_000)
    let now = 0
    while (window.window === 64 * KiB) roundTrip(window, peer, (now += 100), Infinity)
    // A consumer that does not keep up: another peer's window would be narrowed now.
    for (let round = 0; round < 20; round++) roundTrip(window, peer, (now += 100), 1_024)
    for (let round = 1; round <= 20; round++) {
      expect(roundTrip(window, peer, (now += 100), Infinity), `round ${round}`).toBeGreaterThan(0)
    }
  })

  it('stays as it is while no round trip was measured', () => {
    const window = new ReceiveWindow(roomy(), true)
    for (let i = 0; i < 100; i++) {
      window.receive(32_768)
      window.consume(32_768)
      window.take(i * 1000, undefined)
    }
    expect(window.window).toBe(64 * KiB)
  })

  it('stays as it is for a slow consumer, and for a slow stream', () => {
    const slow = new ReceiveWindow(roomy(), true)
    slow.receive(60_000)
    for (let i = 0; i < 100; i++) {
      slow.consume(9_000)
      slow.take(i * 100, 100)
      slow.receive(9_000)
    }
    expect(slow.window).toBe(64 * KiB)
    const trickle = new ReceiveWindow(roomy(), true)
    for (let i = 0; i < 100; i++) {
      trickle.receive(9_000)
      trickle.consume(9_000)
      trickle.take(i * 1000, 10)
    }
    expect(trickle.window).toBe(64 * KiB)
  })

  it('stays within the budget of its socket and of the process', () => {
    const process = new WindowBudget(MiB)
    const sockets = [new WindowBudget(32 * MiB, process), new WindowBudget(32 * MiB, process)]
    const floods = sockets.map((budget) => new Flood(budget))
    for (let i = 0; i < 30; i++) for (const flood of floods) flood.run(2)
    expect(process.used).toBeGreaterThan(0)
    expect(process.used).toBeLessThanOrEqual(MiB)
    expect(sockets.reduce((sum, budget) => sum + budget.used, 0)).toBe(process.used)
    for (const flood of floods) flood.window.close()
    expect(process.used).toBe(0)
  })

  it('gives way when memory is scarce and its consumer does not keep up', () => {
    const budget = new WindowBudget(4 * MiB)
    const flood = new Flood(budget, true)
    flood.run(20)
    const window = flood.window
    const wide = window.window
    expect(wide).toBeGreaterThanOrEqual(MiB)
    budget.take(4 * MiB - budget.used)
    window.receive(wide)
    let acknowledged = 0
    for (const now of [1_000_000, 1_000_100]) {
      window.consume(20_000)
      acknowledged += window.take(now, 100)
    }
    expect(window.window).toBe(wide / 2)
    // Narrowing holds acknowledgements back: the peer is further ahead than it may be now.
    expect(acknowledged).toBe(0)
  })
})
