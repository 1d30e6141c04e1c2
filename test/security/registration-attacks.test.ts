import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRouter, type Router } from '../../router/index.js'
import { refusedRegistration, register, type ScriptedConnector } from '../support/scripted-connector.js'

let router: Router

beforeEach(async () => {
  router = await createRouter({
    host: '127.0.0.1',
    port: 0,
    registrationPort: 0,
    maxSocketsPerIdentity: 3,
    maxRoutes: 5,
    startGrace: 0,
    connectorWait: 50,
    drainTimeout: 100,
  })
})

afterEach(() => router.close())

const open = async (): Promise<Socket> => {
  const socket = connect(router.address.registration.port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (data: Buffer) => (text += data.toString('latin1')))
  await once(socket, 'close')
  return text
}

const upgradeHead = (path: string, extra = ''): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: cranker_3.0\r\n${extra}\r\n`

/** The router still takes registrations and clients. */
async function expectAlive(): Promise<void> {
  const { ws } = await register(router, { headers: { Route: 'alive' } })
  expect([404, 503]).toContain((await fetch(`${router.address.public.url}/nowhere`)).status)
  ws.terminate()
}

describe('attacks on registration', () => {
  it.each([
    ':id',
    'a/:b',
    '*x',
    'a/*',
    'a*',
    '..',
    'a/..',
    'a/../b',
    'a..b',
    './a',
    'a.',
    '(a)',
    'a(.*)',
    'a?',
    'a//b',
    '/a',
    'a/',
    'a b',
    'a;b',
    'a%2fb',
    '{a}',
    'é',
  ])('a route with the syntax of path routers, or confusing, is refused: %s', async (Route) => {
    const refused = await refusedRegistration(router, { headers: { Route } })
    expect(refused.status).toBe(400)
    expect(refused.body).toContain('Route must be')
    expect(router.registrations().services).toEqual({})
  })

  it('two different Route fields are refused: a proxy may see the other one', async () => {
    const socket = await open()
    socket.write(upgradeHead('/register/', 'Route: a\r\nRoute: b\r\n'))
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('a route called __proto__ is a route like any other', async () => {
    const { ws } = await register(router, { headers: { Route: '__proto__' } })
    expect(Object.keys(router.registrations().services)).toEqual(['__proto__'])
    expect(({} as Record<string, unknown>)['connectors']).toBeUndefined()
    ws.terminate()
  })

  it('a name with line breaks does not reach logs', async () => {
    const refused = await refusedRegistration(router, { path: '/register/?componentName=a%0d%0aforged' })
    expect(refused.status).toBe(400)
    expect(refused.body).not.toContain('forged')
  })

  it('one identity opens at most maxSocketsPerIdentity sockets, and may open others when some have ended', async () => {
    const sockets: ScriptedConnector[] = []
    for (let i = 0; i < 3; i++) sockets.push(await register(router))
    const refused = await refusedRegistration(router)
    expect(refused.status).toBe(503)
    expect(refused.headers['retry-after']).toBe('5')
    const lost = once(router, 'lost')
    sockets[0]?.ws.terminate()
    await lost
    sockets.push(await register(router))
    for (const each of sockets) each.ws.terminate()
  })

  it('route names without end do not fill the memory: maxRoutes', async () => {
    for (let i = 0; i < 5; i++) {
      const { ws } = await register(router, { headers: { Route: `r${i}` } })
      if (i < 2) continue
      const lost = once(router, 'lost')
      ws.terminate()
      await lost
    }
    // Those that are gone make room; those that are here do not.
    const { ws } = await register(router, { headers: { Route: 'r5' } })
    ws.terminate()
    expect(Object.keys(router.registrations().services)).toContain('r0')
  })

  it('a peer that retries refusals without a pause is told 429, a second later', async () => {
    const statuses: number[] = []
    const started = performance.now()
    for (let i = 0; i < 22; i++) statuses.push((await refusedRegistration(router, { headers: { Route: '..' } })).status)
    expect(statuses.slice(0, 20)).toEqual(new Array(20).fill(400))
    expect(statuses.slice(20)).toContain(429)
    expect(performance.now() - started).toBeGreaterThan(990)
    // Its well-behaved neighbour behind the same address is let in.
    await expectAlive()
  })

  it('a peer that leaves while its refusal is held back frees its place', async () => {
    for (let i = 0; i < 20; i++) await refusedRegistration(router, { headers: { Route: '..' } })
    const socket = await open()
    socket.write(upgradeHead('/register/', 'Route: ..\r\n'))
    await new Promise((resolve) => setImmediate(resolve))
    socket.resetAndDestroy()
    await expectAlive()
  })

  it('a reset during the upgrade does not end the process (sockets in "upgrade" have no error listener)', async () => {
    for (const path of [
      '/register/',
      '/deregister/?connectorInstanceID=a',
      '/nothing',
      '/register/?componentName=%00',
    ]) {
      for (let i = 0; i < 5; i++) {
        const socket = await open()
        socket.write(upgradeHead(path))
        socket.resetAndDestroy()
      }
    }
    await expectAlive()
  })

  it('a handshake larger than its limit is answered with 431', async () => {
    const socket = await open()
    socket.write(upgradeHead('/register/', `X-Large: ${'x'.repeat(20_000)}\r\n`))
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 431 [^]*CRANKER_ERR_HEAD_TOO_LARGE/)
    await expectAlive()
  })

  it('a connection that says nothing, or only half a head, is closed after the handshake timeout', async () => {
    const silent = await open()
    const slow = await open()
    slow.write('GET /register/ HTTP/1.1\r\nHost: x\r\n')
    expect(await readAll(slow)).toMatch(/^HTTP\/1\.1 408 /)
    if (!silent.closed) await readAll(silent)
  }, 30_000)

  it('a request that is no HTTP is answered with 400', async () => {
    const socket = await open()
    socket.write('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n')
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 400 /)
  })

  it('bytes that follow a refused handshake are not taken for a request', async () => {
    const socket = await open()
    socket.write(upgradeHead('/register/', 'Route: ..\r\n') + 'GET /register/ HTTP/1.1\r\nHost: x\r\n\r\n')
    const answers = await readAll(socket)
    expect(answers.match(/HTTP\/1\.1 /g)).toHaveLength(1)
    expect(answers).toMatch(/connection: close/i)
  })

  it('garbage after the 101 ends that socket only', async () => {
    const other = await register(router)
    const socket = await open()
    const lost = once(router, 'lost')
    socket.write(upgradeHead('/register/') + '\xff\xff\xff\xff garbage that is no WebSocket frame')
    await lost
    expect(other.ws.readyState).toBe(other.ws.OPEN)
    socket.destroy()
    other.ws.terminate()
  })

  it('a guessed instance id that was made from an address deregisters nobody', async () => {
    const nameless = await register(router, { headers: { Route: 'shop' } })
    const { closed } = await register(router, {
      path: '/deregister/?connectorInstanceID=unknown-127.0.0.1',
      subprotocols: [],
      headers: { Route: 'shop' },
    })
    await closed
    expect(nameless.ws.readyState).toBe(nameless.ws.OPEN)
    nameless.ws.terminate()
  })
})
