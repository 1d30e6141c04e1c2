/** Clients that want too much at once, or take too long. */
import { afterEach, describe, expect, it } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { type HttpSide, type HttpSideOptions, startHttpSide } from '../support/scripted-session.js'

let side: HttpSide
const start = async (options?: HttpSideOptions): Promise<RawClient> => {
  side = await startHttpSide(options)
  return RawClient.connect(side.port)
}
afterEach(() => side.close())

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

it('20,000 pipelined requests run one at a time', async () => {
  let most = 0
  const client = await start({
    play: (exchange) => {
      most = Math.max(most, side.session.load)
      setImmediate(() => exchange.answer(String(exchange.id)))
    },
  })
  client.write(GET.repeat(20_000))
  for (let i = 1; i <= 300; i++) expect((await client.response()).text).toBe(String(i))
  expect(most).toBe(1)
  // Not even parsed: the socket is not read while requests wait.
  expect(side.proxy.running).toBeLessThanOrEqual(1)
  client.leave()
})

it('pipelined requests beyond a bound are not kept in memory: the connection waits', async () => {
  const client = await start()
  client.write(GET.repeat(200_000))
  await side.exchange()
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  expect(side.session.opened).toBe(1)
  // The kernel holds the rest, or the client itself does.
  expect(client.socket.writableLength).toBeGreaterThan(0)
})

it('every pipelined request is answered, in order, also when the answers are slow', async () => {
  const client = await start({ play: (exchange) => setImmediate(() => exchange.answer(exchange.head.target)) })
  client.write(Array.from({ length: 5_000 }, (_, i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
  for (let i = 0; i < 5_000; i++) expect((await client.response()).text).toBe(`/${i}`)
})

it('a slow head is answered with 408', async () => {
  const client = await start({ headTimeout: 100 })
  client.write('GET / HTTP/1.1\r\nHost: a\r\nX: ')
  expect((await client.response()).status).toBe(408)
  await client.closed()
})

it('a connection on which nothing is said is closed', async () => {
  const client = await start({ headTimeout: 100 })
  await client.closed()
})

it('a slow head behind a running request does not disturb it', async () => {
  const client = await start({ headTimeout: 100 })
  client.write(`${GET}GET /late HTTP/1.1\r\nHost: a\r\nX: `)
  const exchange = await side.exchange()
  exchange.respond(200).data('begin')
  await client.until('begin')
  const other = await RawClient.connect(side.port)
  other.write('GET / HTTP/1.1\r\n')
  // By then node's clock has looked at both.
  expect((await other.response()).status).toBe(408)
  exchange.data('end').finish()
  expect((await client.response()).text).toBe('beginend')
})

it('a slow body has all the time it wants', async () => {
  const client = await start({ headTimeout: 100 })
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na')
  const exchange = await side.exchange()
  const other = await RawClient.connect(side.port)
  other.write('GET / HTTP/1.1\r\n')
  expect((await other.response()).status).toBe(408)
  client.write('b')
  await exchange.until(() => exchange.ended)
  exchange.answer('ok')
  expect((await client.response()).text).toBe('ok')
})

it('a head larger than its limit is answered with 431', async () => {
  const client = await start({ maxHeadSize: 8_192 })
  client.write(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(10_000)}\r\n\r\n`)
  expect((await client.response()).status).toBe(431)
  await client.closed()
})

it('a target larger than the limit of heads is answered with 431', async () => {
  const client = await start({ maxHeadSize: 8_192 })
  client.write(`GET /${'x'.repeat(10_000)} HTTP/1.1\r\nHost: a\r\n\r\n`)
  expect((await client.response()).status).toBe(431)
})

it('more fields than allowed are answered with 431 instead of being dropped', async () => {
  const client = await start()
  client.write(`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(3_000)}\r\n`)
  expect((await client.response()).status).toBe(431)
  expect(side.session.opened).toBe(0)
})

it('a content-length beyond all numbers is refused', async () => {
  for (const length of ['18446744073709551615', '99999999999999999999999', '9007199254740993']) {
    const client = await start()
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\nabc`)
    expect((await client.response()).status).toBe(400)
    await side.close()
  }
})

it('garbage is answered once and read no further than a bound', async () => {
  const client = await start()
  client.write('\x16\x03\x01 this is no HTTP\r\n\r\n')
  expect((await client.response()).status).toBe(400)
  const piece = Buffer.alloc(64 * 1024, 120)
  const pump = (): void => {
    while (client.socket.writable && client.socket.write(piece));
    if (client.socket.writable) client.socket.once('drain', pump)
  }
  pump()
  await client.closed()
  expect(client.received).toHaveLength(0)
})

it('connections beyond their limit are closed at once', async () => {
  const first = await start({ maxConnections: 1 })
  const second = await RawClient.connect(side.port)
  await second.closed()
  first.write(GET)
  ;(await side.exchange()).answer('ok')
  expect((await first.response()).text).toBe('ok')
})

it('a reset while an upgrade or CONNECT is being refused does not end the process', async () => {
  side = await startHttpSide()
  for (const head of [
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n',
  ]) {
    for (let i = 0; i < 20; i++) {
      const client = await RawClient.connect(side.port)
      client.write(`${GET}${head}`)
      const exchange = await side.exchange()
      client.reset()
      exchange.answer('x')
    }
  }
  const client = await RawClient.connect(side.port)
  client.write(GET)
  ;(await side.exchange()).answer('alive')
  expect((await client.response()).text).toBe('alive')
})

describe('a client that breaks HTTP while its response runs', () => {
  it('gets that response whole, then 400', async () => {
    const client = await start()
    client.write(`${GET}GARBAGE\r\n\r\n`)
    const exchange = await side.exchange()
    exchange.respond(200).data('begin')
    await client.until('begin')
    exchange.data('end').finish()
    expect((await client.response()).text).toBe('beginend')
    expect((await client.response()).status).toBe(400)
    await client.closed()
  })
})
