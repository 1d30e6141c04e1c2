/** What the network does to a tunnel: silence, resets, peers that stop taking bytes. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Connector } from '../../connector/index.js'
import type { Router } from '../../router/index.js'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { type Pair, startPair, type Version, versions } from '../support/pair.js'
import { Relay } from '../support/relay.js'

const QUICK = { pingInterval: 50, deadAfter: 200 } as const

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** A router and, behind a relay, a connector. */
async function behindRelay(version: Version): Promise<{ pair: Pair; relay: Relay; connector: Connector }> {
  const pair = await startPair({
    version,
    connect: false,
    // On 1.0 a socket that waits for its response head has only the idle timeout.
    router: { ...QUICK, idleTimeout: 1_000, drainTimeout: 0 },
    connector: { ...QUICK, drainTimeout: 0, backoffMax: 50 },
  })
  const relay = await Relay.start({ to: pair.router.address.registration.port })
  running.push(relay, pair)
  const connector = await pair.connect({ routers: `ws://127.0.0.1:${String(relay.port)}` })
  return { pair, relay, connector }
}

/** Resolves when `count` tunnel sockets have been lost against the router's will. */
function lost(router: Router, count = 1, route = '*'): Promise<void> {
  return new Promise((resolve) => {
    router.on('lost', (socket, why) => {
      if (!why.clean && socket.route === route && --count === 0) resolve()
    })
  })
}

describe.each(versions)('the network under %s', (version) => {
  it('falls silent: both sides notice, and the tunnel is back with the network', async () => {
    const { pair, relay, connector } = await behindRelay(version)
    pair.serve((_req, res) => res.end('ok'))
    const noticed = Promise.all([lost(pair.router), once(connector, 'lost')])
    relay.blackhole()
    const [, [loss]] = await noticed
    expect(loss).toMatchObject({ route: '*', code: 1006 })
    const back = once(connector, 'registered')
    relay.restore()
    await back
    expect((await fetchRaw({ port: pair.port })).text).toBe('ok')
  })

  it('falls silent before a response: the client is told, the target’s request is ended', async () => {
    const { pair, relay } = await behindRelay(version)
    const aborted = new Promise<void>((resolve) => {
      pair.serve((_req, res) => {
        res.on('close', resolve)
        relay.blackhole()
      })
    })
    const response = await fetchRaw({ port: pair.port })
    expect([502, 504]).toContain(response.status)
    await aborted
  })

  it('falls silent during a response: it breaks off for the client, and for the target', async () => {
    const { pair, relay } = await behindRelay(version)
    const aborted = new Promise<void>((resolve) => {
      pair.serve((_req, res) => {
        res.on('close', resolve)
        res.writeHead(200).write('part')
      })
    })
    const { response } = await open({ port: pair.port })
    const cut = expect(readAll(response)).rejects.toThrow()
    relay.blackhole()
    await cut
    await aborted
  })

  it('falls silent for one connector: requests go to the other', async () => {
    const { pair, relay } = await behindRelay(version)
    pair.serve((_req, res) => res.end('ok'))
    await pair.connect({ window: 4 })
    const noticed = lost(pair.router, 2)
    relay.blackhole()
    await noticed
    for (let i = 0; i < 20; i++) expect((await fetchRaw({ port: pair.port })).text).toBe('ok')
  })

  it('resets connections during uploads: no client gets a success, no target a whole body', async () => {
    const { pair, relay, connector } = await behindRelay(version)
    let reached: () => void = () => undefined
    const atTarget = new Promise<void>((resolve) => (reached = resolve))
    const whole: string[] = []
    const ended = new Promise<void>((resolve) => {
      pair.serve((req) => {
        req.on('data', reached)
        req.on('end', () => whole.push(req.url ?? ''))
        req.on('error', () => undefined)
        req.on('close', resolve)
      })
    })
    const client = connect(pair.port, '127.0.0.1')
    client.on('error', () => undefined)
    client.write('POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nsome')
    let answer = ''
    client.on('data', (chunk) => (answer += chunk.toString()))
    await atTarget
    const back = once(connector, 'registered')
    relay.cut()
    await Promise.all([ended, once(client, 'close'), back])
    expect(answer).toMatch(/^HTTP\/1\.1 502 /)
    expect(whole).toEqual([])
  })

  it('may be slower than its client: a tunnel that stands still under backpressure is not dead', async () => {
    const { pair, relay } = await behindRelay(version)
    const SIZE = 24 * 1024 * 1024
    pair.serve((_req, res) => res.end(Buffer.alloc(SIZE, 'x')))
    const unclean: string[] = []
    pair.router.on('lost', (socket, why) => {
      if (!why.clean) unclean.push(socket.route)
    })
    // Behind a relay of its own, what has fallen silent is declared dead: it tells how long the client has stood still.
    const control = await Relay.start({ to: pair.router.address.registration.port })
    running.push(control)
    const dying = await pair.connect({ routers: `ws://127.0.0.1:${String(control.port)}`, route: 'control', window: 1 })
    const { response } = await open({ port: pair.port })
    response.pause()
    for (let round = 0; round < 2; round++) {
      const noticed = Promise.all([lost(pair.router, 1, 'control'), once(dying, 'lost')])
      control.blackhole()
      await noticed
      const back = once(dying, 'registered')
      control.restore()
      await back
    }
    let length = 0
    response.on('data', (chunk: Buffer) => (length += chunk.length))
    response.resume()
    await once(response, 'end')
    expect(length).toBe(SIZE)
    expect(new Set(unclean)).toEqual(new Set(['control']))
    expect(relay.accepted).toBe(version === '3.0' ? 2 : 3)
  })

  it('is not blamed for an event loop that stood still', async () => {
    const { pair, relay, connector } = await behindRelay(version)
    pair.serve((_req, res) => res.end('ok'))
    const losses: unknown[] = []
    connector.on('lost', (event) => losses.push(event))
    pair.router.on('lost', (_socket, why) => {
      if (!why.clean) losses.push(why)
    })
    // Five times as long as a silence that is death.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_100)
    // Whoever is dead would be noticed by now: this one is.
    const control = await Relay.start({ to: pair.router.address.registration.port })
    running.push(control)
    const dying = await pair.connect({ routers: `ws://127.0.0.1:${String(control.port)}`, route: 'control' })
    expect(losses).toEqual([])
    const noticed = once(dying, 'lost')
    control.blackhole()
    await noticed
    expect(losses.filter((loss) => 'router' in (loss as object))).toEqual([])
    expect((await fetchRaw({ port: pair.port })).text).toBe('ok')
    expect(relay.accepted).toBe(version === '3.0' ? 2 : 3)
  })
})
