/** The scripted stand-ins show the faults of the peers that they are named after, and ours gets along with each. */
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createConnector } from '../../connector/index.js'
import { createRouter } from '../../router/index.js'
import { fetchRaw } from '../support/http-client.js'
import { crank4go } from '../support/peers/crank4go.js'
import { crank4goRouter } from '../support/peers/crank4go-router.js'
import { crank4j } from '../support/peers/crank4j.js'
import { crank4jRouter } from '../support/peers/crank4j-router.js'
import { crankerNodeConnector } from '../support/peers/cranker-node-connector.js'
import { goCrankerConnector } from '../support/peers/go-cranker-connector.js'
import { scriptedConnectors, scriptedRouters } from '../support/peers/index.js'
import { npmCrankerConnector } from '../support/peers/npm-cranker-connector.js'
import { rustCrankerConnector } from '../support/peers/rust-cranker-connector.js'
import { RawClient } from '../support/raw-client.js'
import { type Attempt, requestV1, ScriptedRouter } from '../support/scripted-router.js'
import type { ConnectorPeer, RouterPeer, RunningRouter } from './peer.js'

let service: Server
let listener: RequestListener = (_req, res) => res.end()
let reached = 0
const cleanups: (() => Promise<unknown>)[] = []

const echo: RequestListener = (req, res) => {
  const chunks: Buffer[] = []
  req.on('data', (chunk: Buffer) => chunks.push(chunk))
  req.on('end', () => res.end(`${req.method ?? ''} ${req.url ?? ''} ${Buffer.concat(chunks).toString()}`))
}

beforeAll(async () => {
  service = createServer((req, res) => {
    reached++
    listener(req, res)
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
})

afterAll(() => {
  service.closeAllConnections()
  service.close()
})

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  listener = (_req, res) => res.end()
  reached = 0
})

function target(): string {
  return `http://127.0.0.1:${String((service.address() as AddressInfo).port)}`
}

/** A peer at a router that only looks. Its first socket, accepted. */
async function onWire(
  peer: ConnectorPeer,
  options: { readonly target?: string; readonly accept?: (attempt: Attempt) => unknown } = {},
): Promise<{ readonly router: ScriptedRouter; readonly ws: WebSocket; readonly first: Attempt }> {
  const accept = options.accept ?? ((attempt: Attempt) => attempt.accept({ headers: ['CrankerProtocol: 1.0'] }))
  const router = await ScriptedRouter.start(accept)
  cleanups.push(() => router[Symbol.asyncDispose]())
  const running = await peer.start({
    routers: [router.url],
    route: 'shop',
    target: options.target ?? target(),
    protocols: ['1.0'],
    window: 1,
  })
  cleanups.push(() => running.stop())
  await router.attempted(1)
  return { router, ws: router.sockets[0] as WebSocket, first: router.attempts[0] as Attempt }
}

async function deadTarget(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${String(port)}`
}

/** Sends one message that is too large for some; resolves with the close code. */
async function sendLarge(ws: WebSocket, bytes: number): Promise<number> {
  ws.send('POST /shop/x HTTP/1.1\nhost:service\n\n_1')
  ws.send(Buffer.alloc(bytes))
  const [code] = (await once(ws, 'close')) as [number]
  return code
}

describe('what the scripted connectors do on the wire', () => {
  it('none offers a subprotocol; all send CrankerProtocol', async () => {
    for (const peer of scriptedConnectors) {
      const { first } = await onWire(peer)
      expect([peer.name, first.offered, first.req.headers['crankerprotocol']]).toEqual([peer.name, [], '1.0'])
      expect(first.req.headers['route']).toBe('shop')
    }
  })

  it('crank4j, go-cranker-connector and npm-cranker-connector send no ids, the others do', async () => {
    const silent: string[] = []
    for (const peer of scriptedConnectors) {
      const { first } = await onWire(peer)
      if (!first.query.has('connectorInstanceID')) silent.push(peer.name)
    }
    expect(silent).toEqual(['C4J', 'GC', 'NPM'])
  })

  it('go-cranker-connector, cranker-node-connector and npm-cranker-connector offer permessage-deflate', async () => {
    const offering: string[] = []
    for (const peer of scriptedConnectors) {
      const { first } = await onWire(peer)
      if (first.req.headers['sec-websocket-extensions']?.includes('permessage-deflate')) offering.push(peer.name)
    }
    expect(offering).toEqual(['GC', 'NC', 'NPM'])
  })

  it.each([
    ['C4G', crank4go, 'HTTP/1.1 404 404 \nGET /shop/x\n'],
    ['C4J', crank4j, 'HTTP/1.1 404 Gone Fishing\nGET /shop/x\nA:b\nConnection:close\nContent-Length:2\n'],
    ['GC', goCrankerConnector, 'HTTP/1.1 404 Gone Fishing\r\nA: b\r\nContent-Length: 2\r\n'],
    ['NC', crankerNodeConnector, 'HTTP/1.1 404 Gone Fishing\na:b\nconnection:close\ncontent-length:2'],
    ['NPM', npmCrankerConnector, 'HTTP/1.1 404 Gone Fishing\na:b\nconnection:close\ncontent-length:2\n\n'],
    ['RC', rustCrankerConnector, 'HTTP/1.1 404 OK\na:b\nconnection:close\ncontent-length:2\n'],
  ])('%s writes response heads in its own way', async (_name, peer, head) => {
    listener = (_req, res) => {
      res.sendDate = false
      res.writeHead(404, 'Gone Fishing', ['A', 'b', 'Connection', 'close', 'Content-Length', '2']).end('hi')
    }
    const { ws } = await onWire(peer)
    expect(await requestV1(ws, '/shop/x')).toMatchObject({ head, body: 'hi' })
  })

  it('npm-cranker-connector ends with a Close frame without a code, the others with 1000', async () => {
    for (const peer of scriptedConnectors) {
      const { ws } = await onWire(peer)
      const { code } = await requestV1(ws, '/shop/x')
      expect([peer.name, code]).toEqual([peer.name, peer.name === 'NPM' ? 1005 : 1000])
    }
  })

  it.each([
    ['C4G', crank4go, 16_384],
    ['GC', goCrankerConnector, 32_768],
    ['C4J', crank4j, 65_536],
  ])('%s ends its socket with 1009 at a message that is larger than it reads', async (_name, peer, most) => {
    listener = echo
    const { ws } = await onWire(peer)
    expect(await sendLarge(ws, most + 1)).toBe(1009)
    const fits = await onWire(peer)
    fits.ws.send('POST /shop/x HTTP/1.1\nhost:service\n\n_1')
    fits.ws.send(Buffer.alloc(most))
    fits.ws.send('_3')
    expect((await once(fits.ws, 'close'))[0]).toBe(1000)
  })

  it.each([
    ['C4G', crank4go],
    ['C4J', crank4j],
    ['GC', goCrankerConnector],
  ])('%s comes back at once, again and again, when it is accepted and closed', async (_name, peer) => {
    const { router } = await onWire(peer, {
      accept: (attempt) => attempt.accept({ headers: ['CrankerProtocol: 1.0'] }).close(1000),
    })
    const begin = router.attempts.length
    await router.attempted(begin + 5)
  })

  it('crank4j takes no 101 without CrankerProtocol', async () => {
    const { ws, router } = await onWire(crank4j, { accept: (attempt) => attempt.accept() })
    expect((await once(ws, 'close'))[0]).toBe(1006)
    await router.attempted(2)
  })

  it('crank4j ends a request for what java.net.URI rejects with 1011', async () => {
    const { ws } = await onWire(crank4j)
    expect((await requestV1(ws, '/shop/x?a|b')).code).toBe(1011)
    expect(reached).toBe(0)
  })

  it('go-cranker-connector removes its route from the path', async () => {
    listener = echo
    const { ws } = await onWire(goCrankerConnector)
    expect((await requestV1(ws, '/shop/a%20b?c=%2F')).body).toBe('GET /a%20b?c=%2F ')
  })

  it('go-cranker-connector answers a service out of reach with a 500 that has no protocol word', async () => {
    const { ws } = await onWire(goCrankerConnector, { target: await deadTarget() })
    expect(await requestV1(ws, '/shop/x')).toEqual({
      head: ' 500 Server Error\r\n',
      body: 'errorId=0\n',
      code: 1000,
      reason: 'response finished',
    })
  })

  it.each([
    ['GC', goCrankerConnector],
    ['RC', rustCrankerConnector],
  ])('%s answers no ping while it waits for the service', async (_name, peer) => {
    let release: () => void = () => undefined
    const waits = new Promise<void>((resolve) => {
      listener = (req, res) => {
        if (req.url === '/elsewhere') {
          res.end()
          return
        }
        release = () => res.end('late')
        resolve()
      }
    })
    const { ws } = await onWire(peer)
    const order: string[] = []
    ws.on('pong', () => order.push('pong'))
    ws.on('message', () => order.push('message'))
    const answer = requestV1(ws, '/shop/x')
    await waits
    ws.ping()
    // Time enough for a pong to a peer that is in this process.
    await fetchRaw({ port: (service.address() as AddressInfo).port, path: '/elsewhere' })
    release()
    await answer
    expect(order[0]).toBe('message')
  })

  it.each([
    ['NC', crankerNodeConnector],
    ['NPM', npmCrankerConnector],
  ])('%s dies of a service out of reach, and its supervisor starts it again', async (_name, peer) => {
    const { ws, router } = await onWire(peer, { target: await deadTarget() })
    expect((await requestV1(ws, '/shop/x')).code).toBe(1006)
    await router.attempted(3)
  })

  it('npm-cranker-connector makes one set-cookie of three', async () => {
    listener = (_req, res) => res.setHeader('set-cookie', ['a=1', 'b=2', 'c=3']).end()
    const { ws } = await onWire(npmCrankerConnector)
    expect((await requestV1(ws, '/shop/x')).head).toContain('set-cookie:a=1,b=2,c=3\n')
  })

  it('npm-cranker-connector takes the last line but one for blank, whatever it is', async () => {
    listener = (req, res) => res.end(JSON.stringify(req.headers['lost'] ?? null))
    const { ws } = await onWire(npmCrankerConnector)
    let body = ''
    ws.on('message', (data: Buffer, binary: boolean) => (body += binary ? data.toString() : ''))
    ws.send('GET /shop/x HTTP/1.1\nhost:service\nlost:yes\n_2')
    await once(ws, 'close')
    expect(body).toBe('null')
  })

  it('rust-cranker-connector does not replace an idle socket that was closed cleanly, but one that was lost', async () => {
    const { ws, router } = await onWire(rustCrankerConnector)
    ws.close(1000)
    await once(ws, 'close')
    const other = await onWire(rustCrankerConnector)
    other.ws.terminate()
    await other.router.attempted(2)
    expect(router.attempts.length).toBe(1)
  })

  it('rust-cranker-connector never sends a request with a body', async () => {
    const { ws, router } = await onWire(rustCrankerConnector)
    ws.send('POST /shop/x HTTP/1.1\nhost:service\ncontent-length:2\n\n_1')
    ws.send(Buffer.from('hi'))
    ws.send('_3')
    await router.attempted(2)
    await requestV1(router.sockets[1] as WebSocket, '/shop/y')
    expect(reached).toBe(1)
  })

  it('crank4go gives up its request only when a write to its closed socket fails', async () => {
    const gone = new Promise<void>((resolve) => {
      listener = (req, res) => {
        res.write('a')
        next = () => res.write('b')
        req.on('close', resolve)
      }
    })
    let next: () => void = () => undefined
    const { ws } = await onWire(crank4go)
    ws.send('GET /shop/x HTTP/1.1\nhost:service\n\n_2')
    await once(ws, 'message')
    ws.close(1001)
    await once(ws, 'close')
    next()
    await gone
  })
})

describe.each(scriptedConnectors.map((peer) => [peer.name, peer] as const))('our router with %s', (name, peer) => {
  async function deployed(options: { readonly idleTimeout?: number } = {}): Promise<number> {
    const router = await createRouter({
      host: '127.0.0.1',
      port: 0,
      registrationPort: 0,
      drainTimeout: 0,
      startGrace: 0,
      ...options,
    })
    cleanups.push(() => router.close())
    const registered = once(router, 'registered')
    const running = await peer.start({
      routers: [`ws://127.0.0.1:${String(router.address.registration.port)}`],
      route: 'shop',
      target: target(),
      protocols: ['1.0'],
    })
    cleanups.push(() => running.stop())
    await registered
    return router.address.public.port
  }
  const path = name === 'GC' ? '/x' : '/shop/x'

  it('answers GETs, one after the other and at once', async () => {
    listener = echo
    const port = await deployed()
    for (let i = 0; i < 5; i++) expect((await fetchRaw({ port, path: '/shop/x' })).text).toBe(`GET ${path} `)
    const all = await Promise.all(Array.from({ length: 20 }, () => fetchRaw({ port, path: '/shop/x' })))
    expect(new Set(all.map((response) => response.text))).toEqual(new Set([`GET ${path} `]))
  })

  if (name === 'RC') {
    it('ends a POST, on which it hangs, by the idle timeout', async () => {
      const port = await deployed({ idleTimeout: 200 })
      expect((await fetchRaw({ port, path: '/shop/x', method: 'POST', body: 'hi' })).status).toBe(504)
    })
  } else {
    it('passes bodies of every size, with a length and in chunks', async () => {
      listener = (req, res) => req.pipe(res)
      const port = await deployed()
      for (const size of [1, 16_384, 16_385, 300_000]) {
        const body = Buffer.alloc(size, 'x')
        const fixed = await fetchRaw({ port, path: '/shop/x', method: 'POST', body })
        expect([fixed.status, fixed.body.equals(body)]).toEqual([200, true])
        const headers = ['Transfer-Encoding', 'chunked']
        const chunked = await fetchRaw({ port, path: '/shop/x', method: 'POST', headers, body })
        expect([chunked.status, chunked.body.equals(body)]).toEqual([200, true])
      }
    })
  }

  it('answers what browsers send raw in queries', async () => {
    const port = await deployed()
    const client = await RawClient.connect(port)
    client.write('GET /shop/x?q=a|b{c} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect((await client.response()).status).toBe(200)
  })
})

async function startRouter(peer: RouterPeer, connectorWait = 2_000): Promise<RunningRouter> {
  const router = await peer.start({ connectorWait })
  cleanups.push(() => router.stop())
  return router
}

/** A connector that a test plays by hand at a scripted router. */
async function registerAt(router: RunningRouter, path = '/register/?connectorInstanceID=a'): Promise<WebSocket> {
  const ws = new WebSocket(`ws://127.0.0.1:${String(router.registrationPort)}${path}`, {
    headers: { CrankerProtocol: '1.0', Route: 'shop' },
  })
  ws.on('error', () => undefined)
  cleanups.push(async () => ws.terminate())
  await once(ws, 'open')
  return ws
}

describe('what the scripted routers do on the wire', () => {
  it.each(scriptedRouters.map((peer) => [peer.title, peer] as const))(
    '%s echoes no subprotocol',
    async (_title, peer) => {
      const router = await startRouter(peer)
      const ws = new WebSocket(`ws://127.0.0.1:${String(router.registrationPort)}/register/`, ['cranker_1.0'], {
        headers: { CrankerProtocol: '1.0' },
      })
      const [error] = (await once(ws, 'error')) as [Error]
      expect(error.message).toBe('Server sent no subprotocol')
    },
  )

  it.each(scriptedRouters.map((peer) => [peer.title, peer] as const))(
    '%s insists on CrankerProtocol, and answers with it',
    async (_title, peer) => {
      const router = await startRouter(peer)
      const url = `ws://127.0.0.1:${String(router.registrationPort)}/register/`
      const refused = new WebSocket(url)
      const [error] = (await once(refused, 'error')) as [Error]
      expect(error.message).toMatch(/500/)
      const ws = new WebSocket(url, { headers: { CrankerProtocol: '1.0' } })
      const [answer] = (await once(ws, 'upgrade')) as [{ headers: Record<string, string> }]
      expect(answer.headers['crankerprotocol']).toBe('1.0')
      ws.terminate()
    },
  )

  it('crank4go: forwards neither Host nor a chunked body, decodes the path, and loses the response’s fields', async () => {
    const router = await startRouter(crank4goRouter)
    const ws = await registerAt(router)
    const answer = fetchRaw({
      port: router.publicPort,
      path: '/shop/a%20b?c=%20',
      method: 'POST',
      headers: ['Transfer-Encoding', 'chunked'],
      body: 'lost',
    })
    const [message] = (await once(ws, 'message')) as [Buffer]
    const lines = message.toString().split('\n')
    expect([lines[0], lines.at(-1)]).toEqual(['POST /shop/a b?c=%20 HTTP/1.1', '_2'])
    expect(lines.some((line) => /^host:/i.test(line))).toBe(false)
    ws.send('HTTP/1.1 201 Created\nX-Kept:no\n')
    ws.close(1000)
    const response = await answer
    expect([response.status, response.field('x-kept')]).toEqual([201, []])
  })

  it('crank4go: a response that broke off looks complete', async () => {
    const router = await startRouter(crank4goRouter)
    const ws = await registerAt(router)
    const answer = fetchRaw({ port: router.publicPort, path: '/shop/x' })
    await once(ws, 'message')
    ws.send('HTTP/1.1 200 OK\ncontent-length:10\n')
    ws.send(Buffer.from('half'))
    ws.close(1011)
    expect((await answer).text).toBe('half')
  })

  it('crank4go: a deregistration is cut, and one socket of the route is forgotten', async () => {
    const router = await startRouter(crank4goRouter)
    const forgotten = await registerAt(router)
    const kept = await registerAt(router)
    await expect(registerAt(router, '/deregister/?connectorInstanceID=a')).rejects.toThrow(/hang up|ECONNRESET/)
    const answer = fetchRaw({ port: router.publicPort, path: '/shop/x' })
    await once(kept, 'message')
    expect(forgotten.readyState).toBe(WebSocket.OPEN)
    kept.close(1000)
    await answer
  })

  it('crank4j: a deregistration closes the idle sockets of that id, and is answered', async () => {
    const router = await startRouter(crank4jRouter)
    const ws = await registerAt(router)
    const other = await registerAt(router, '/register/')
    const withdrawal = await registerAt(router, '/deregister/?connectorInstanceID=a')
    expect((await once(withdrawal, 'close'))[0]).toBe(1000)
    if (ws.readyState !== WebSocket.CLOSED) await once(ws, 'close')
    expect(other.readyState).toBe(WebSocket.OPEN)
  })
})

describe.each(scriptedRouters.map((peer) => [peer.title, peer] as const))(
  'our connector with the %s',
  (_title, peer) => {
    async function deployed(): Promise<{ readonly router: RunningRouter; readonly port: number }> {
      const router = await startRouter(peer)
      const connector = await createConnector({
        routers: `ws://127.0.0.1:${String(router.registrationPort)}`,
        route: 'shop',
        target: target(),
        backoffBase: 20,
      })
      cleanups.push(() => connector.close())
      await connector.registered
      return { router, port: router.publicPort }
    }

    it('falls back to 1.0 and answers GETs, one after the other and at once', async () => {
      listener = echo
      const { port } = await deployed()
      for (let i = 0; i < 5; i++) expect((await fetchRaw({ port, path: '/shop/x' })).text).toBe('GET /shop/x ')
      const all = await Promise.all(Array.from({ length: 20 }, () => fetchRaw({ port, path: '/shop/x' })))
      expect(new Set(all.map((response) => response.text))).toEqual(new Set(['GET /shop/x ']))
    })

    it('passes bodies with a length, both ways', async () => {
      listener = (req, res) => req.pipe(res)
      const { port } = await deployed()
      for (const size of [1, 16_384, 300_000]) {
        const body = Buffer.alloc(size, 'x')
        const response = await fetchRaw({ port, path: '/shop/x', method: 'POST', body })
        expect([response.status, response.body.equals(body)]).toEqual([200, true])
      }
    })

    it('comes back after the router was restarted', async () => {
      listener = echo
      const { router, port } = await deployed()
      const { registrationPort } = router
      await router.stop()
      // A route that is not registered yet is no route to it: requests wait at the catch-all, in vain (503). And our
      // first handshake offers subprotocols, in case that a newer router came back: it takes that socket, and may lose
      // a request to it (502).
      const again = await peer.start({ publicPort: port, registrationPort, connectorWait: 20 })
      cleanups.push(() => again.stop())
      let response = await fetchRaw({ port, path: '/shop/x' })
      while (response.status !== 200) response = await fetchRaw({ port, path: '/shop/x' })
      expect(response.text).toBe('GET /shop/x ')
    })

    it('leaves, whatever the router makes of the deregistration: nothing is given to it any more', async () => {
      const router = await startRouter(peer, 100)
      const connector = await createConnector({
        routers: `ws://127.0.0.1:${String(router.registrationPort)}`,
        route: 'shop',
        target: target(),
      })
      await connector.registered
      await connector.close()
      expect((await fetchRaw({ port: router.publicPort, path: '/shop/x' })).status).toBe(503)
      expect(reached).toBe(0)
    })
  },
)
