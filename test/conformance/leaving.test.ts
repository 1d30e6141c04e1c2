/** Sockets that take no more: withdrawn, refusing, going away. No request is lost by it. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { startPair, versions } from '../support/pair.js'

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

describe.each(versions)('leaving over %s', (version) => {
  it('deregisters: sockets close cleanly, nothing new comes, what runs is answered', async () => {
    await using pair = await startPair({ version, route: 'shop', router: { connectorWait: 100 } })
    let finish: (() => void) | undefined
    pair.serve((_req, res) => {
      res.writeHead(200).write('a')
      finish = () => res.end('b')
    })
    const { response } = await open({ port: pair.port, path: '/shop/x' })
    const ends: boolean[] = []
    pair.router.on('lost', (_socket, why) => ends.push(why.clean))
    const deregistered = once(pair.router, 'deregistered')
    const closing = pair.connector.close()
    expect((await deregistered)[0]).toMatchObject({ route: 'shop', connectorInstanceID: pair.connector.instanceId })
    expect((await fetchRaw({ port: pair.port, path: '/shop/y' })).status).toBe(503)
    finish?.()
    expect((await readAll(response)).toString()).toBe('ab')
    await closing
    expect(ends.length).toBeGreaterThan(0)
    expect(new Set(ends)).toEqual(new Set([true]))
    expect(pair.router.registrations().services).toEqual({})
  })

  it('withdraws one connector only: the other one of the route goes on', async () => {
    await using pair = await startPair({ version })
    pair.serve((_req, res) => res.end('ok'))
    await pair.connect()
    await pair.connector.close()
    for (let i = 0; i < 10; i++) expect((await fetchRaw({ port: pair.port })).text).toBe('ok')
  })

  it.each(['GET', 'POST'])(
    'refuses a %s whose target is out of reach: another connector answers it',
    async (method) => {
      await using pair = await startPair({ version, connect: false })
      let answered = 0
      pair.serve((req, res) => {
        answered++
        req.resume().on('end', () => res.end('ok'))
      })
      await pair.connect({ target: `http://127.0.0.1:${String(await closedPort())}` })
      await pair.connect()
      for (let i = 0; i < 10; i++) {
        const response = await fetchRaw({ port: pair.port, method })
        expect([response.status, response.text]).toEqual([200, 'ok'])
      }
      expect(answered).toBe(10)
    },
  )

  it('refuses what its target has no connection for: another connector answers it', async () => {
    await using pair = await startPair({ version, connect: false })
    let release: (() => void) | undefined
    pair.serve((req, res) => {
      if (req.url === '/held') release = () => res.end('held')
      else res.end('ok')
      arrived()
    })
    let arrived: () => void = () => undefined
    const taken = new Promise<void>((resolve) => (arrived = resolve))
    await pair.connect({ targetMaxConnections: 1 })
    const held = fetchRaw({ port: pair.port, path: '/held' })
    await taken
    await pair.connect()
    for (let i = 0; i < 10; i++) expect((await fetchRaw({ port: pair.port })).text).toBe('ok')
    release?.()
    expect((await held).text).toBe('held')
  })

  it('a router that stops says so: its connector knows it is no failure, and opens nothing before it is back', async () => {
    await using pair = await startPair({ version, connector: { backoffBase: 10, backoffMax: 20 } })
    pair.serve((_req, res) => res.end('ok'))
    expect((await fetchRaw({ port: pair.port })).text).toBe('ok')
    const lost = once(pair.connector, 'lost')
    await pair.router.close()
    const [event] = (await lost) as [{ code: number }]
    expect([1000, 1001]).toContain(event.code)
  })
})
