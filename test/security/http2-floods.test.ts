/** What one HTTP/2 connection may cost: every flood that became known, and a client that does nothing at all. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Http2Limits } from '../../router/inbound/http2-limits.js'
import {
  CODE,
  FLAG,
  FRAME,
  fields,
  frame,
  GET,
  PREFACE,
  RawHttp2,
  request,
  reset,
  uint32,
  upload,
} from '../support/raw-http2.js'
import {
  type HttpSide,
  type HttpSideOptions,
  type ScriptedExchange,
  startHttpSide,
} from '../support/scripted-session.js'

let side: HttpSide
const start = async (options?: HttpSideOptions, settings?: Buffer): Promise<RawHttp2> => {
  side = await startHttpSide({ http2Cleartext: true, ...options })
  return RawHttp2.greet(side.port, settings)
}
afterEach(() => side.close())

const limits = (changed: Partial<Http2Limits>): HttpSideOptions => ({ http2Limits: changed })

/** Another client is served as if nothing had happened. */
const othersAreServed = async (): Promise<void> => {
  const other = await RawHttp2.greet(side.port)
  other.write(request(1))
  await other.frame(FRAME.headers, 1)
  other.client.leave()
}

const answer = (exchange: ScriptedExchange): void => exchange.answer('ok')

/** SETTINGS_INITIAL_WINDOW_SIZE. */
const windowOf = (bytes: number): Buffer => Buffer.concat([Buffer.from([0, 4]), uint32(bytes)])

describe('streams that are opened and reset at once (CVE-2023-44487)', () => {
  it('cost the connection soon', async () => {
    const raw = await start({ ...limits({ resetBurst: 100 }), play: () => undefined })
    for (let i = 0; i < 3_000; i++) raw.write(request(2 * i + 1), reset(2 * i + 1, CODE.cancel))
    expect(await raw.cut()).toBe(CODE.calm)
    expect(side.session.opened).toBeLessThan(300)
    expect(side.session.load).toBe(0)
    expect(side.proxy.running).toBe(0)
  })

  it('are forgiven to those who browse', async () => {
    const raw = await start({ play: (exchange) => exchange.head.target === '/' && answer(exchange) })
    for (let i = 0; i < 100; i++) {
      raw.write(request(2 * i + 1, [...GET.slice(0, 6), ':path', '/picture']), reset(2 * i + 1, CODE.cancel))
    }
    raw.write(request(999))
    await raw.frame(FRAME.headers, 999)
  })

  it('cost the connection, too, if it is the router that is made to reset them (CVE-2025-8671)', async () => {
    const raw = await start({ ...limits({ resetBurst: 100 }), play: () => undefined })
    // More data than announced: an error of the stream.
    const post = [':method', 'POST', ':scheme', 'http', ':authority', 'a', ':path', '/', 'content-length', '1']
    for (let i = 0; i < 3_000; i++) {
      raw.write(upload(2 * i + 1, post), frame(FRAME.data, 0, 2 * i + 1, Buffer.from('ab')))
    }
    await raw.cut()
    expect(side.session.opened).toBeLessThan(300)
    expect(side.proxy.running).toBe(0)
  })
})

it('malformed requests without end cost the connection', async () => {
  const raw = await start()
  for (let i = 0; i < 3_000; i++) raw.write(request(2 * i + 1, [...GET, 'Upper', 'case']))
  await raw.cut()
  expect(raw.frames.filter(({ type }) => type === FRAME.reset).length).toBeLessThan(300)
})

describe('CONTINUATION frames without end (CVE-2024-27316) cost the connection', () => {
  it.each([
    ['full', fields('x', 'y'.repeat(1_000))],
    ['empty', Buffer.alloc(0)],
  ])('%s ones', async (_name, payload) => {
    const raw = await start()
    raw.write(frame(FRAME.headers, FLAG.endStream, 1, fields(...GET)))
    const some = Buffer.concat(Array<Buffer>(100).fill(frame(FRAME.continuation, 0, 1, payload)))
    for (let i = 0; i < 100; i++) raw.write(some)
    await raw.cut()
    expect(side.session.opened).toBe(0)
    const other = await RawHttp2.greet(side.port)
    other.write(request(1))
    await side.exchange()
  })
})

describe('frames that want an answer (CVE-2019-9512, CVE-2019-9515)', () => {
  const floods: [string, Buffer][] = [
    ['PING', frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', frame(FRAME.settings, 0, 0)],
  ]

  it.each(floods)('%s, all at once, cost the connection', async (_name, each) => {
    const raw = await start({ play: answer })
    raw.write(...Array<Buffer>(50_000).fill(each))
    await raw.cut()
    await othersAreServed()
  })

  it.each(floods)('%s, with each answer read, cost it too', async (_name, each) => {
    const raw = await start({ ...limits({ controlBurst: 1_000, controlPerSecond: 100 }), play: answer })
    const some = Buffer.concat(Array<Buffer>(50).fill(each))
    let turns = 0
    for (; raw.client.ending === undefined && turns < 1_000; turns++) {
      raw.write(some)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(turns).toBeLessThan(1_000)
    expect(await raw.cut()).toBe(CODE.calm)
    await othersAreServed()
  })
})

it('a SETTINGS frame with more settings than there are costs the connection', async () => {
  const raw = await start({ ...limits({ pingInterval: 0, pingTimeout: 100 }) })
  raw.write(frame(FRAME.settings, 0, 0, Buffer.concat(Array<Buffer>(100).fill(windowOf(1)))))
  expect(await raw.cut()).toBe(CODE.calm)
})

it('empty DATA frames without end cost the connection (CVE-2019-9518)', async () => {
  const raw = await start()
  raw.write(upload(1))
  const exchange = await side.exchange()
  raw.write(...Array<Buffer>(10_000).fill(frame(FRAME.data, 0, 1)))
  await raw.cut()
  await exchange.until(() => exchange.resetError !== undefined)
  expect(side.proxy.running).toBe(0)
})

describe('streams beyond their limit', () => {
  it('are refused for the client to repeat, as long as it may not know the limit', async () => {
    side = await startHttpSide({ http2Cleartext: true, http2MaxStreams: 3 })
    const raw = await RawHttp2.connect(side.port)
    raw.write(PREFACE, frame(FRAME.settings, 0, 0))
    for (let i = 0; i < 5; i++) raw.write(request(2 * i + 1))
    expect([await raw.code(7), await raw.code(9)]).toEqual([CODE.refused, CODE.refused])
    expect(side.session.opened).toBe(3)
    ;(await side.exchange()).answer('room')
    await raw.frame(FRAME.data, 1)
    raw.write(request(11))
    for (let i = 0; i < 3; i++) await side.exchange()
  })

  it('cost a client that knows it its connection', async () => {
    const raw = await start({ http2MaxStreams: 3, ...limits({ pingInterval: 0, pingTimeout: 100 }) })
    for (let i = 0; i < 5; i++) raw.write(request(2 * i + 1))
    expect(await raw.cut()).not.toBe(CODE.none)
    expect(side.session.opened).toBeLessThanOrEqual(3)
    expect(side.proxy.running).toBe(0)
  })
})

describe('a client that says', () => {
  it('nothing is closed', async () => {
    side = await startHttpSide({ http2Cleartext: true, headTimeout: 100 })
    const raw = await RawHttp2.connect(side.port)
    await raw.client.closed()
  })

  it.each([1, 10, 23])('%i octets of the preface is closed', async (octets) => {
    side = await startHttpSide({ http2Cleartext: true, headTimeout: 100 })
    const raw = await RawHttp2.connect(side.port)
    raw.client.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n').subarray(0, octets))
    await raw.client.closed()
  })

  it('its preface but no SETTINGS is closed', async () => {
    side = await startHttpSide({ http2Cleartext: true, headTimeout: 100 })
    const raw = await RawHttp2.connect(side.port)
    raw.client.write(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'))
    await raw.client.closed()
    await vi.waitUntil(() => side.server.connections === 0)
  })

  it('nothing to the router’s SETTINGS is closed, whatever else it says', async () => {
    side = await startHttpSide({ http2Cleartext: true, headTimeout: 100 })
    const raw = await RawHttp2.connect(side.port)
    raw.write(PREFACE, frame(FRAME.settings, 0, 0), request(1))
    const exchange = await side.exchange()
    await exchange.until(() => exchange.resetError !== undefined)
    await raw.client.closed()
  })

  it('no request is told so, and closed', async () => {
    const raw = await start({ keepAliveTimeout: 100 })
    expect(await raw.cut()).toBe(CODE.none)
    raw.client.leave()
    await vi.waitUntil(() => side.server.connections === 0)
  })

  it('no request and never closes its side is closed all the same', async () => {
    const raw = await start({ keepAliveTimeout: 100 })
    raw.client.socket.allowHalfOpen = true
    expect(await raw.code(0)).toBe(CODE.none)
    await side.server.close()
  })

  it('half a head is closed, as if it had said nothing', async () => {
    const raw = await start({ keepAliveTimeout: 100 })
    raw.write(frame(FRAME.headers, FLAG.endStream, 1, fields(...GET)))
    await raw.cut()
    expect(side.session.opened).toBe(0)
  })

  it('nothing while its request runs stays', async () => {
    const raw = await start({ keepAliveTimeout: 100, headTimeout: 100 })
    raw.write(request(1))
    const exchange = await side.exchange()
    const idle = await RawHttp2.greet(side.port)
    await idle.cut()
    exchange.answer('late')
    await raw.frame(FRAME.data, 1)
  })
})

it('a client that answers no ping is gone', async () => {
  const raw = await start(limits({ pingInterval: 0, pingTimeout: 100 }))
  raw.write(request(1))
  const exchange = await side.exchange()
  await raw.frame(FRAME.ping, 0)
  await exchange.until(() => exchange.resetError !== undefined)
  expect(exchange.resetError?.code).toBe('CRANKER_ERR_CLIENT_GONE')
})

describe('a client that opens no window', () => {
  it('does not keep an error for ever', async () => {
    const raw = await start(
      { ...limits({ answerTimeout: 100 }), play: (exchange) => exchange.fail('CRANKER_ERR_TARGET_FAILED') },
      windowOf(0),
    )
    raw.write(request(1))
    expect(await raw.code(1)).toBe(CODE.cancel)
  })

  it('makes the router hold no more than it was given', async () => {
    const raw = await start({}, windowOf(0))
    raw.write(request(1))
    const exchange = await side.exchange()
    exchange.respond(200).data(Buffer.alloc(100_000))
    await raw.frame(FRAME.headers, 1)
    raw.write(frame(FRAME.ping, 0, 0, Buffer.alloc(8)))
    await raw.frame(FRAME.ping, 0)
    // Nothing was taken: the tunnel is told so, and stops.
    expect(exchange.consumedBytes).toBe(0)
    raw.write(frame(FRAME.windowUpdate, 0, 1, uint32(1_000_000)))
    raw.write(frame(FRAME.windowUpdate, 0, 0, uint32(1_000_000)))
    await exchange.until(() => exchange.consumedBytes === 100_000)
  })
})

it('what is no HTTP/2 after the preface costs the connection', async () => {
  side = await startHttpSide({ http2Cleartext: true })
  const raw = await RawHttp2.connect(side.port)
  raw.client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await raw.client.closed()
  expect(side.session.opened).toBe(0)
})
