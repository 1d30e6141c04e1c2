import { beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../../../protocol/logger.js'
import type { Pool } from '../../../router/routing/pool.js'
import { Registry, type RegistryOptions } from '../../../router/routing/registry.js'
import type { RegisteredSession } from '../../../router/routing/source.js'
import { FakeClock } from '../../support/fake-clock.js'
import { FakeSession, fakeRegistered, FakeWaiter } from '../../support/fake-session.js'

const HOUR = 3_600_000
const options: RegistryOptions = {
  connectorWait: 5_000,
  maxWaiting: 20,
  maxWaitingPerRoute: 4,
  routeKeepTime: 2 * HOUR,
  startGrace: 30_000,
  maxRoutes: 100,
}

let clock: FakeClock
let registry: Registry

/** `graceOver`: the first 30 s after the start have passed. */
function start(changes: Partial<RegistryOptions> = {}, graceOver = true): void {
  clock = new FakeClock()
  registry = new Registry({ ...options, ...changes }, { clock, log: silentLogger })
  if (graceOver) clock.advance(options.startGrace)
}

/** What comes after the current call. */
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function add(
  route: string,
  values: Parameters<typeof fakeRegistered>[1] = {},
): ReturnType<typeof fakeRegistered> & {
  pool: Pool
  end(): void
} {
  const registered = fakeRegistered(route, values)
  const pool = registry.add(registered)
  return Object.assign(registered, {
    pool,
    end: () => {
      registered.session.accepting = false
      registry.remove(registered, pool)
    },
  })
}

const routeFor = (host: string, path: string): string | undefined => {
  const taken = registry.take(host, path)
  return taken && `${taken.domain}/${taken.route}`
}

beforeEach(() => start())

describe('which pool a request belongs to', () => {
  it('is that of the exact domain, its catch-all included, before that of any domain', () => {
    add('shop')
    add('shop', { domain: 'a.example' })
    add('*', { domain: 'a.example' })
    add('*')
    expect(routeFor('a.example', '/shop/x')).toBe('a.example/shop')
    expect(routeFor('a.example', '/else')).toBe('a.example/*')
    expect(routeFor('b.example', '/shop/x')).toBe('*/shop')
    expect(routeFor('b.example', '/else')).toBe('*/*')
    expect(routeFor('', '/shop')).toBe('*/shop')
    expect(routeFor('*', '/shop')).toBe('*/shop')
  })

  it('is that of any domain where the exact domain has no such route', () => {
    add('blog', { domain: 'a.example' })
    add('shop')
    expect(routeFor('a.example', '/shop')).toBe('*/shop')
  })

  it('holds 100 domains on one path (host constraints of the path router fail at 32)', () => {
    for (let i = 0; i < 100; i++) add('shop', { domain: `d${i}.example` })
    for (let i = 0; i < 100; i++) expect(routeFor(`d${i}.example`, '/shop')).toBe(`d${i}.example/shop`)
  })
})

describe('a route whose last socket left', () => {
  it('does not fall through to a shorter prefix, a catch-all or any domain while it is known', async () => {
    add('*')
    add('a')
    add('a/b')
    add('a/b', { domain: 'x.example' }).end()
    expect(registry.take('x.example', '/a/b/c')).toBeUndefined()
    const waiter = new FakeWaiter(registry, 'x.example', '/a/b/c')
    clock.advance(5_000)
    await soon()
    expect(waiter.error?.code).toBe('CRANKER_ERR_NO_SOCKET')
  })

  it('is unknown after routeKeepTime: the next shorter prefix has its turn, else 404', async () => {
    const specific = add('a/b/c')
    const shorter = add('a')
    specific.end()
    clock.advance(2 * HOUR - 1)
    expect(registry.take('', '/a/b/c')).toBeUndefined()
    clock.advance(1)
    expect(routeFor('', '/a/b/c')).toBe('*/a')
    shorter.end()
    clock.advance(2 * HOUR)
    const waiter = new FakeWaiter(registry, '', '/a/b/c')
    await soon()
    expect(waiter.error?.code).toBe('CRANKER_ERR_NO_ROUTE')
  })

  it('is passed over as soon as its time is over, although its tree has not been rebuilt yet', () => {
    start({ routeKeepTime: 1_000 })
    add('a/b/c', { domain: 'x.example' }).end()
    add('a/b', { domain: 'x.example' }).end()
    add('*', { domain: 'x.example' }).end()
    add('a')
    expect(registry.take('x.example', '/a/b/c/d')).toBeUndefined()
    clock.advance(1_000)
    expect(routeFor('x.example', '/a/b/c/d')).toBe('*/a')
    add('*', { domain: 'x.example' })
    expect(routeFor('x.example', '/a/b/c/d')).toBe('x.example/*')
    add('a/b', { domain: 'x.example' })
    expect(routeFor('x.example', '/a/b/c/d')).toBe('x.example/a/b')
  })

  it('is the same pool again when it comes back', () => {
    const first = add('a')
    first.end()
    clock.advance(HOUR)
    expect(add('a').pool).toBe(first.pool)
    expect(routeFor('', '/a')).toBe('*/a')
  })

  it('is forgotten off the request path, and the others stay', () => {
    for (let i = 0; i < 20; i++) add(`r${i}`).end()
    const living = add('living')
    clock.advance(3 * HOUR)
    expect(registry.hasRoomFor('new', '*')).toBe(true)
    const again = add('r1')
    expect(routeFor('', '/r1')).toBe('*/r1')
    expect(routeFor('', '/living')).toBe('*/living')
    expect(again.pool).not.toBe(living.pool)
    expect(registry.presentRoutes).toBe(2)
  })

  it('keeps its clients waiting although its time is over', async () => {
    start({ routeKeepTime: 1_000 })
    const gone = add('a')
    gone.end()
    const waiter = new FakeWaiter(registry, '', '/a')
    clock.advance(4_000)
    const back = add('a')
    await soon()
    expect(waiter.session).toBe(back)
  })
})

describe('the number of routes', () => {
  it('is bounded; the routes that have been gone longest make room', () => {
    start({ maxRoutes: 10 })
    for (let i = 0; i < 10; i++) add(`r${i}`)
    expect(registry.hasRoomFor('r0', '*')).toBe(true)
    expect(registry.hasRoomFor('one-more', '*')).toBe(false)
    start({ maxRoutes: 10 })
    for (let i = 0; i < 10; i++) add(`r${i}`).end()
    expect(registry.hasRoomFor('one-more', '*')).toBe(true)
    add('one-more')
    expect(registry.hasRoomFor('another', '*')).toBe(false)
    clock.advance(5_000)
    expect(registry.hasRoomFor('another', '*')).toBe(true)
  })
})

describe('in the first seconds after the start', () => {
  it('an unknown route waits and is served when its connector comes', async () => {
    start({}, false)
    const waiter = new FakeWaiter(registry, '', '/shop/x')
    clock.advance(2_000)
    expect(waiter.settled).toBe(false)
    const shop = add('shop')
    await soon()
    expect(waiter.session).toBe(shop)
  })

  it('an unknown route gets 503, not 404', () => {
    start({}, false)
    const waiter = new FakeWaiter(registry, '', '/shop/x')
    clock.advance(5_000)
    expect(waiter.error?.code).toBe('CRANKER_ERR_NO_SOCKET')
  })

  it('only those who wait for the new route are woken, in their order', async () => {
    start({}, false)
    const served: string[] = []
    const wait = (path: string): FakeWaiter => new FakeWaiter(registry, '', path, () => served.push(path))
    wait('/shop/1')
    const other = wait('/blog')
    wait('/shop/2')
    add('shop')
    await soon()
    expect(served).toEqual(['/shop/1', '/shop/2'])
    expect(other.settled).toBe(false)
  })

  it('requests for unknown routes take at most half of the places', async () => {
    start({ maxWaiting: 6, maxWaitingPerRoute: 10 }, false)
    add('known', { session: new FakeSession({ capacity: 0 }) })
    const unknown = [1, 2, 3, 4].map((i) => new FakeWaiter(registry, '', `/x${i}`))
    const known = new FakeWaiter(registry, '', '/known')
    await soon()
    expect(unknown.map((each) => each.error?.code)).toEqual([undefined, undefined, undefined, 'CRANKER_ERR_BUSY'])
    expect(known.settled).toBe(false)
  })

  it('are over after startGrace: 404', async () => {
    const waiter = new FakeWaiter(registry, '', '/shop/x')
    expect(waiter.settled).toBe(false)
    await soon()
    expect(waiter.error?.code).toBe('CRANKER_ERR_NO_ROUTE')
    expect(waiter.error?.delivered).toBe('no')
  })
})

describe('waiting', () => {
  const full = (): FakeSession => new FakeSession({ load: 1, capacity: 1 })

  it('is first come, first served, and nobody overtakes', async () => {
    const socket = add('a', { session: full() })
    const served: number[] = []
    const takeIt = (n: number) => (): void => {
      served.push(n)
      socket.session.load++
    }
    for (const n of [1, 2, 3]) new FakeWaiter(registry, '', '/a', takeIt(n))
    socket.session.load = 0
    socket.pool.changed(socket)
    // There is room at this moment, but others were here before.
    expect(registry.take('', '/a')).toBeUndefined()
    await soon()
    expect(served).toEqual([1])
    socket.session.load = 0
    socket.pool.changed(socket)
    await soon()
    expect(served).toEqual([1, 2])
  })

  it('never re-enters a session from its own events', () => {
    const socket = add('a', { session: full() })
    const waiter = new FakeWaiter(registry, '', '/a')
    socket.session.load = 0
    socket.pool.changed(socket)
    expect(waiter.settled).toBe(false)
  })

  it('ends when a new socket registers', async () => {
    add('a', { session: full() })
    const waiter = new FakeWaiter(registry, '', '/a')
    const fresh = add('a')
    await soon()
    expect(waiter.session).toBe(fresh)
  })

  it('forgets clients that have left', async () => {
    const socket = add('a', { session: full() })
    const left = new FakeWaiter(registry, '', '/a')
    const next = new FakeWaiter(registry, '', '/a')
    left.cancel()
    expect(registry.waiting).toBe(1)
    socket.session.load = 0
    socket.pool.changed(socket)
    await soon()
    expect(left.settled).toBe(false)
    expect(next.session).toBe(socket)
    clock.advance(10_000)
    expect(left.settled).toBe(false)
    expect(registry.waiting).toBe(0)
  })

  it('does not tell a client that left before it was refused', async () => {
    const waiter = new FakeWaiter(registry, '', '/unknown')
    waiter.cancel()
    await soon()
    expect(waiter.settled).toBe(false)
  })

  it('is bounded per route, and in all', async () => {
    for (const route of ['a', 'b', 'c', 'd', 'e', 'f']) add(route, { session: full() })
    const waiters = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((route) =>
      [1, 2, 3, 4, 5].map(() => new FakeWaiter(registry, '', `/${route}`)),
    )
    await soon()
    const busy = waiters.filter((each) => each.error?.code === 'CRANKER_ERR_BUSY')
    expect(registry.waiting).toBe(20)
    expect(busy).toHaveLength(10)
    // The fifth of each of the first five routes, and all of the sixth.
    expect(busy[0]).toBe(waiters[4])
    clock.advance(5_000)
    expect(waiters.every((each) => each.settled)).toBe(true)
    expect(registry.waiting).toBe(0)
  })

  it('goes on when a waiter throws', async () => {
    const socket = add('a', { session: full() })
    new FakeWaiter(registry, '', '/a', () => {
      throw new Error('a bug')
    })
    const next = new FakeWaiter(registry, '', '/a')
    socket.session.load = 0
    socket.pool.changed(socket)
    await soon()
    expect(next.session).toBe(socket)
  })

  it('ends with DRAINING when the router closes; while it drains nobody new waits', async () => {
    const socket = add('a', { session: full() })
    const early = new FakeWaiter(registry, '', '/a')
    registry.drain()
    const late = new FakeWaiter(registry, '', '/a')
    await soon()
    expect(late.error?.code).toBe('CRANKER_ERR_DRAINING')
    expect(early.settled).toBe(false)
    socket.session.load = 0
    expect(registry.take('', '/a')).toBeUndefined()
    registry.close()
    expect(early.error?.code).toBe('CRANKER_ERR_DRAINING')
  })
})

describe('which socket of a pool is chosen', () => {
  const chosen = (): RegisteredSession | undefined => registry.take('', '/a')

  it('is the one with the fewest requests in flight, whatever the version', () => {
    add('a', { session: new FakeSession({ load: 3 }) })
    const least = add('a', { session: new FakeSession({ load: 1, version: '1.0', capacity: 2 }) })
    add('a', { session: new FakeSession({ load: 2 }) })
    expect(chosen()).toBe(least)
  })

  it('is none that is full or accepts nothing more', () => {
    const full = add('a', { session: new FakeSession({ load: 1, capacity: 1 }) })
    const draining = add('a', { session: new FakeSession({ accepting: false }) })
    expect(chosen()).toBeUndefined()
    draining.pool.changed(draining)
    full.session.load = 0
    expect(chosen()).toBe(full)
  })

  it('rotates among equals', () => {
    const sockets = [add('a'), add('a'), add('a')]
    const counts = new Map<RegisteredSession, number>()
    for (let i = 0; i < 300; i++) {
      const socket = chosen() as RegisteredSession
      counts.set(socket, (counts.get(socket) ?? 0) + 1)
    }
    for (const socket of sockets) expect(counts.get(socket)).toBe(100)
  })

  it('is not the one that has just refused the request', () => {
    const refuser = add('a')
    const other = add('a', { session: new FakeSession({ load: 5 }) })
    expect(registry.take('', '/a', refuser)).toBe(other)
  })

  it('is one of another connector after a refusal, if there is one with room', () => {
    const refuser = add('a', { instance: 'one' })
    const sibling = add('a', { instance: 'one' })
    const other = add('a', { instance: 'other', session: new FakeSession({ load: 5 }) })
    expect(registry.take('', '/a', refuser)).toBe(other)
    other.end()
    expect(registry.take('', '/a', refuser)).toBe(sibling)
  })

  it('is never one that has been withdrawn, however often sockets come and go', () => {
    let seed = 7
    const random = (n: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return seed % n
    }
    const living: ReturnType<typeof add>[] = []
    for (let i = 0; i < 2_000; i++) {
      if (living.length < 3 || random(2) === 0) living.push(add('a', { session: new FakeSession({ load: random(4) }) }))
      else living.splice(random(living.length), 1)[0]?.end()
      const least = Math.min(...living.map((each) => each.session.load))
      expect((chosen() as (typeof living)[number]).session.load).toBe(least)
    }
  })
})
