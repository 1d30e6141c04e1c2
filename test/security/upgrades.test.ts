/** A WebSocket request must not be a way around what every other request is held to. */
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { startPair, versions, type Pair } from '../support/pair.js'
import { RawClient } from '../support/raw-client.js'
import { startHttpSide } from '../support/scripted-session.js'
import { UpgradeBed, upgradeRequest, ways } from '../support/upgrades.js'

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

const cleanup: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const clean of cleanup.splice(0).reverse()) await clean()
})

/** A service that is told each piece that arrives and answers by hand. */
async function rawService(
  version: (typeof versions)[number],
  onData: (text: string, socket: Socket) => void,
): Promise<Pair> {
  const sockets = new Set<Socket>()
  const service = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => onData(chunk.toString('latin1'), socket))
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const target = `http://127.0.0.1:${String((service.address() as AddressInfo).port)}`
  const pair = await startPair({ version, target })
  cleanup.push(async () => {
    for (const socket of sockets) socket.destroy()
    service.close()
    await pair[Symbol.asyncDispose]()
  })
  return pair
}

async function clientOf(port: number): Promise<RawClient> {
  const client = await RawClient.connect(port)
  cleanup.push(() => client.leave())
  return client
}

describe.each(versions)('over %s', (version) => {
  it('bytes behind a WebSocket request reach a service that declines it only as a request of their own', async () => {
    const seen: string[] = []
    const pair = await rawService(version, (text, socket) => {
      seen.push(text)
      socket.write('HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n')
    })
    const client = await clientOf(pair.port)
    client.write(`${upgradeRequest('/public', 'Sec-WebSocket-Version: 777\r\n')}GET /admin HTTP/1.1\r\nHost: a\r\n\r\n`)
    expect((await client.response()).status).toBe(426)
    expect((await client.response()).status).toBe(426)
    expect(seen).toHaveLength(2)
    expect(seen[0]).not.toContain('/admin')
    // It went through the router, which checks and routes: both have its mark.
    for (const text of seen) expect(text.toLowerCase()).toContain('\r\nvia: 1.1 cranker\r\n')
  })

  it('a service that says 101 to a request that did not ask is an invalid response, and nothing of it reaches the client', async () => {
    const pair = await rawService(version, (_text, socket) => socket.write(`${SWITCHING}HTTP/1.1 200 OK\r\n\r\nevil`))
    const client = await clientOf(pair.port)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const answer = await client.response()
    expect([answer.status, answer.text.includes('evil')]).toEqual([502, false])
  })

  it.each([
    ['no Upgrade field', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['another protocol', 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'],
    ['no Connection field', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'],
    ['a control in a field', `${SWITCHING.slice(0, -2)}X: a\0b\r\n\r\n`],
  ])('a 101 with %s is an invalid response', async (_name, head) => {
    const pair = await rawService(version, (_text, socket) => socket.write(head))
    const client = await clientOf(pair.port)
    client.write(upgradeRequest())
    expect((await client.response()).status).toBe(502)
  })

  it('a 101 with a length or a coding is still the beginning of raw bytes, without those fields', async () => {
    const fields = 'Content-Length: 3\r\nServer: secret\r\n'
    const pair = await rawService(version, (_text, socket) =>
      socket.write(`${SWITCHING.slice(0, -2)}${fields}\r\nmore than three`),
    )
    const client = await clientOf(pair.port)
    client.write(upgradeRequest())
    const { status, headers } = await client.head()
    expect([status, headers]).toEqual([101, ['Connection', 'Upgrade', 'Upgrade', 'websocket']])
    await client.until('more than three')
  })

  it.each([
    ['a body by length', 'GET / HTTP/1.1', 'Content-Length: 5\r\n\r\nhello', 'hello'],
    ['a chunked body', 'GET / HTTP/1.1', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n', 'hello'],
    ['POST', 'POST / HTTP/1.1', 'Content-Length: 5\r\n\r\nhello', 'hello'],
    ['HTTP/1.0', 'GET / HTTP/1.0', '\r\n', ''],
  ])('a WebSocket request with %s is an ordinary request, and the body stays one', async (_name, line, rest, body) => {
    const bodies: string[] = []
    let upgrades = 0
    await using bed = await UpgradeBed.start(
      { version, target: 'in-process' },
      {
        listener: (req, res) => {
          let text = ''
          req.on('data', (chunk: Buffer) => (text += chunk.toString()))
          req.on('end', () => {
            bodies.push(`${text} ${String(req.headers.upgrade)}`)
            res.end('ordinary')
          })
        },
      },
    )
    bed.onUpgrade = () => upgrades++
    const client = await bed.client()
    client.write(`${line}\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${rest}`)
    expect((await client.response()).text).toBe('ordinary')
    expect([bodies, upgrades]).toEqual([[`${body} undefined`], 0])
  })
})

it.each([
  ['two hosts', 'Host: b\r\n', 400],
  ['two lengths', 'Content-Length: 0\r\nContent-Length: 0\r\n', 400],
  ['a length and chunks', 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 400],
  ['another expectation', 'Expect: magic\r\n', 417],
])('a WebSocket request with %s is refused like any other', async (_name, fields, status) => {
  const side = await startHttpSide()
  cleanup.push(() => side.close())
  const client = await clientOf(side.port)
  client.write(upgradeRequest('/', fields))
  expect((await client.response()).status).toBe(status)
})

it.each([
  ['without the fields of an upgrade', []],
  ['to another protocol', ['Connection', 'Upgrade', 'Upgrade', 'h2c']],
])('a connector that says 101 %s gets no way to the client', async (_name, headers) => {
  const side = await startHttpSide()
  cleanup.push(() => side.close())
  const client = await clientOf(side.port)
  client.write(upgradeRequest())
  const exchange = await side.exchange()
  exchange.handler.onHead({ status: 101, reason: 'Switching Protocols', headers }, false)
  expect(exchange.resetError?.code).toBe('CRANKER_ERR_BAD_RESPONSE')
  expect((await client.response()).status).toBe(502)
})

it('a confusing path is refused in a WebSocket request too', async () => {
  const side = await startHttpSide()
  cleanup.push(() => side.close())
  const client = await clientOf(side.port)
  client.write(upgradeRequest('/a/%2e%2e/admin'))
  expect((await client.response()).status).toBe(400)
})

it.each(ways)('resets while an upgrade waits do not end anything: $version, $target', async (way) => {
  await using bed = await UpgradeBed.start(way, { connector: { window: 8 } })
  bed.onUpgrade = () => undefined
  for (let i = 0; i < 30; i++) {
    const client = await bed.client()
    client.write(upgradeRequest())
    if (i % 3 === 0) client.write('early')
    if (i % 2 === 0) client.reset()
    else client.leave()
  }
  const client = await bed.client()
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  expect((await client.response()).text).toBe('ok')
})

it('what a client sends before its upgrade is granted is bounded: beyond, it is not read', async () => {
  await using bed = await UpgradeBed.start({ version: '3.0', target: 'URL' })
  const asked = new Promise<void>((resolve) => {
    bed.onUpgrade = () => {
      resolve()
    }
  })
  const client = await bed.client()
  client.write(upgradeRequest())
  await asked
  const before = process.memoryUsage.rss()
  client.write(Buffer.alloc(64 * 1024 * 1024))
  // Another request, there and back, several times: whatever would be read has been read by then.
  for (let i = 0; i < 20; i++) {
    const other = await bed.client()
    other.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await other.response()).text).toBe('ok')
  }
  expect(client.socket.writableLength).toBe(64 * 1024 * 1024)
  expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024)
})
