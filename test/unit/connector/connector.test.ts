import { describe, expect, it } from 'vitest'
import { type ConnectorDeps, CrankerConnector } from '../../../connector/connector.js'
import { type ConnectorOptions, resolveConnectorOptions } from '../../../connector/options.js'
import { CrankerError } from '../../../protocol/errors.js'
import { silentLogger } from '../../../protocol/logger.js'
import type { DialEvents, DialOptions } from '../../../protocol/ws-dial.js'
import { FakeClock } from '../../support/fake-clock.js'
import { type LinkPair, linkPair } from '../../support/fake-link.js'
import { turn } from './fakes.js'

/** Every WebSocket that the connector opens; routers accept, and confirm deregistrations when told to. */
class Network {
  readonly clock = new FakeClock()
  readonly opened: DialOptions[] = []
  readonly pairs: LinkPair[] = []
  readonly deregistered: (() => void)[] = []
  readonly logged: string[] = []
  addresses: readonly string[] = []
  refusing = false
  readonly connector: CrankerConnector

  constructor(options: Partial<ConnectorOptions> = {}) {
    const deps: ConnectorDeps = {
      clock: this.clock,
      random: () => 0.5,
      lookup: () => Promise.resolve(this.addresses),
      dial: (dialed, events) => {
        this.opened.push(dialed)
        setImmediate(() => {
          this.#answer(dialed, events)
        })
        return { cancel: () => {} }
      },
    }
    const resolved = resolveConnectorOptions({
      routers: 'ws://router.test',
      route: 'a',
      target: 'http://127.0.0.1:1',
      window: 1,
      // Shorter than what a tunnel socket may be silent for.
      discoveryInterval: 1_000,
      logger: { ...silentLogger, warn: (_fields, message) => this.logged.push(message) },
      ...options,
    })
    this.connector = new CrankerConnector(resolved, deps)
  }

  /** `register 192.0.2.1` and so on, since the last call. */
  news(): string[] {
    return this.opened
      .splice(0)
      .map(({ url, address }) => `${url.pathname.split('/').at(-2) ?? ''} ${address ?? 'any'}`)
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 12; i++) await turn()
  }

  #answer(dialed: DialOptions, events: DialEvents): void {
    if (this.refusing) {
      const error = new CrankerError('CRANKER_ERR_REGISTRATION', 'refused')
      events.onFailed({ error, status: 403, headers: [] })
      return
    }
    const pair = linkPair()
    this.pairs.push(pair)
    const subprotocol = dialed.subprotocols[0]
    events.onOpen(pair.connector, { subprotocol, headers: [] })
    const session = pair.connector.handler
    const onClosed = session.onClosed.bind(session)
    session.onClosed = (code, reason, error) => {
      onClosed(code, reason, error)
      events.onGone?.()
    }
    if (!dialed.url.pathname.includes('deregister')) return
    this.deregistered.push(() => {
      pair.router.close(1000, 'Deregister complete')
    })
  }
}

describe('a connector', () => {
  it('registers at every address of a router, and leaves those that are gone', async () => {
    const network = new Network()
    const told: string[] = []
    network.connector.on('discovered', ({ address }) => told.push(`discovered ${String(address)}`))
    network.connector.on('gone', ({ address }) => told.push(`gone ${String(address)}`))
    network.addresses = ['192.0.2.1', '192.0.2.2']
    network.connector.start()
    await network.settle()
    expect(network.news()).toEqual(['register 192.0.2.1', 'register 192.0.2.2'])
    await network.connector.registered

    network.addresses = ['192.0.2.2', '192.0.2.3']
    network.clock.advance(1_000)
    await network.settle()
    expect(network.news().sort()).toEqual(['deregister 192.0.2.1', 'register 192.0.2.3'])
    network.deregistered[0]?.()
    await network.settle()
    expect(told).toEqual(['discovered 192.0.2.1', 'discovered 192.0.2.2', 'discovered 192.0.2.3', 'gone 192.0.2.1'])
    expect(network.connector.status().registrations.map(({ address }) => address)).toContain('192.0.2.3')
  })

  it('waits until it has left an address before it registers there again', async () => {
    const network = new Network()
    network.addresses = ['192.0.2.1', '192.0.2.2']
    network.connector.start()
    await network.settle()
    network.addresses = ['192.0.2.2']
    network.clock.advance(1_000)
    await network.settle()
    network.news()
    network.addresses = ['192.0.2.1', '192.0.2.2']
    network.clock.advance(1_000)
    await network.settle()
    // The deregistration is not confirmed yet; it would take new sockets of the same instance along.
    expect(network.news()).toEqual([])
    network.deregistered[0]?.()
    await network.settle()
    expect(network.news()).toEqual(['register 192.0.2.1'])
  })

  it('says ever more rarely that a router is out of reach', async () => {
    const network = new Network({ backoffBase: 10, backoffMax: 10 })
    network.refusing = true
    network.addresses = ['192.0.2.1']
    let retries = 0
    network.connector.on('retrying', () => retries++)
    network.connector.start()
    await network.settle()
    for (let i = 1; i < 64; i++) {
      network.clock.advance(10)
      await turn()
      await turn()
    }
    expect(retries).toBe(64)
    expect(network.logged).toHaveLength(7)
  })

  it('resolves `registered` only when every route is registered somewhere', async () => {
    const target = 'http://127.0.0.1:1'
    const network = new Network({
      route: undefined as never,
      target: undefined as never,
      routes: [
        { route: 'a', target },
        { route: 'b', target },
      ],
    })
    let registered = false
    void network.connector.registered.then(() => (registered = true))
    network.addresses = ['192.0.2.1']
    network.connector.on('registered', ({ route }) => {
      if (route === 'a') expect(registered).toBe(false)
    })
    network.connector.start()
    await network.settle()
    expect(registered).toBe(true)
  })

  it('hears its own first events: nothing happens before `start`', async () => {
    const network = new Network()
    network.addresses = ['192.0.2.1']
    await network.settle()
    expect(network.news()).toEqual([])
    await network.connector.close()
  })
})
