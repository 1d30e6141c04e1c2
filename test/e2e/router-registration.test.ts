import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRouter, type Router, type SocketInfo } from '../../router/index.js'
import { answerOnce, refusedRegistration, register } from '../support/scripted-connector.js'

let router: Router

beforeAll(async () => {
  router = await createRouter({
    host: '127.0.0.1',
    port: 0,
    registrationPort: 0,
    adminPort: 0,
    startGrace: 0,
    drainTimeout: 500,
  })
})

afterAll(() => router.close())

const nextRegistered = async (): Promise<SocketInfo> => (await once(router, 'registered'))[0] as SocketInfo
const get = (path: string): Promise<Response> => fetch(`${router.address.public.url}${path}`)

describe('registration: the version', () => {
  it('is the first offered subprotocol that the router supports, and exactly that one is echoed', async () => {
    for (const [offered, chosen] of [
      [['cranker_3.0', 'cranker_1.0'], 'cranker_3.0'],
      [['cranker_1.0', 'cranker_3.0'], 'cranker_1.0'],
      [['cranker_9.9', 'cranker_1.0'], 'cranker_1.0'],
    ] as const) {
      const { ws } = await register(router, { subprotocols: offered })
      expect(ws.protocol).toBe(chosen)
      ws.close()
    }
  })

  it('is 1.0 by the CrankerProtocol header when no subprotocol is offered, and none is echoed', async () => {
    const registered = nextRegistered()
    const { ws, answer } = await register(router, { subprotocols: [], headers: { CrankerProtocol: '1.0' } })
    expect(answer.headers['sec-websocket-protocol']).toBeUndefined()
    expect(answer.headers['crankerprotocol']).toBe('1.0')
    expect((await registered).protocol).toBe('1.0')
    ws.close()
  })

  it('is 1.0 by the header when no offered subprotocol fits, and what was not offered is not echoed', async () => {
    const url = router.address.registration.url.replace('ws:', 'http:')
    const res = await rawUpgrade(`${url}/register/`, { 'Sec-WebSocket-Protocol': 'other', CrankerProtocol: '1.0' })
    expect(res).toMatch(/^HTTP\/1\.1 101 /)
    expect(res).not.toMatch(/sec-websocket-protocol/i)
  })

  it('of a 1.0 answer is named in CrankerProtocol, on which the connector of crank4j insists', async () => {
    const { ws, answer } = await register(router, { subprotocols: ['cranker_1.0'] })
    expect(answer.headers['crankerprotocol']).toBe('1.0')
    ws.close()
  })

  it('is refused with 400 when nothing fits', async () => {
    for (const options of [
      { subprotocols: [] },
      { subprotocols: ['cranker_2.0'] },
      { subprotocols: [], headers: { CrankerProtocol: '2.0' } },
    ]) {
      const refused = await refusedRegistration(router, options)
      expect(refused.status).toBe(400)
      expect(refused.body).toMatch(/^CRANKER_ERR_REGISTRATION: .*cranker_3\.0 or cranker_1\.0/)
    }
  })

  it('is one that the router was told to speak', async () => {
    await using old = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, protocols: ['1.0'] })
    const { ws } = await register(old, { subprotocols: ['cranker_3.0', 'cranker_1.0'] })
    expect(ws.protocol).toBe('cranker_1.0')
    expect((await refusedRegistration(old, { subprotocols: ['cranker_3.0'] })).status).toBe(400)
    ws.close()
  })
})

describe('registration: what a connector says about itself', () => {
  it('is kept for status pages', async () => {
    const registered = nextRegistered()
    const { ws } = await register(router, {
      path: '/register/?connectorInstanceID=my-id&componentName=my%20app',
      headers: { Route: 'kept/deep', Domain: 'A.Example:8080' },
    })
    const info = await registered
    expect(info).toEqual({
      socketID: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
      route: 'kept/deep',
      domain: 'a.example',
      connectorInstanceID: 'my-id',
      componentName: 'my app',
      ip: '127.0.0.1',
      port: expect.any(Number),
      protocol: '3.0',
    })
    expect(router.registrations().services['kept/deep']?.connectors[0]).toMatchObject({
      connectorInstanceID: 'my-id',
      connections: [{ socketID: info.socketID, domain: 'a.example', inFlight: 0 }],
    })
    ws.close()
  })

  it('may be nothing at all (npm-cranker-connector, go-cranker-connector, crank4j send no ids)', async () => {
    const registered = nextRegistered()
    const { ws } = await register(router, { path: '/register/' })
    expect(await registered).toMatchObject({ route: '*', domain: '*', connectorInstanceID: 'unknown-127.0.0.1' })
    ws.close()
  })

  it('may have an empty Route and Domain, which mean *', async () => {
    const registered = nextRegistered()
    const { ws } = await register(router, { headers: { Route: '', Domain: '' } })
    expect(await registered).toMatchObject({ route: '*', domain: '*' })
    ws.close()
  })

  it('may be sent to the path without the slash', async () => {
    const registered = nextRegistered()
    const { ws } = await register(router, { path: '/register?connectorInstanceID=slashless', headers: { Route: 's' } })
    expect((await registered).connectorInstanceID).toBe('slashless')
    ws.close()
  })

  it('may come with headers that nobody knows', async () => {
    const { ws } = await register(router, { headers: { 'X-Unknown': 'x', 'Cranker-Extensions': 'later;a=b, , ;' } })
    ws.close()
  })
})

describe('registration: extensions', () => {
  it('permessage-deflate that is offered is declined (crankers in Go, Python and JavaScript offer it)', async () => {
    const { ws, answer } = await register(router, { ws: { perMessageDeflate: true } })
    expect(answer.headers['sec-websocket-extensions']).toBeUndefined()
    expect(ws.extensions).toBe('')
    ws.close()
  })

  it('of Cranker are announced to those who announce some, and to nobody else', async () => {
    const plain = await register(router)
    expect(plain.answer.headers['cranker-extensions']).toBeUndefined()
    const able = await register(router, { headers: { 'Cranker-Extensions': 'refuse' } })
    expect(able.answer.headers['cranker-extensions']).toContain('refuse')
    plain.ws.close()
    able.ws.close()
  })
})

describe('registered sockets', () => {
  it('serve the requests of their route', async () => {
    const connector = await register(router, { subprotocols: ['cranker_1.0'], headers: { Route: 'served' } })
    const request = answerOnce(connector, 'hello')
    const res = await get('/served/x?y=1')
    expect(await res.text()).toBe('hello')
    expect(await request).toMatch(/^GET \/served\/x\?y=1 HTTP\/1\.1\n/)
    expect((await connector.closed).code).toBe(1000)
  })

  it('are taken by waiting requests as soon as they register', async () => {
    const first = await register(router, { subprotocols: ['cranker_1.0'], headers: { Route: 'awaited' } })
    void answerOnce(first, 'one')
    expect(await (await get('/awaited')).text()).toBe('one')
    const second = get('/awaited')
    const connector = await register(router, { subprotocols: ['cranker_1.0'], headers: { Route: 'awaited' } })
    void answerOnce(connector, 'two')
    expect(await (await second).text()).toBe('two')
  })

  it('are reported as lost, with the reason', async () => {
    const { ws } = await register(router, { headers: { Route: 'lost' } })
    const lost = once(router, 'lost')
    ws.terminate()
    const [socket, why] = (await lost) as [SocketInfo, object]
    expect(socket.route).toBe('lost')
    expect(why).toMatchObject({ clean: false, code: 1006 })
    expect(router.registrations().services['lost']).toBeUndefined()
  })
})

describe('the registration port, asked for something else', () => {
  const url = (path: string): string => `${router.address.registration.url.replace('ws:', 'http:')}${path}`

  it('tells whoever sends plain HTTP what it is for', async () => {
    const register = await fetch(url('/register/'))
    expect(register.status).toBe(426)
    expect(register.headers.get('upgrade')).toBe('websocket')
    expect(register.headers.get('sec-websocket-version')).toBe('13')
    const other = await fetch(url('/'))
    expect(other.status).toBe(404)
    expect(await other.text()).toContain('Clients use the public port')
  })

  it('answers 426 to another WebSocket version and to any other token in Upgrade', async () => {
    expect(await rawUpgrade(url('/register/'), { 'Sec-WebSocket-Version': '8' })).toMatch(/^HTTP\/1\.1 426 /)
    expect(await rawUpgrade(url('/register/'), { Upgrade: 'h2c' })).toMatch(/^HTTP\/1\.1 426 /)
  })

  it('answers 404 to WebSockets on other paths, 405 to TRACE and to methods that are no handshake', async () => {
    expect((await refusedRegistration(router, { path: '/chat' })).status).toBe(404)
    expect(await rawUpgrade(url('/register/'), {}, 'POST')).toMatch(/^HTTP\/1\.1 405 /)
    expect(await rawUpgrade(url('/register/'), {}, 'TRACE')).toMatch(/^HTTP\/1\.1 405 /)
    expect(await rawUpgrade(url('/register/'), { Upgrade: '', Connection: 'close' }, 'TRACE')).toMatch(
      /^HTTP\/1\.1 405 /,
    )
  })
})

describe('a port that is in use', () => {
  it('is told in one sentence that names the option, and nothing stays open', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const attempt = createRouter({ host: '127.0.0.1', port, registrationPort: 0 })
    await expect(attempt).rejects.toMatchObject({
      code: 'CRANKER_ERR_LISTEN',
      message: expect.stringMatching(
        /^Cannot listen on 127\.0\.0\.1:\d+ \(public port\): the port is in use\. .*`port`/,
      ),
    })
    other.close()
  })
})

/** A WebSocket handshake by hand; answers with the head of the response. */
async function rawUpgrade(url: string, headers: Record<string, string>, method = 'GET'): Promise<string> {
  const { hostname, port, pathname } = new URL(url)
  const fields = {
    Host: hostname,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }
  const { connect } = await import('node:net')
  const socket = connect(Number(port), hostname)
  const lines = Object.entries(fields)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${method} ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`)
  const [data] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return data.toString('latin1')
}
