/** WebSockets and the router around them: routing, options, draining, TLS, the access log. */
import { once } from 'node:events'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createConnector } from '../../connector/index.js'
import { createRouter, type AccessEntry } from '../../router/index.js'
import { certificate } from '../support/certificate.js'
import { RawClient } from '../support/raw-client.js'
import { register } from '../support/scripted-connector.js'
import { UpgradeBed, upgradeRequest, ways } from '../support/upgrades.js'
import { frame } from '../support/websocket-cases.js'
import { versions } from '../support/pair.js'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

describe('WebSockets and connectors', () => {
  it('that cannot carry them are answered 501 at once, with a code, and the connection goes on', async () => {
    const access: AccessEntry[] = []
    await using router = await createRouter({
      host: '127.0.0.1',
      port: 0,
      registrationPort: 0,
      drainTimeout: 0,
      accessLog: (entry) => access.push(entry),
    })
    const old = await register(router, { headers: { Route: 'ws' } })
    const client = await RawClient.connect(router.address.public.port)
    for (let i = 0; i < 2; i++) {
      client.write(upgradeRequest('/ws/x'))
      const answer = await client.response()
      expect([answer.status, answer.text]).toEqual([501, expect.stringContaining('CRANKER_ERR_NO_UPGRADE')])
    }
    expect(access).toMatchObject([
      { status: 501, error: 'CRANKER_ERR_NO_UPGRADE' },
      { status: 501, error: 'CRANKER_ERR_NO_UPGRADE' },
    ])
    client.leave()
    old.ws.terminate()
  })

  it.each(versions)('go to those that can carry them, and wait for one that is away (%s)', async (version) => {
    await using bed = await UpgradeBed.start({ version, target: 'in-process' }, { route: 'ws', connect: false })
    const wss = new WebSocketServer({ noServer: true })
    bed.onUpgrade = (req, socket, early) => {
      wss.handleUpgrade(req, socket, early, (ws) => ws.send('welcome'))
    }
    const dial = async (): Promise<string> => {
      const ws = new WebSocket(`ws://127.0.0.1:${String(bed.port)}/ws`)
      const [message] = (await once(ws, 'message')) as [Buffer]
      ws.terminate()
      return String(message)
    }
    const waiting = dial()
    await bed.pair.connect()
    expect(await waiting).toBe('welcome')
    // Idle, and preferred by load, but it does not know upgrades.
    const old = await register(bed.pair.router, { headers: { Route: 'ws' } })
    for (let i = 0; i < 6; i++) expect(await dial()).toBe('welcome')
    old.ws.terminate()
  })

  it('to a listener without a handler for upgrades get what node answers: an ordinary response', async () => {
    await using bed = await UpgradeBed.start({ version: '3.0', target: 'in-process' }, { connect: false })
    await bed.pair.connect({ target: (req, res) => res.end(`plain ${String(req.headers.upgrade)}`) })
    const client = await bed.client()
    client.write(upgradeRequest())
    const answer = await client.response()
    expect([answer.status, answer.text]).toEqual([200, 'plain websocket'])
  })

  it('do not use up the connections that requests need', async () => {
    await using bed = await UpgradeBed.start(
      { version: '3.0', target: 'URL' },
      { connector: { targetMaxConnections: 2 } },
    )
    for (let i = 0; i < 5; i++) await bed.open()
    const client = await bed.client()
    client.write(GET)
    expect((await client.response()).text).toBe('ok')
  })
})

describe.each(ways)('a router that stops, over $version to a $target target', (way) => {
  it('lets WebSockets end by themselves within the drain timeout', async () => {
    await using bed = await UpgradeBed.start(way, { router: { drainTimeout: 60_000 } })
    const { client, socket } = await bed.open()
    const closed = bed.pair.router.drain()
    socket.write('still ')
    await client.until('still ')
    socket.on('end', () => socket.end('here'))
    client.halfClose()
    expect(await client.closed()).toBe('fin')
    expect(client.received.toString()).toBe('still here')
    await closed
  })

  it('closes them with 1001 at the limit, towards both ends', async () => {
    const access: AccessEntry[] = []
    await using bed = await UpgradeBed.start(way, {
      router: { drainTimeout: 20, accessLog: (entry) => access.push(entry) },
    })
    const wss = new WebSocketServer({ noServer: true })
    const service = new Promise<WebSocket>((resolve) => {
      bed.onUpgrade = (req, socket, early) => {
        wss.handleUpgrade(req, socket, early, resolve)
      }
    })
    const ws = new WebSocket(`ws://127.0.0.1:${String(bed.port)}/`)
    await once(ws, 'open')
    const atClient = once(ws, 'close')
    const atService = once(await service, 'close')
    await bed.pair.router.drain()
    expect((await atClient)[0]).toBe(1001)
    expect((await atService)[0]).toBe(1001)
    await expect.poll(() => access).toMatchObject([{ status: 101, error: undefined }])
  })

  it('cuts those that are in the middle of a message', async () => {
    await using bed = await UpgradeBed.start(way, { router: { drainTimeout: 20 } })
    const { client, socket } = await bed.open()
    const whole = frame({ opcode: 2, payload: Buffer.alloc(100), masked: false })
    socket.write(whole.subarray(0, 50))
    while (client.received.length < 50) await once(client.socket, 'data')
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    socket.resume()
    await bed.pair.router.drain()
    await client.closed()
    await gone
    expect(client.received.equals(whole.subarray(0, 50))).toBe(true)
  })
})

it.each(ways)('a connector that stops cuts WebSockets at its limit ($version, $target)', async (way) => {
  await using bed = await UpgradeBed.start(way, { connector: { drainTimeout: 50 } })
  const { client, socket } = await bed.open()
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.resume()
  await bed.pair.connector.close()
  await client.closed()
  await gone
})

describe('TLS', () => {
  const strict = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
  beforeEach(() => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
  })
  afterEach(() => {
    if (strict === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = strict
  })

  it('on every hop carries them, and their halves end one by one', async () => {
    const server = createTlsServer({ ...certificate, allowHalfOpen: true } as ServerOptions)
    const ends: Duplex[] = []
    server.on('upgrade', (_req, socket: Duplex) => {
      ends.push(socket)
      socket.on('error', () => undefined)
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      socket.on('data', (chunk: Buffer) => socket.write(chunk))
      socket.on('end', () => socket.end('bye'))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    await using router = await createRouter({
      host: '127.0.0.1',
      port: 0,
      registrationPort: 0,
      tls: certificate,
      drainTimeout: 100,
    })
    await using connector = await createConnector({
      routers: router.address.registration.url,
      insecureSkipVerify: true,
      route: '*',
      target: `https://localhost:${String((server.address() as AddressInfo).port)}`,
      drainTimeout: 100,
    })
    await connector.registered
    const client = await RawClient.connect(router.address.public.port, { tls: true })
    client.write(upgradeRequest())
    expect((await client.head()).status).toBe(101)
    client.write('echo')
    client.halfClose()
    await client.until('echobye')
    client.leave()
    for (const end of ends) end.destroy()
    server.close()
  })
})
