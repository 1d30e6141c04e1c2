import { once } from 'node:events'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createRouter, type Router, type RouterOptions } from '../../router/index.js'
import { refusedRegistration, register } from '../support/scripted-connector.js'

const start = (options: RouterOptions = {}): Promise<Router> =>
  createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, adminPort: 0, ...options })

/** A request whose head the connector has received; `finish` answers it. */
async function runningRequest(router: Router) {
  const connector = await register(router, { subprotocols: ['cranker_1.0'], headers: { Route: 'slow' } })
  const message = once(connector.ws, 'message')
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    httpGet(`${router.address.public.url}/slow`, resolve).on('error', reject)
  })
  response.catch(() => undefined)
  await message
  const finish = (): void => {
    connector.ws.send('HTTP/1.1 200 OK\ncontent-length:0\n')
    connector.ws.close(1000)
  }
  return { connector, response, finish }
}

describe('a router that drains', () => {
  it('says so to load balancers, refuses registrations with 503 and lets running requests finish', async () => {
    await using router = await start()
    const { response, finish } = await runningRequest(router)
    const draining = once(router, 'draining')
    const closing = router.close()
    await draining
    const health = await fetch(`${router.address.admin?.url as string}/health`)
    expect(health.status).toBe(503)
    expect(await health.json()).toMatchObject({ healthy: false, state: 'draining', running: 1 })
    const refused = await refusedRegistration(router)
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toBe('2')
    expect(refused.body).toContain('CRANKER_ERR_DRAINING')
    finish()
    const res = await response
    expect(res.statusCode).toBe(200)
    expect(res.headers.connection).toBe('close')
    res.resume()
    await closing
    expect(router.state).toBe('closed')
  })

  it('closes the idle tunnel sockets with 1001, only after the last client has gone', async () => {
    await using router = await start()
    const idle = await register(router, { headers: { Route: 'idle' } })
    const { finish, response } = await runningRequest(router)
    const order: string[] = []
    router.on('drained', () => order.push('drained'))
    void idle.closed.then(({ code }) => order.push(`idle ${code}`))
    const closing = router.close()
    finish()
    ;(await response).resume()
    await closing
    await idle.closed
    expect(order).toEqual(['drained', 'idle 1001'])
  })

  it('sends goaway to connectors that know it', async () => {
    await using router = await start()
    const able = await register(router, { headers: { Route: 'able', 'Cranker-Extensions': 'goaway' } })
    const message = once(able.ws, 'message')
    void router.close()
    const [frame] = (await message) as [Buffer]
    expect(frame[0]).toBe(7)
    expect(frame.subarray(14).toString()).toMatch(/^1 draining/)
    expect((await able.closed).code).toBe(1001)
  })

  it('cuts what has not finished within drainTimeout, and says how much', async () => {
    await using router = await start({ drainTimeout: 50 })
    const { connector, response } = await runningRequest(router)
    const drained = once(router, 'drained')
    await router.close()
    expect(await drained).toEqual([{ cut: 1 }])
    expect((await response).statusCode).toBe(503)
    await connector.closed
  })

  it('closes only once, however often it is asked', async () => {
    const router = await start()
    expect(router.close()).toBe(router.close())
    await router.close()
    await router[Symbol.asyncDispose]()
    expect(router.running).toBe(0)
  })

  it('closes although a connector never answers its Close frame', async () => {
    const router = await start()
    const { hostname, port } = new URL(router.address.registration.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      'GET /register/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: cranker_3.0\r\n\r\n',
    )
    await once(router, 'registered')
    await router.close()
    socket.destroy()
  })
})

describe('a router whose listeners throw', () => {
  it('goes on', async () => {
    await using router = await start()
    router.on('registered', () => {
      throw new Error('a bug in a listener')
    })
    const first = await register(router)
    const second = await register(router)
    expect(router.health().sockets).toBe(2)
    first.ws.close()
    second.ws.close()
  })
})
