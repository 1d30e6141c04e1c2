/** HTTP/2 requests that are malformed (RFC 9113 §8), or that HTTP/1.1 behind us could read in another way. */
import { afterEach, describe, expect, it } from 'vitest'
import { Http2Client } from '../support/http2-client.js'
import { FLAG, FRAME, fields, frame, RawHttp2, request, upload } from '../support/raw-http2.js'
import { type HttpSide, type HttpSideOptions, startHttpSide } from '../support/scripted-session.js'

let side: HttpSide
const start = async (options?: HttpSideOptions): Promise<RawHttp2> => {
  side = await startHttpSide({ http2Cleartext: true, ...options })
  return RawHttp2.greet(side.port)
}
afterEach(() => side.close())

const M = [':method', 'GET']
const S = [':scheme', 'http']
const A = [':authority', 'a']
const P = [':path', '/']
const ALL = [...M, ...S, ...A, ...P]

const malformed: [string, readonly string[]][] = [
  ['no :method', [...S, ...A, ...P]],
  ['no :scheme', [...M, ...A, ...P]],
  ['no :path', [...M, ...S, ...A]],
  ['an empty :path', [...M, ...S, ...A, ':path', '']],
  ['a :path that is no path', [...M, ...S, ...A, ':path', 'x']],
  ['a :path that is a URL', [...M, ...S, ...A, ':path', 'http://b/']],
  ['* for GET', [...M, ...S, ...A, ':path', '*']],
  ['a repeated :path', [...ALL, ':path', '/b']],
  ['a repeated :authority', [...ALL, ':authority', 'b']],
  ['an unknown pseudo-header', [...ALL, ':x', '1']],
  ['a pseudo-header of responses', [...ALL, ':status', '200']],
  ['a pseudo-header after a field', [...M, ...S, ...A, 'x', 'y', ...P]],
  ['a field name in upper case', [...ALL, 'X-Y', 'z']],
  ['connection', [...ALL, 'connection', 'close']],
  ['keep-alive', [...ALL, 'keep-alive', '5']],
  ['proxy-connection', [...ALL, 'proxy-connection', 'close']],
  ['transfer-encoding', [...ALL, 'transfer-encoding', 'chunked']],
  ['upgrade', [...ALL, 'upgrade', 'websocket']],
  ['te other than trailers', [...ALL, 'te', 'gzip']],
  ['neither :authority nor host', [...M, ...S, ...P]],
  ['an empty :authority', [...M, ...S, ':authority', '', ...P]],
  ['an :authority with a user', [...M, ...S, ':authority', 'u@a', ...P]],
  ['an :authority with a path', [...M, ...S, ':authority', 'a/b', ...P]],
  ['a host that differs from :authority', [...ALL, 'host', 'b']],
  ['a host whose port differs', [...ALL, 'host', 'a:81']],
  ['two hosts', [...M, ...S, ...P, 'host', 'a', 'host', 'a']],
  ['a scheme that is not of HTTP', [...M, ':scheme', 'ftp', ...A, ...P]],
  ['a fragment', [...M, ...S, ...A, ':path', '/a#b']],
  ['a backslash', [...M, ...S, ...A, ':path', '/a\\..\\b']],
  ['dot segments', [...M, ...S, ...A, ':path', '/a/../b']],
  ['escaped dot segments', [...M, ...S, ...A, ':path', '/a/%2e%2e/b']],
  ['an empty first segment', [...M, ...S, ...A, ':path', '//b/']],
  ['a space in the path', [...M, ...S, ...A, ':path', '/a b']],
  ['a line break in the path', [...M, ...S, ...A, ':path', '/a HTTP/1.1\r\nx: y']],
  ['a line break in the method', [':method', 'GET / HTTP/1.1\r\nx: y\r\n\r\nGET', ...S, ...A, ...P]],
  ['a method that is no token', [':method', 'GE T', ...S, ...A, ...P]],
  ['a line break in :authority', [...M, ...S, ':authority', 'a\r\nx: y', ...P]],
  ['two content-lengths', [...ALL, 'content-length', '0', 'content-length', '0']],
  ['a content-length that is no number', [...ALL, 'content-length', '+0']],
  ['a content-length without its body', [...ALL, 'content-length', '3']],
  ['TRACE', [':method', 'TRACE', ...S, ...A, ...P]],
  ['CONNECT', [':method', 'CONNECT', ':authority', 'a:1']],
  ['CONNECT with a path', [':method', 'CONNECT', ...S, ':authority', 'a:1', ...P]],
  ['an expectation that cannot be met', [...ALL, 'expect', 'x']],
]

/** nghttp2 drops these fields without a word, and node does not tell either: the request goes on without them. */
const dropped: [string, readonly string[]][] = [
  ['an empty field name', [...ALL, '', 'z']],
  ['a field name with a colon', [...ALL, 'x:y', 'z']],
  ['a field name with a space', [...ALL, 'x y', 'z']],
  ['a field name with a line break', [...ALL, 'x\r\ny', 'z']],
  ['a value with a line break', [...ALL, 'x', 'a\r\ny: z']],
  ['a value with a line feed', [...ALL, 'x', 'a\ny: z']],
  ['a value with a NUL', [...ALL, 'x', 'a\0b']],
  ['a malformed host beside :authority', [...ALL, 'host', 'a b']],
]

it.each(dropped)('%s does not get through', async (_name, lines) => {
  const raw = await start()
  raw.write(request(1, lines))
  const { head } = await side.exchange()
  expect(head.headers.slice(0, -4)).toEqual(['host', 'a'])
})

describe('a request is refused, and reaches no service, with', () => {
  it.each(malformed)('%s', async (_name, lines) => {
    const raw = await start()
    raw.write(request(1, lines))
    expect(['answered', 'reset 1']).toContain(await raw.outcome(1))
    expect(side.session.opened).toBe(0)
    // It was the stream's fault, not the connection's.
    raw.write(request(3))
    ;(await side.exchange()).answer('fine')
    await raw.frame(FRAME.data, 3)
  })
})

describe('a body', () => {
  it.each([
    ['longer than', 'abcd', false],
    ['shorter than', 'ab', true],
  ])('%s its content-length is not passed on as complete', async (_name, body, end) => {
    const raw = await start()
    raw.write(upload(1, [':method', 'POST', ...S, ...A, ...P, 'content-length', '3']))
    const exchange = await side.exchange()
    raw.write(frame(FRAME.data, end ? FLAG.endStream : 0, 1, Buffer.from(body)))
    await exchange.until(() => exchange.resetError !== undefined)
    expect(exchange.ended).toBe(false)
    expect(exchange.body.length).toBeLessThanOrEqual(3)
    expect(await raw.outcome(1)).not.toBe('goaway 0')
  })

  it('with malformed trailers is not passed on as complete', async () => {
    const raw = await start()
    raw.write(upload(1), frame(FRAME.data, 0, 1, Buffer.from('abc')))
    const exchange = await side.exchange()
    raw.write(request(1, [':path', '/b']))
    await exchange.until(() => exchange.resetError !== undefined)
    expect(exchange.ended).toBe(false)
  })
})

describe('a head', () => {
  it('that is too large is answered with 431', async () => {
    side = await startHttpSide({ http2Cleartext: true, maxHeadSize: 8_192 })
    const client = new Http2Client(side.port)
    expect((await client.fetch({ x: 'y'.repeat(9_000) })).status).toBe(431)
    expect(await side.entry()).toMatchObject({ status: 431, error: 'CRANKER_ERR_HEAD_TOO_LARGE' })
  })

  it('that is far too large costs its stream', async () => {
    const raw = await start({ maxHeadSize: 8_192 })
    const x = fields('x', 'y'.repeat(15_000))
    raw.write(
      frame(FRAME.headers, FLAG.endStream, 1, fields(...ALL)),
      frame(FRAME.continuation, 0, 1, x),
      frame(FRAME.continuation, FLAG.endHeaders, 1, x),
    )
    expect(await raw.outcome(1)).toBe('reset 11')
    expect(side.session.opened).toBe(0)
  })

  it('with too many fields is answered with 431, however few octets they are', async () => {
    side = await startHttpSide({ http2Cleartext: true })
    const client = new Http2Client(side.port)
    const many = Object.fromEntries(Array.from({ length: 257 }, (_, i) => [`x${i}`, 'y']))
    expect((await client.fetch(many)).status).toBe(431)
    expect(
      (await client.fetch({ cookie: Array.from({ length: 300 }, (_, i) => `c${i}=1`), ':method': 'TRACE' })).status,
    ).toBe(405)
  })

  it('that blows up in HPACK costs its stream (fields of 4 KB in one octet each)', async () => {
    const raw = await start()
    // 0x40: literal with indexing; 0xbe: the newest entry of the table.
    const entry = fields('x', 'y'.repeat(4_000))
    entry[0] = 0x40
    const bomb = Buffer.concat([fields(...ALL), entry, Buffer.alloc(12_000, 0xbe)])
    raw.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, bomb))
    expect(await raw.outcome(1)).toBe('reset 11')
    expect(side.session.opened).toBe(0)
  })

  it('that announces a larger HPACK table than agreed costs its connection', async () => {
    const raw = await start()
    raw.write(
      frame(
        FRAME.headers,
        FLAG.endHeaders | FLAG.endStream,
        1,
        Buffer.concat([Buffer.from([0x3f, 0xe1, 0xff, 3]), fields(...ALL)]),
      ),
    )
    expect(await raw.outcome(1)).toMatch(/^(goaway|closed)/)
    expect(side.session.opened).toBe(0)
  })
})

describe('on the port of HTTP/2, HTTP/1.1', () => {
  it('is served, however its bytes come', async () => {
    const raw = await start({
      play: (exchange) =>
        void exchange
          .until(() => exchange.ended || exchange.bodyless)
          .then(() => exchange.answer(exchange.body || 'none')),
    })
    raw.client.leave()
    const { client } = await RawHttp2.connect(side.port)
    for (const octet of 'PROPFIND /') {
      client.write(octet)
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.write(' HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    expect((await client.response()).text).toBe('abc')
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3))
    for (let i = 0; i < 3; i++) expect((await client.response()).text).toBe('none')
  })

  it('does not get in with the version 2.0', async () => {
    const raw = await start({ headTimeout: 60_000 })
    raw.client.leave()
    const { client } = await RawHttp2.connect(side.port)
    client.write('GET / HTTP/2.0\r\nHost: a\r\n\r\n')
    expect((await client.response()).status).toBe(505)
    expect(side.session.opened).toBe(0)
  })

  it('ends with its client', async () => {
    const raw = await start()
    const { client } = await RawHttp2.connect(side.port)
    client.write('P').halfClose()
    await client.closed()
    raw.client.leave()
  })
})
