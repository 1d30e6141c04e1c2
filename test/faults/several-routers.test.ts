/** One connector and several routers: by list, and by a name with several addresses. */
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { CrankerConnector, systemDeps } from '../../connector/connector.js'
import { createConnector, type Connector, type ConnectorOptions } from '../../connector/index.js'
import { resolveConnectorOptions } from '../../connector/options.js'
import { createRouter, type Router, type RouterOptions } from '../../router/index.js'
import { fetchRaw } from '../support/http-client.js'
import { versions } from '../support/pair.js'
import { Relay } from '../support/relay.js'

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

async function start(options: RouterOptions = {}): Promise<Router> {
  const router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, drainTimeout: 0, ...options })
  running.push(router)
  return router
}

const urlOf = (router: Router): string => `ws://127.0.0.1:${String(router.address.registration.port)}`

async function registeredAt(connector: Connector, count: number): Promise<void> {
  const open = (): number => connector.status().registrations.filter((each) => each.state === 'registered').length
  while (open() < count) await once(connector, 'registered')
}

const answer = async (router: Router): Promise<string> =>
  (await fetchRaw({ port: router.address.public.port, path: '/shop/x' })).text

describe.each(versions)('several routers on %s', (version) => {
  const options = (routers: ConnectorOptions['routers']): ConnectorOptions => ({
    routers,
    route: 'shop',
    target: (_req, res) => res.end('ok'),
    protocols: [version],
    backoffBase: 10,
    backoffMax: 50,
    drainTimeout: 1_000,
  })

  it('each get the whole window, and one that dies does not disturb the other', async () => {
    const [a, b] = [await start(), await start()]
    const connector = await createConnector({ ...options([urlOf(a), urlOf(b)]), window: 3 })
    running.push(connector)
    await registeredAt(connector, 2)
    for (const router of [a, b]) expect(await answer(router)).toBe('ok')
    const losses: string[] = []
    connector.on('lost', (event) => losses.push(event.router))
    const { registration, public: open } = a.address
    const lost = once(connector, 'lost')
    await a.close()
    await lost
    expect(await answer(b)).toBe('ok')
    const back = once(connector, 'registered')
    const again = await start({ port: open.port, registrationPort: registration.port })
    await back
    expect(await answer(again)).toBe('ok')
    expect(await answer(b)).toBe('ok')
    expect(new Set(losses)).toEqual(new Set([urlOf(a)]))
  })

  it('behind one name are all registered with, also when one of them is away', async () => {
    const a = await start()
    const { port } = a.address.registration
    const b = await start({ registrationHost: '127.0.0.2', registrationPort: port })
    const connector = new CrankerConnector(
      resolveConnectorOptions({ ...options(`ws://routers.example:${String(port)}`), discoveryInterval: 20 }),
      { ...systemDeps, lookup: () => Promise.resolve(addresses) },
    )
    let addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
    running.push(connector)
    const retrying = once(connector, 'retrying')
    connector.start()
    await registeredAt(connector, 2)
    expect((await retrying)[0]).toMatchObject({ address: '127.0.0.3' })
    for (const router of [a, b]) expect(await answer(router)).toBe('ok')
    // Gone from the name is gone, in an orderly way.
    const left = once(b, 'deregistered')
    addresses = ['127.0.0.1']
    expect((await left)[0]).toMatchObject({ connectorInstanceID: connector.instanceId, route: 'shop' })
    expect(await answer(a)).toBe('ok')
    // And it may come back.
    const back = once(connector, 'registered')
    addresses = ['127.0.0.1', '127.0.0.2']
    await back
    expect(await answer(b)).toBe('ok')
  })
})

describe('a network that fails under many connectors', () => {
  it('sees them come back at moments of their own, not in a storm', async () => {
    const router = await start()
    const relay = await Relay.start({ to: router.address.registration.port })
    running.push(relay)
    const COUNT = 24
    const connectors = await Promise.all(
      Array.from({ length: COUNT }, async () => {
        const connector = await createConnector({
          routers: `ws://127.0.0.1:${String(relay.port)}`,
          route: '*',
          target: (_req, res) => res.end(),
          window: 1,
          backoffBase: 60_000,
          backoffMax: 60_000,
        })
        running.push(connector)
        await connector.registered
        return connector
      }),
    )
    const lost = Promise.all(connectors.map((connector) => once(connector, 'lost')))
    relay.cut()
    const waits = (await lost).map(([event]) => (event as { retryIn: number }).retryIn)
    // Full jitter over a minute: 24 draws that lie within 15 s, or a quarter of which are equal, are no draws.
    expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(15_000)
    expect(new Set(waits).size).toBeGreaterThan(COUNT * 0.75)
    expect(relay.accepted).toBe(COUNT)
  })
})
