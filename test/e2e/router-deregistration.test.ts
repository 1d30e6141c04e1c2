import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRouter, type Router } from '../../router/index.js'
import { register, type ScriptedConnector } from '../support/scripted-connector.js'

let router: Router

beforeEach(async () => {
  router = await createRouter({
    host: '127.0.0.1',
    port: 0,
    registrationPort: 0,
    connectorWait: 200,
    drainTimeout: 500,
  })
})

afterEach(() => router.close())

const get = (path: string): Promise<Response> => fetch(`${router.address.public.url}${path}`)

function connect(id: string, route: string, domain = '*', version = '1.0'): Promise<ScriptedConnector> {
  return register(router, {
    path: `/register/?connectorInstanceID=${id}`,
    subprotocols: [`cranker_${version}`],
    headers: { Route: route, Domain: domain },
  })
}

function deregister(query: string, route: string): Promise<ScriptedConnector> {
  return register(router, { path: `/deregister/${query}`, subprotocols: [], headers: { Route: route } })
}

describe('deregistration', () => {
  it('needs no version and no subprotocol, and is answered with 1000 "Deregister complete"', async () => {
    const leaving = await deregister('?connectorInstanceID=a', 'shop')
    expect(leaving.answer.headers['sec-websocket-protocol']).toBeUndefined()
    expect(await leaving.closed).toEqual({ code: 1000, reason: 'Deregister complete' })
  })

  it("closes that instance's idle sockets of that route with 1001 at once, in all domains (cranker-connector's stop() insists)", async () => {
    const gone = [
      await connect('a', 'shop'),
      await connect('a', 'shop', 'x.example'),
      await connect('a', 'shop', '*', '3.0'),
    ]
    const stays = [await connect('a', 'blog'), await connect('b', 'shop')]
    const event = once(router, 'deregistered')
    await deregister('?connectorInstanceID=a', 'shop')
    for (const each of gone) expect((await each.closed).code).toBe(1001)
    expect(await event).toEqual([{ connectorInstanceID: 'a', route: 'shop', sockets: 3 }])
    for (const each of stays) expect(each.ws.readyState).toBe(each.ws.OPEN)
  })

  it('lets a running request finish and gives the socket no other', async () => {
    const connector = await connect('a', 'shop', '*', '3.0')
    const message = once(connector.ws, 'message')
    const response = get('/shop/slow')
    const [frame] = (await message) as [Buffer]
    const id = frame.readInt32BE(2)
    await deregister('?connectorInstanceID=a', 'shop')
    const second = await get('/shop/second')
    expect(second.status).toBe(503)
    const part = (type: number, flags: number, payload: string): Buffer => {
      const head = Buffer.from([type, flags, 0, 0, 0, 0])
      head.writeInt32BE(id, 2)
      return Buffer.concat([head, Buffer.from(payload)])
    }
    connector.ws.send(part(1, 4, 'HTTP/1.1 200 OK\ncontent-length:4\n'))
    connector.ws.send(part(0, 1, 'done'))
    expect(await (await response).text()).toBe('done')
    expect((await connector.closed).code).toBe(1001)
  })

  it('without an id does nothing, also to those whose id was made from their address', async () => {
    const nameless = await register(router, { headers: { Route: 'shop' } })
    expect((await (await deregister('', 'shop')).closed).code).toBe(1000)
    const made = await deregister('?connectorInstanceID=unknown-127.0.0.1', 'shop')
    expect((await made.closed).code).toBe(1000)
    expect(nameless.ws.readyState).toBe(nameless.ws.OPEN)
  })

  it('is known to the path without the slash', async () => {
    const leaving = await register(router, { path: '/deregister?connectorInstanceID=a', subprotocols: [] })
    expect((await leaving.closed).code).toBe(1000)
  })
})
