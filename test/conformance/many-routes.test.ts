/** A thousand routes: each request reaches its own, whatever else is registered. */
import { describe, expect, it } from 'vitest'
import { fetchRaw } from '../support/http-client.js'
import { createConnector } from '../support/implementations.js'
import { startPair, versions } from '../support/pair.js'

const COUNT = 1_000

describe.each(versions)('1,000 routes over %s', (version) => {
  it('are registered by one connector, and each gets its own requests', async () => {
    await using pair = await startPair({
      version,
      connect: false,
      router: { maxSocketsPerIdentity: 2 * COUNT, startGrace: 0 },
    })
    const names = Array.from({ length: COUNT }, (_, i) => (i % 2 === 0 ? `r${String(i)}` : `shared/r${String(i)}`))
    await using connector = await createConnector({
      routers: `ws://127.0.0.1:${String(pair.router.address.registration.port)}`,
      routes: names.map((route) => ({ route, target: (_req, res) => res.end(route) })),
      protocols: [version],
      window: 1,
      backoffBase: 20,
    })
    await connector.registered
    expect(Object.keys(pair.router.registrations().services)).toHaveLength(COUNT)
    for (let i = 0; i < COUNT; i += 37) {
      const name = names[i] as string
      expect((await fetchRaw({ port: pair.port, path: `/${name}/x?y` })).text).toBe(name)
    }
    expect((await fetchRaw({ port: pair.port, path: '/shared/none' })).status).toBe(404)
    expect((await fetchRaw({ port: pair.port, path: '/r1' })).status).toBe(404)
  })
})
