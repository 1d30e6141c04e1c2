/** Clients that speak HTTP/2: the same requests and responses as over HTTP/1.1. */
import type { ClientHttp2Stream } from 'node:http2'
import { afterEach, describe, expect, it } from 'vitest'
import { Http2Client, head, response } from '../support/http2-client.js'
import { CODE, FLAG, FRAME, frame, RawHttp2, request, reset, uint32, upload } from '../support/raw-http2.js'
import {
  type HttpSide,
  type HttpSideOptions,
  type ScriptedExchange,
  startHttpSide,
} from '../support/scripted-session.js'

let side: HttpSide
let client: Http2Client
const start = async (options?: HttpSideOptions): Promise<Http2Client> => {
  side = await startHttpSide({ http2Cleartext: true, ...options })
  client = new Http2Client(side.port)
  return client
}
const startRaw = async (options?: HttpSideOptions): Promise<RawHttp2> => {
  side = await startHttpSide({ http2Cleartext: true, ...options })
  return RawHttp2.greet(side.port)
}
afterEach(() => side.close())

const echo = async (exchange: ScriptedExchange): Promise<void> => {
  await exchange.until(() => exchange.ended)
  exchange.answer(exchange.body)
}

describe('a request', () => {
  it('goes on as one of HTTP/1.1 would, and says that it came over HTTP/2', async () => {
    const { session } = await start()
    const stream = session.request({
      ...{ ':method': 'GET', ':authority': 'Shop.Example:8080', ':path': '/a/b?c=%7Bd%7D|e' },
      ...{ 'x-one': ['1', '\xe9'], te: 'trailers', 'proxy-authorization': 'x' },
    })
    const exchange = await side.exchange()
    expect(exchange.bodyless).toBe(true)
    expect(exchange.head).toEqual({
      method: 'GET',
      target: '/a/b?c=%7Bd%7D|e',
      headers: [
        ...['host', 'Shop.Example:8080', 'x-one', '1', 'x-one', '\xe9'],
        ...['Via', '2.0 cranker', 'Forwarded', 'for=127.0.0.1;host="Shop.Example:8080";proto=http'],
      ],
    })
    expect(side.source.asked).toEqual([{ host: 'shop.example', path: '/a/b' }])
    exchange.answer('hello', 200, ['X-A', 'b\xe9', 'set-cookie', 'a=1', 'Set-Cookie', 'b=2', 'Server', 'x'])
    const { headers, text } = await response(stream)
    expect(text).toBe('hello')
    expect(headers).toMatchObject({
      ':status': 200,
      'x-a': 'b\xe9',
      'set-cookie': ['a=1', 'b=2'],
      'content-length': '5',
    })
    expect(headers.date).toBeTypeOf('string')
    expect(headers).not.toHaveProperty('server')
    expect(await side.entry()).toMatchObject({ httpVersion: '2.0', method: 'GET', status: 200, bytesOut: 5 })
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY', 'GET'])(
    'passes as %s with a body',
    async (method) => {
      await start({ play: (exchange) => void echo(exchange) })
      const { status, text } = await client.fetch({ ':method': method, 'content-length': 3 }, 'abc')
      expect([status, text]).toEqual([200, 'abc'])
    },
  )

  it('has its cookies joined to one', async () => {
    const raw = await startRaw()
    raw.write(
      request(1, [
        ...[':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/'],
        ...['cookie', 'a=1', 'x', 'y', 'cookie', 'b=2'],
      ]),
    )
    expect((await side.exchange()).head.headers.slice(0, 6)).toEqual(['host', 'a', 'cookie', 'a=1; b=2', 'x', 'y'])
  })

  it('may name its host in Host instead of :authority', async () => {
    const raw = await startRaw()
    raw.write(request(1, [':method', 'GET', ':scheme', 'http', ':path', '/', 'host', 'b.example']))
    expect((await side.exchange()).head.headers.slice(0, 2)).toEqual(['host', 'b.example'])
    expect(side.source.asked).toEqual([{ host: 'b.example', path: '/' }])
  })

  it('without a content-length has a body until its end', async () => {
    await start()
    const stream = client.open({ ':method': 'POST' }, false)
    stream.write('ab')
    const exchange = await side.exchange()
    await exchange.until(() => exchange.body === 'ab')
    expect([exchange.bodyless, exchange.ended]).toEqual([false, false])
    stream.end('c')
    await exchange.until(() => exchange.ended)
    exchange.answer(exchange.body)
    expect((await response(stream)).text).toBe('abc')
  })

  it('with trailers ends its body like any other', async () => {
    const raw = await startRaw()
    raw.write(upload(1), frame(FRAME.data, 0, 1, Buffer.from('ab')))
    raw.write(request(1, ['x-sum', '1']))
    const exchange = await side.exchange()
    await exchange.until(() => exchange.ended)
    expect(exchange.body).toBe('ab')
  })

  it('with an empty body that is announced is ended at once', async () => {
    const raw = await startRaw()
    raw.write(upload(1, [':method', 'POST', ':scheme', 'http', ':authority', 'a', ':path', '/', 'content-length', '0']))
    expect((await side.exchange()).bodyless).toBe(true)
  })

  it('is told to continue once there is somewhere to continue to', async () => {
    await start({ session: false })
    const stream = client.session.request({ ':method': 'POST', ':authority': 'a', expect: '100-continue' })
    const continued = new Promise<void>((resolve) => stream.once('continue', resolve))
    await side.source.until(() => side.source.waiters.size === 1)
    let early = true
    void continued.then(() => expect(early).toBe(false))
    early = false
    const { registered } = await import('../support/scripted-session.js')
    side.source.next().onSession(registered(side.session))
    await continued
    stream.end('x')
    const exchange = await side.exchange()
    await exchange.until(() => exchange.ended)
    exchange.answer('ok')
    expect((await response(stream)).text).toBe('ok')
  })
})

describe('a response', () => {
  it('to HEAD has its fields and no body', async () => {
    await start({ play: (exchange) => exchange.respond(200, ['content-length', '1000']).finish() })
    const { status, headers, text } = await client.fetch({ ':method': 'HEAD' })
    expect([status, headers['content-length'], text]).toEqual([200, '1000', ''])
    expect((await side.entry()).error).toBeUndefined()
  })

  it.each([204, 205, 304])('%s has none either', async (code) => {
    await start({ play: (exchange) => exchange.respond(code, ['etag', '"x"']).finish() })
    const { status, text, headers } = await client.fetch({})
    expect([status, text, headers.etag]).toEqual([code, '', '"x"'])
    await side.entry()
    expect(side.proxy.running).toBe(0)
  })

  it('that is empty ends with its head', async () => {
    const raw = await startRaw({ play: (exchange) => exchange.answer('') })
    raw.write(request(1))
    const { flags } = await raw.frame(FRAME.headers, 1)
    expect(flags & FLAG.endStream).toBe(FLAG.endStream)
  })

  it('whose end matters comes in pieces, as they come', async () => {
    await start()
    const stream = client.open({}, true)
    const exchange = await side.exchange()
    exchange.respond(200, ['content-type', 'text/event-stream'])
    expect((await head(stream))['content-type']).toBe('text/event-stream')
    for (const piece of ['data: 1\n\n', 'data: 2\n\n']) {
      const next = new Promise<string>((resolve) => stream.once('data', (chunk: Buffer) => resolve(chunk.toString())))
      exchange.data(piece)
      expect(await next).toBe(piece)
    }
    const ended = response(stream)
    exchange.finish()
    await ended
    expect(await side.entry()).toMatchObject({ status: 200, bytesOut: 18, error: undefined })
  })

  it('may be preceded by hints', async () => {
    await start()
    const stream = client.open({}, true)
    const exchange = await side.exchange()
    exchange.handler.onInfo({ status: 103, reason: '', headers: ['Link', '</a>', 'bad name', 'x', 'x', 'a\nb'] })
    exchange.answer('ok')
    const { infos, text } = await response(stream)
    expect(text).toBe('ok')
    expect(infos).toHaveLength(1)
    expect(infos[0]).toMatchObject({ ':status': 103, link: '</a>' })
  })

  it('may repeat fields that node takes once only', async () => {
    await start({
      play: (exchange) =>
        exchange.answer('x', 200, [
          ...['X-Content-Type-Options', 'nosniff', 'x-content-type-options', 'nosniff', 'Content-Type', 'a/b'],
          ...[
            'content-type',
            'c/d',
            'Content-Encoding',
            'a',
            'content-encoding',
            'b',
            'Vary',
            'a',
            'vary',
            'b',
            'vary',
            'c',
          ],
        ]),
    })
    const { status, headers } = await client.fetch({})
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      ...{ 'x-content-type-options': 'nosniff', 'content-type': 'a/b', 'content-encoding': 'a, b', vary: 'a, b, c' },
    })
  })

  it('says nothing about connections', async () => {
    await start({
      play: (exchange) =>
        exchange.answer('x', 200, [
          ...['Connection', 'x-hop', 'X-Hop', '1', 'Keep-Alive', '1', 'Proxy-Connection', 'a', 'Upgrade', 'h2c'],
          ...['TE', 'trailers', 'HTTP2-Settings', 'a'],
        ]),
    })
    const { status, headers } = await client.fetch({})
    expect(Object.keys(headers).sort()).toEqual([':status', 'content-length', 'date'])
    expect(status).toBe(200)
  })

  it('that cannot be sent as HTTP/2 is answered with 502', async () => {
    await start({ play: (exchange) => exchange.respond(200, ['x', 'a\r\nb']) })
    const { status, headers } = await client.fetch({})
    expect([status, headers['proxy-status']]).toEqual([502, expect.stringContaining('CRANKER_ERR_BAD_RESPONSE')])
  })

  it.each([
    ['without a length', []],
    ['with a length', ['content-length', '100']],
  ])('%s that is cut is reset, never ended', async (_name, fields) => {
    const raw = await startRaw()
    raw.write(request(1))
    const exchange = await side.exchange()
    exchange.respond(200, fields).data('half')
    await raw.frame(FRAME.data, 1)
    exchange.fail('CRANKER_ERR_TARGET_FAILED')
    expect(await raw.code(1)).toBe(CODE.internal)
    expect([raw.ended(1), raw.body(1)]).toEqual([false, 'half'])
  })

  it.each(['in the same turn', 'while the client does not read'])(
    'that is cut %s is not ended either',
    async (when) => {
      const raw = await startRaw()
      raw.write(request(1))
      const exchange = await side.exchange()
      exchange.respond(200).data(when === 'in the same turn' ? 'half' : Buffer.alloc(200_000))
      if (when !== 'in the same turn') await exchange.until(() => exchange.consumedBytes >= 0)
      exchange.fail('CRANKER_ERR_TARGET_FAILED')
      expect(await raw.code(1)).toBe(CODE.internal)
      expect(raw.ended(1)).toBe(false)
    },
  )
})

describe('errors', () => {
  it.each([
    ['404', 'CRANKER_ERR_NO_ROUTE', 404],
    ['502', 'CRANKER_ERR_TARGET_FAILED', 502],
  ] as const)('are answered: %s', async (_name, code, status) => {
    await start({ play: (exchange) => exchange.fail(code) })
    const { status: got, text, headers } = await client.fetch({ accept: 'application/json' })
    expect(got).toBe(status)
    expect(JSON.parse(text)).toMatchObject({ code })
    expect(headers['proxy-status']).toContain(code)
  })

  it('have no body for HEAD', async () => {
    await start({ play: (exchange) => exchange.fail('CRANKER_ERR_TARGET_FAILED') })
    const { status, text } = await client.fetch({ ':method': 'HEAD' })
    expect([status, text]).toEqual([502, ''])
  })
})

describe('an early answer', () => {
  it.each([true, false])('is complete, and then the rest of the request is refused (body flows: %s)', async (flows) => {
    const raw = await startRaw()
    raw.write(upload(1))
    if (flows) raw.write(frame(FRAME.data, 0, 1, Buffer.from('abc')))
    const exchange = await side.exchange()
    if (flows) await exchange.until(() => exchange.body === 'abc')
    exchange.answer('too much', 413)
    expect(await raw.code(1)).toBe(CODE.none)
    expect([raw.ended(1), raw.body(1)]).toEqual([true, 'too much'])
    // The END_STREAM comes before the RST_STREAM.
    const last = raw.frames.filter(({ stream }) => stream === 1).at(-1)
    expect(last?.type).toBe(FRAME.reset)
    expect(await side.entry()).toMatchObject({ status: 413, error: undefined })
    // The connection lives on.
    raw.write(request(3))
    ;(await side.exchange()).answer('next')
    await raw.frame(FRAME.data, 3)
  })
})

describe('a client that leaves', () => {
  const leaves: [string, (stream: ClientHttp2Stream) => void][] = [
    ['by CANCEL', (stream) => stream.close(CODE.cancel)],
    ['by NO_ERROR', (stream) => stream.close(CODE.none)],
    ['by INTERNAL_ERROR', (stream) => stream.close(CODE.internal)],
    ['with its connection', (stream) => stream.session?.destroy()],
  ]

  it.each(leaves)('%s ends its exchange, before the response', async (_name, leave) => {
    await start()
    const stream = client.open({}, true)
    const exchange = await side.exchange()
    leave(stream)
    await exchange.until(() => exchange.resetError !== undefined)
    expect(await side.entry()).toMatchObject({ status: undefined, error: 'CRANKER_ERR_CLIENT_GONE' })
    expect(side.proxy.running).toBe(0)
  })

  it.each(leaves)('%s ends its exchange, during the response', async (_name, leave) => {
    await start()
    const stream = client.open({}, true)
    const exchange = await side.exchange()
    exchange.respond(200).data('x')
    await head(stream)
    leave(stream)
    await exchange.until(() => exchange.resetError !== undefined)
  })

  // node's client ends an upload before it resets it.
  const resets: [string, (raw: RawHttp2) => void][] = [
    ['by CANCEL', (raw) => raw.write(reset(1, CODE.cancel))],
    ['by NO_ERROR', (raw) => raw.write(reset(1, CODE.none))],
    ['by INTERNAL_ERROR', (raw) => raw.write(reset(1, CODE.internal))],
    ['by GOAWAY', (raw) => raw.write(frame(FRAME.goaway, 0, 0, Buffer.concat([uint32(0), uint32(CODE.internal)])))],
    ['with its connection', (raw) => raw.client.leave()],
    ['with a reset of its connection', (raw) => raw.client.reset()],
    ['by ending its side of the connection', (raw) => raw.client.halfClose()],
  ]

  it.each(resets)('%s ends its exchange, and its upload is not taken for complete', async (_name, leave) => {
    const raw = await startRaw()
    raw.write(upload(1), frame(FRAME.data, 0, 1, Buffer.from('abc')))
    const exchange = await side.exchange()
    await exchange.until(() => exchange.body === 'abc')
    leave(raw)
    await exchange.until(() => exchange.resetError !== undefined)
    expect(exchange.ended).toBe(false)
  })

  it.each(resets)('%s ends its exchange, while its upload is held back', async (_name, leave) => {
    let arrived: (exchange: ScriptedExchange) => void = () => undefined
    const given = new Promise<ScriptedExchange>((resolve) => (arrived = resolve))
    const raw = await startRaw({
      play: (exchange) => {
        exchange.room = false
        arrived(exchange)
      },
    })
    raw.write(upload(1), frame(FRAME.data, 0, 1, Buffer.from('abc')))
    const exchange = await given
    await exchange.until(() => exchange.body === 'abc')
    leave(raw)
    await exchange.until(() => exchange.resetError !== undefined)
    expect(exchange.ended).toBe(false)
  })

  it('no longer waits for a socket', async () => {
    await start({ session: false })
    const stream = client.open({}, true)
    await side.source.until(() => side.source.waiters.size === 1)
    stream.close(CODE.cancel)
    await side.source.until(() => side.source.cancelled === 1)
  })
})

describe('backpressure', () => {
  it('towards the service holds one upload back, and no other', async () => {
    const exchanges: ScriptedExchange[] = []
    await start({
      play: (exchange) => {
        exchange.room = exchanges.length > 0
        exchanges.push(exchange)
        if (exchanges.length === 2) void echo(exchange)
      },
    })
    const held = client.open({ ':method': 'POST' }, false)
    held.write(Buffer.alloc(4 * 1024 * 1024))
    const { text } = await client.fetch({ ':method': 'POST' }, 'small')
    expect(text).toBe('small')
    const [first] = exchanges as [ScriptedExchange]
    const received = (): number => first.chunks.reduce((sum, { length }) => sum + length, 0)
    expect(received()).toBeLessThan(256 * 1024)
    first.drain()
    await first.until(() => received() === 4 * 1024 * 1024)
  })

  it('of one client’s stream holds one response back, and no other', async () => {
    await start({
      play: (exchange) => {
        if (exchange.head.target === '/small') exchange.answer('small')
        else
          exchange
            .respond(200)
            .data(Buffer.alloc(4 * 1024 * 1024, 1))
            .finish()
      },
    })
    const held = client.open({ ':path': '/large' }, true)
    await head(held)
    for (let i = 0; i < 20; i++) expect((await client.fetch({ ':path': '/small' })).text).toBe('small')
    expect(side.proxy.running).toBe(1)
    expect((await response(held)).body).toHaveLength(4 * 1024 * 1024)
  })
})
