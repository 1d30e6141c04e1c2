/** WebSockets through the pair are what they are without it: real clients, real servers. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { fetchRaw } from '../support/http-client.js'
import { startPair, type Pair } from '../support/pair.js'
import { RawClient } from '../support/raw-client.js'
import { upgradeRequest, ways } from '../support/upgrades.js'
import { websocketCases } from '../support/websocket-cases.js'

interface DialOptions {
  readonly path?: string
  readonly protocols?: string[]
  readonly deflate?: boolean
}

describe.each(ways)('a WebSocket over $version to a $target target', ({ version, target }) => {
  let pair: Pair
  let server: Server
  let wss: WebSocketServer
  let servicePort: number
  /** The service's end of the latest connection. */
  let service: WebSocket

  beforeAll(async () => {
    server = createServer((_req, res) => res.end('plain'))
    wss = new WebSocketServer({
      server,
      perMessageDeflate: { threshold: 0 },
      maxPayload: 2_000_000,
      handleProtocols: (offered) => (offered.has('second') ? 'second' : false),
      verifyClient: ({ req }, answer) => {
        if (req.url === '/forbidden') answer(false, 421, 'No', { 'x-why': 'because' })
        else answer(true)
      },
    })
    wss.on('connection', (ws, req) => {
      service = ws
      ws.on('error', () => undefined)
      if (req.url === '/hello') ws.send('hello')
      if (req.url === '/bye') ws.close(4321, 'bye')
      ws.on('message', (data, binary) => ws.send(data, { binary }))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    servicePort = (server.address() as AddressInfo).port
    pair = await startPair({ version, target: target === 'URL' ? `http://127.0.0.1:${String(servicePort)}` : server })
  })

  afterAll(async () => {
    for (const client of wss.clients) client.terminate()
    await pair[Symbol.asyncDispose]()
    server.close()
  })

  const create = ({ path = '/', protocols = [], deflate = false }: DialOptions = {}): WebSocket =>
    new WebSocket(`ws://127.0.0.1:${String(pair.port)}${path}`, protocols, { perMessageDeflate: deflate })
  const dial = async (options?: DialOptions): Promise<WebSocket> => {
    const ws = create(options)
    await once(ws, 'open')
    return ws
  }

  it.each([false, true])('echoes text and binary messages of any size (permessage-deflate: %s)', async (deflate) => {
    const ws = await dial({ deflate })
    expect(ws.extensions).toBe(deflate ? 'permessage-deflate' : '')
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      const data = randomBytes(size)
      const answer = once(ws, 'message') as Promise<[Buffer, boolean]>
      ws.send(data)
      const [got, binary] = await answer
      expect([binary, got.equals(data)]).toEqual([true, true])
    }
    const answer = once(ws, 'message') as Promise<[Buffer, boolean]>
    ws.send('grüße')
    expect([String((await answer)[0]), (await answer)[1]]).toEqual(['grüße', false])
    ws.terminate()
  })

  it('carries pings and pongs of both sides with their payloads', async () => {
    const ws = await dial()
    const pong = once(ws, 'pong')
    ws.ping('from the client')
    expect(String((await pong)[0])).toBe('from the client')
    const back = once(service, 'pong')
    service.ping('from the service')
    expect(String((await back)[0])).toBe('from the service')
    ws.terminate()
  })

  it('is opened with the subprotocol that the service chooses, and lets it speak first', async () => {
    const ws = create({ path: '/hello', protocols: ['first', 'second'] })
    expect(String((await once(ws, 'message'))[0])).toBe('hello')
    expect(ws.protocol).toBe('second')
    ws.terminate()
  })

  it.each([1000, 1001, 3000, 4999])(
    'closed by the client with %i is closed so at the service, and back',
    async (code) => {
      const ws = await dial()
      const at = once(service, 'close') as Promise<[number, Buffer]>
      const back = once(ws, 'close') as Promise<[number, Buffer]>
      ws.close(code, 'reason')
      expect([(await at)[0], String((await at)[1])]).toEqual([code, 'reason'])
      expect((await back)[0]).toBe(code)
    },
  )

  it('closed by the service tells the client the code and the reason', async () => {
    const ws = create({ path: '/bye' })
    const [code, reason] = (await once(ws, 'close')) as [number, Buffer]
    expect([code, String(reason)]).toEqual([4321, 'bye'])
  })

  it('cut on one side is 1006 on the other', async () => {
    const first = await dial()
    const atService = once(service, 'close')
    first.terminate()
    expect((await atService)[0]).toBe(1006)
    const second = await dial()
    const atClient = once(second, 'close')
    service.terminate()
    expect((await atClient)[0]).toBe(1006)
  })

  it('that the service refuses is an ordinary response', async () => {
    const ws = create({ path: '/forbidden' })
    ws.on('error', () => undefined)
    const [, response] = (await once(ws, 'unexpected-response')) as [unknown, { statusCode: number; headers: object }]
    expect(response.statusCode).toBe(421)
    expect(response.headers).toMatchObject({ 'x-why': 'because' })
    ws.terminate()
    expect((await fetchRaw({ port: pair.port })).text).toBe('plain')
  })

  it('does not disturb others, nor the requests beside it', async () => {
    const sockets = await Promise.all(Array.from({ length: 20 }, () => dial()))
    const answers = sockets.map(async (ws, i) => {
      const got: string[] = []
      for (let n = 0; n < 10; n++) {
        const answer = once(ws, 'message')
        ws.send(`${String(i)} ${String(n)}`)
        got.push(String((await answer)[0]))
        expect((await fetchRaw({ port: pair.port })).text).toBe('plain')
      }
      return got
    })
    expect(await Promise.all(answers)).toEqual(
      sockets.map((_, i) => Array.from({ length: 10 }, (_unused, n) => `${String(i)} ${String(n)}`)),
    )
    for (const ws of sockets) ws.terminate()
  })

  it('gets the same verdict on whatever RFC 6455 allows and forbids as one that goes to the service directly', async () => {
    const verdict = async (port: number, bytes: Buffer): Promise<string> => {
      const client = await RawClient.connect(port)
      client.write(upgradeRequest())
      expect((await client.head()).status).toBe(101)
      client.write(bytes)
      client.halfClose()
      await client.closed()
      const seen = client.received.toString('latin1')
      client.leave()
      return seen
    }
    const cases = websocketCases()
    expect(cases.length).toBeGreaterThan(190)
    for (const { name, bytes } of cases) {
      const [direct, tunnelled] = await Promise.all([verdict(servicePort, bytes), verdict(pair.port, bytes)])
      expect(tunnelled === direct, name).toBe(true)
    }
  }, 60_000)
})
