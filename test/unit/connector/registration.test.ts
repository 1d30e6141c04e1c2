import { describe, expect, it } from 'vitest'
import { PROOF_MS } from '../../../connector/tunnel.js'
import type { Capabilities } from '../../../protocol/session.js'
import { Bed, type FakeSession, turn } from './fakes.js'

/** Takes every idle 1.0 socket until the window is `size`; returns the idle ones. */
function grown(bed: Bed, size: number, capabilities: Partial<Capabilities>): FakeSession[] {
  const accept = (): FakeSession[] => bed.fresh().map((dial) => dial.accept('1.0', capabilities))
  let idle = accept()
  for (let round = 0; round < 20 && bed.registration.window < size; round++) {
    for (const session of idle) session.request()
    idle = accept()
  }
  expect(bed.registration.window).toBe(size)
  return idle
}

/** The router confirms the deregistration, then answers the pings. */
async function confirm(bed: Bed, ...sessions: (FakeSession | undefined)[]): Promise<void> {
  await turn()
  bed.deregistrations[0]?.()
  await turn()
  for (const session of sessions) session?.barriers[0]?.()
}

describe('the window of a registration', () => {
  it('opens as many sockets as the window says', () => {
    const bed = new Bed({ window: 3 })
    bed.registration.start()
    for (const dial of bed.fresh()) dial.accept()
    expect(bed.dials).toHaveLength(3)
    expect(bed.told).toEqual(['registered'])
    expect(bed.registration.state).toBe('registered')
  })

  it('replaces a 1.0 socket at once when a request takes it', () => {
    const bed = new Bed()
    bed.registration.start()
    const [first] = bed.fresh().map((dial) => dial.accept())
    first?.request()
    expect(bed.fresh()).toHaveLength(1)
    first?.respond()
    expect(bed.fresh()).toHaveLength(0)
  })

  it('keeps exactly the window on 3.0, however many requests run', () => {
    const bed = new Bed({ window: 2 })
    bed.registration.start()
    const sessions = bed.fresh().map((dial) => dial.accept('3.0'))
    for (let i = 0; i < 256; i++) for (const session of sessions) session.request()
    expect(bed.fresh()).toHaveLength(0)
    expect(bed.registration.window).toBe(2)
  })

  it('replaces a 3.0 socket that has retired while requests still run on it', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const [session] = bed.fresh().map((dial) => dial.accept('3.0'))
    session?.request()
    if (session !== undefined) session.accepting = false
    session?.respond()
    await turn()
    expect(bed.fresh()).toHaveLength(1)
  })

  it('closes surplus 1.0 sockets when demand is over, where the router can be told that nothing is lost', () => {
    const bed = new Bed({ window: 2, maxWindow: 16 })
    bed.registration.start()
    const idle = grown(bed, 16, { refuse: true })
    const idleNow = (): number => idle.filter((session) => session.accepting).length
    expect(idleNow()).toBe(16)
    for (let i = 0; i < 20; i++) bed.clock.advance(10_000)
    expect(bed.registration.window).toBe(2)
    expect(idleNow()).toBe(2)
    expect(bed.fresh()).toHaveLength(0)
    expect(bed.told).toEqual(['registered'])
  })

  it('closes surplus sockets one after the other, so that a request crossing one finds another', () => {
    const bed = new Bed({ window: 2, maxWindow: 16 })
    bed.registration.start()
    const idle = grown(bed, 16, { refuse: true })
    const ends: (() => void)[] = []
    for (const session of idle) {
      // A real socket ends when the router has answered the Close frame.
      const drain = session.drain.bind(session)
      session.drain = () => {
        session.accepting = false
        ends.push(drain)
      }
    }
    for (let i = 0; i < 20; i++) bed.clock.advance(10_000)
    for (let closed = 1; closed <= 14; closed++) {
      expect(ends).toHaveLength(closed)
      ends[closed - 1]?.()
    }
    expect(ends).toHaveLength(14)
  })

  it('rust-cranker-connector’s kind: closes no idle socket of a router that could lose a request by it', () => {
    const bed = new Bed({ window: 2, maxWindow: 16 })
    bed.registration.start()
    const idle = grown(bed, 16, {})
    for (let i = 0; i < 20; i++) bed.clock.advance(10_000)
    expect(idle.every((session) => session.calls.length === 0)).toBe(true)
    // The surplus goes by use.
    for (const session of idle.slice(0, 14)) session.request()
    expect(bed.fresh()).toHaveLength(0)
  })

  /** Requests that wait all the time, 100 ms to the router and back; a connect costs two round trips. */
  function served(maxWindow: number): number {
    const bed = new Bed({ window: 2, maxWindow })
    bed.registration.start()
    let answered = 0
    for (let ms = 0; ms < 5_000; ms += 10) {
      for (const dial of bed.fresh()) {
        bed.clock.timer(() => {
          const session = dial.accept()
          session.request()
          bed.clock.timer(() => {
            session.respond()
            answered++
          }, 100)
        }, 200)
      }
      bed.clock.advance(10)
    }
    return answered
  }

  it('grows under demand: over 100 ms of round trip a fixed window carries some ten requests a second', () => {
    expect(served(2) / 5).toBeLessThan(12)
    expect(served(64) / 5).toBeGreaterThan(150)
  })
})

describe('reconnecting', () => {
  it('comes back at once after a clean close of a socket that had proved itself', () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const [session] = bed.fresh().map((dial) => dial.accept('3.0'))
    bed.clock.advance(PROOF_MS)
    session?.end({ code: 1001, clean: true })
    expect(bed.fresh()).toHaveLength(1)
    expect(bed.losses).toEqual([{ code: 1001, reason: '', retryIn: 0 }])
  })

  it('waits after a connection was lost', () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const [session] = bed.fresh().map((dial) => dial.accept('3.0'))
    bed.clock.advance(60_000)
    session?.end({ code: 1006, clean: false })
    expect(bed.fresh()).toHaveLength(0)
    expect(bed.losses).toEqual([{ code: 1006, reason: '', retryIn: 250 }])
    bed.clock.advance(250)
    expect(bed.fresh()).toHaveLength(1)
  })

  it('never comes back in a tight loop to a router that accepts and closes at once, however cleanly', () => {
    const bed = new Bed({ window: 2, backoffBase: 500, backoffMax: 10_000 })
    bed.random = 0.999
    bed.registration.start()
    for (let ms = 0; ms < 60_000; ms += 10) {
      for (const dial of bed.fresh()) dial.accept('3.0').end({ code: 1000, clean: true })
      bed.clock.advance(10)
    }
    expect(bed.dials.length).toBeLessThan(2 * 12)
  })

  it('never comes back in a tight loop to a router that says goaway at once', async () => {
    const bed = new Bed({ window: 2 })
    bed.random = 0.999
    bed.registration.start()
    for (let ms = 0; ms < 60_000; ms += 100) {
      for (const dial of bed.fresh()) dial.accept('3.0').goaway(0)
      await turn()
      bed.clock.advance(100)
    }
    expect(bed.dials.length).toBeLessThan(2 * 12)
  })

  it('backs off from refusals, with one attempt for the whole window', () => {
    const bed = new Bed({ window: 4, backoffBase: 500, backoffMax: 10_000 })
    bed.random = 0.999
    bed.registration.start()
    for (const dial of bed.fresh()) dial.refuse({ status: 403 })
    expect(bed.told).toEqual(['retrying 1 in 500'])
    bed.clock.advance(500)
    for (const dial of bed.fresh()) dial.refuse({ status: 403 })
    expect(bed.dials).toHaveLength(5)
    expect(bed.told).toEqual(['retrying 1 in 500', 'retrying 2 in 999'])
    expect(bed.registration.state).toBe('waiting')
    bed.clock.advance(1_000)
    for (const dial of bed.fresh()) dial.accept('3.0')
    // It worked: the rest follows without delay.
    expect(bed.fresh()).toHaveLength(3)
  })

  it('resets the backoff only after a connection has proved itself', () => {
    const bed = new Bed({ window: 1 })
    bed.random = 0.999
    bed.registration.start()
    for (let i = 0; i < 3; i++) {
      bed.fresh()[0]?.refuse()
      bed.clock.advance(10_000)
    }
    const early = bed.fresh()[0]?.accept('3.0')
    bed.clock.advance(PROOF_MS - 1)
    early?.end({ clean: false, code: 1006 })
    expect(bed.losses[0]?.retryIn).toBeGreaterThan(2_000)
    bed.clock.advance(10_000)
    const late = bed.fresh()[0]?.accept('3.0')
    bed.clock.advance(PROOF_MS)
    late?.end({ clean: false, code: 1006 })
    expect(bed.losses[1]?.retryIn).toBeLessThanOrEqual(500)
  })

  it('respects Retry-After, with some jitter and a bound', () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    bed.fresh()[0]?.refuse({ status: 503, retryAfterMs: 20_000 })
    bed.clock.advance(20_000)
    expect(bed.fresh()).toHaveLength(0)
    bed.clock.advance(5_000)
    bed.fresh()[0]?.refuse({ status: 503, retryAfterMs: 10 ** 12 })
    bed.clock.advance(400_000)
    expect(bed.fresh()).toHaveLength(1)
  })

  it('respects how long a goaway asks it to stay away, while what runs goes on', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const session = bed.fresh()[0]?.accept('3.0', { goaway: true })
    bed.clock.advance(PROOF_MS)
    session?.request()
    session?.goaway(20_000)
    await turn()
    bed.clock.advance(19_000)
    expect(bed.fresh()).toHaveLength(0)
    expect(bed.told).toEqual(['registered'])
    session?.end({ code: 1001 })
    expect(bed.losses[0]?.retryIn).toBeGreaterThan(0)
    bed.clock.advance(10_000)
    expect(bed.fresh()).toHaveLength(1)
  })

  it('replaces a socket at once after a goaway without a time', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const session = bed.fresh()[0]?.accept('3.0', { goaway: true })
    bed.clock.advance(PROOF_MS)
    session?.request()
    session?.goaway(0)
    await turn()
    expect(bed.fresh()).toHaveLength(1)
  })
})

describe('leaving', () => {
  it('deregisters, waits for the barrier, lets what runs finish, then closes', async () => {
    const bed = new Bed({ window: 2 })
    bed.registration.start()
    const [busy, idle] = bed.fresh().map((dial) => dial.accept('3.0'))
    busy?.request()
    let left: number | undefined
    void bed.registration.leave(30_000).then((cut) => (left = cut))
    await turn()
    expect(bed.told).toEqual(['registered', 'deregister'])
    expect([busy?.calls, idle?.calls]).toEqual([[], []])
    bed.deregistrations[0]?.()
    await turn()
    expect([busy?.calls, idle?.calls]).toEqual([['barrier'], ['barrier']])
    // Sent by the router before it knew: still served.
    busy?.request()
    for (const session of [busy, idle]) session?.barriers[0]?.()
    expect([busy?.calls, idle?.calls]).toEqual([
      ['barrier', 'drain'],
      ['barrier', 'drain'],
    ])
    await turn()
    expect(left).toBeUndefined()
    busy?.end({ code: 1001 })
    await turn()
    expect(left).toBe(0)
    expect(bed.fresh()).toHaveLength(0)
    expect(bed.registration.state).toBe('left')
  })

  it('waits for the barrier although the router understands goaway, which would refuse what is on its way', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const session = bed.fresh()[0]?.accept('3.0', { goaway: true })
    const leaving = bed.registration.leave(30_000)
    await confirm(bed)
    expect(session?.calls).toEqual(['barrier'])
    session?.barriers[0]?.()
    await leaving
    expect(session?.calls).toEqual(['barrier', 'drain'])
  })

  it('lets handshakes under way complete first: the router may have accepted, and use the socket', async () => {
    const bed = new Bed({ window: 2 })
    bed.registration.start()
    const [one, two] = bed.fresh()
    const session = one?.accept('1.0')
    const leaving = bed.registration.leave(30_000)
    await turn()
    expect(two?.cancelled).toBe(false)
    expect(bed.told).toEqual(['registered'])
    const late = two?.accept('1.0')
    await turn()
    // Only now: a registration that comes after the deregistration would stand.
    expect(bed.told).toEqual(['registered', 'deregister'])
    late?.request()
    await confirm(bed, session, late)
    late?.respond()
    expect(await leaving).toBe(0)
    expect(bed.fresh()).toHaveLength(0)
  })

  it('does not wait for ever for a router that never confirms the deregistration', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const session = bed.fresh()[0]?.accept('3.0', { goaway: true })
    const leaving = bed.registration.leave(30_000)
    await turn()
    bed.clock.advance(2_000)
    await turn()
    expect(bed.told).toContain('deregister cancelled')
    session?.barriers[0]?.()
    await leaving
    expect(session?.calls).toEqual(['barrier', 'drain'])
  })

  it('cuts what still runs after the drain timeout, and counts it', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const session = bed.fresh()[0]?.accept('3.0', { goaway: true })
    session?.request()
    session?.request()
    const leaving = bed.registration.leave(10_000)
    await confirm(bed, session)
    bed.clock.advance(9_999)
    expect(session?.calls).toEqual(['barrier', 'drain'])
    bed.clock.advance(1)
    expect(await leaving).toBe(2)
    expect(session?.calls).toEqual(['barrier', 'drain', 'close 1001'])
  })

  it.each(['drained', 'cut'])('is over only when the connection is gone, after the last frames (%s)', async (how) => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const [dial] = bed.fresh()
    if (dial === undefined) throw new Error('no attempt')
    dial.lingers = true
    const session = dial.accept('3.0', { goaway: true })
    if (how === 'cut') session.request()
    let left = false
    void bed.registration.leave(1_000).then(() => (left = true))
    await confirm(bed, session)
    bed.clock.advance(how === 'cut' ? 1_000 : 500)
    await turn()
    expect(session.calls).toEqual(['barrier', 'drain', ...(how === 'cut' ? ['close 1001'] : [])])
    expect(left).toBe(false)
    dial.result.onGone()
    await turn()
    expect(left).toBe(true)
    expect(session.calls).not.toContain('terminate')
  })

  it('cuts a connection that never completes its closing handshake', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const [dial] = bed.fresh()
    if (dial === undefined) throw new Error('no attempt')
    dial.lingers = true
    const session = dial.accept('3.0', { goaway: true })
    const leaving = bed.registration.leave(1_000)
    await confirm(bed, session)
    bed.clock.advance(1_000)
    await turn()
    bed.clock.advance(10_000)
    await leaving
    expect(session.calls.at(-1)).toBe('terminate')
  })

  it('refuses what arrives after the barrier, where the router can give it to another socket', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    const session = bed.fresh()[0]?.accept('3.0', { refuse: true })
    session?.request()
    void bed.registration.leave(10_000)
    await confirm(bed, session)
    const codes: string[] = []
    session?.request({ reset: (error) => codes.push(`${error.code} ${error.delivered}`) })
    expect(codes).toEqual(['CRANKER_ERR_REFUSED no'])
  })

  it('gives up handshakes that do not complete, and does not deregister what never was registered', async () => {
    const bed = new Bed({ window: 2 })
    bed.registration.start()
    const leaving = bed.registration.leave(10_000)
    bed.clock.advance(2_000)
    expect(await leaving).toBe(0)
    expect(bed.dials.map((dial) => dial.cancelled)).toEqual([true, true])
    expect(bed.told).toEqual([])
    expect(bed.clock.pending).toBe(0)
  })

  it('is done at once while it only waits for the next attempt', async () => {
    const bed = new Bed({ window: 1 })
    bed.registration.start()
    bed.fresh()[0]?.refuse()
    expect(await bed.registration.leave(10_000)).toBe(0)
    expect(bed.clock.pending).toBe(0)
  })

  it('does not reconnect while it leaves, and gives every caller the same promise', async () => {
    const bed = new Bed({ window: 2 })
    bed.registration.start()
    const [one, two] = bed.fresh().map((dial) => dial.accept('1.0'))
    const leaving = bed.registration.leave(10_000)
    expect(bed.registration.leave(10_000)).toBe(leaving)
    await turn()
    // The router closes idle sockets as soon as it has the deregistration.
    one?.end({ code: 1001 })
    two?.end({ code: 1001 })
    await confirm(bed)
    await leaving
    expect(bed.fresh()).toHaveLength(0)
    expect(bed.told).toEqual(['registered', 'deregister'])
  })
})
