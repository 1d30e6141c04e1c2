import { describe, expect, it } from 'vitest'
import { Discovery, type Endpoint, type Lookup } from '../../../connector/discovery.js'
import { FakeClock } from '../../support/fake-clock.js'
import { turn } from './fakes.js'

class Watched {
  readonly clock = new FakeClock()
  readonly told: string[] = []
  readonly endpoints: Endpoint[] = []
  readonly lookups: string[] = []
  answer: readonly string[] | Error = []
  readonly discovery: Discovery

  constructor(...routers: string[]) {
    const lookup: Lookup = (hostname) => {
      this.lookups.push(hostname)
      return this.answer instanceof Error ? Promise.reject(this.answer) : Promise.resolve(this.answer)
    }
    this.discovery = new Discovery(
      {
        routers: routers.map((router) => new URL(router)),
        interval: 60_000,
        backoffBase: 500,
        random: () => 0.5,
        clock: this.clock,
        lookup,
      },
      {
        onAdded: (endpoint) => {
          this.endpoints.push(endpoint)
          this.told.push(`+${endpoint.address ?? 'any'}`)
        },
        onGone: (endpoint) => {
          expect(this.endpoints).toContain(endpoint)
          this.told.push(`-${endpoint.address ?? 'any'}`)
        },
        onLookupFailed: (_router, _error, retryIn) => this.told.push(`failed, again in ${String(retryIn)}`),
      },
    )
  }

  /** What is told until the next standstill. */
  async news(): Promise<string[]> {
    await turn()
    return this.told.splice(0)
  }
}

describe('discovery', () => {
  it('reports every address of a router, new ones and gone ones', async () => {
    const watched = new Watched('ws://router.test:8081')
    watched.answer = ['192.0.2.1', '192.0.2.2']
    watched.discovery.start()
    expect(await watched.news()).toEqual(['+192.0.2.1', '+192.0.2.2'])
    watched.answer = ['192.0.2.2', '2001:db8::3']
    watched.clock.advance(60_000)
    expect(await watched.news()).toEqual(['+2001:db8::3', '-192.0.2.1'])
    watched.clock.advance(60_000)
    expect(await watched.news()).toEqual([])
    expect(watched.lookups).toEqual(['router.test', 'router.test', 'router.test'])
  })

  it('keeps the last known addresses while a lookup fails, and looks again with backoff', async () => {
    const watched = new Watched('ws://router.test:8081')
    watched.answer = ['192.0.2.1']
    watched.discovery.start()
    await watched.news()
    watched.answer = new Error('ENOTFOUND')
    watched.clock.advance(60_000)
    expect(await watched.news()).toEqual(['failed, again in 250'])
    watched.answer = []
    watched.clock.advance(250)
    expect(await watched.news()).toEqual(['failed, again in 500'])
    watched.answer = ['192.0.2.1']
    watched.clock.advance(500)
    expect(await watched.news()).toEqual([])
  })

  it('finds a router whose name does not exist yet when the connector starts', async () => {
    const watched = new Watched('ws://router.test:8081')
    watched.answer = new Error('ENOTFOUND')
    watched.discovery.start()
    await watched.news()
    watched.answer = ['192.0.2.1']
    watched.clock.advance(500)
    expect(await watched.news()).toEqual(['+192.0.2.1'])
  })

  it('needs no lookup for IP addresses', async () => {
    const watched = new Watched('ws://192.0.2.1:8081', 'wss://[2001:db8::1]:8081')
    watched.discovery.start()
    expect(watched.told).toEqual(['+192.0.2.1', '+2001:db8::1'])
    watched.clock.advance(600_000)
    await turn()
    expect(watched.lookups).toEqual([])
  })

  it('takes localhost, which is 127.0.0.1 and ::1, for one router', async () => {
    const watched = new Watched('ws://localhost:8081')
    watched.answer = ['::1', '127.0.0.1']
    watched.discovery.start()
    expect(await watched.news()).toEqual(['+any'])
  })

  it('takes several loopback addresses of one family for several routers', async () => {
    const watched = new Watched('ws://routers.test:8081')
    watched.answer = ['127.0.0.2', '127.0.0.3']
    watched.discovery.start()
    expect(await watched.news()).toEqual(['+127.0.0.2', '+127.0.0.3'])
  })

  it('reports nothing after it was stopped, not even a lookup that was under way', async () => {
    const watched = new Watched('ws://router.test:8081')
    watched.answer = ['192.0.2.1']
    watched.discovery.start()
    watched.discovery.stop()
    expect(await watched.news()).toEqual([])
    expect(watched.clock.pending).toBe(0)
  })
})
