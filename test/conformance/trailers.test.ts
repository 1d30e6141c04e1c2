/** Trailer sections (RFC 9110 §6.5; docs/protocol.md §9.2): carried over 3.0, dropped without a trace over 1.0. */
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Http2Client } from '../support/http2-client.js'
import { http2Server } from '../support/http2-server.js'
import { type Pair, startPair, usePair } from '../support/pair.js'
import { RawClient } from '../support/raw-client.js'

const LAST_CHUNK = '\r\n0\r\n'

/** Sends a request as it is written; shows the response as it came, up to the end of its last chunk. */
async function raw(port: number, text: string): Promise<string> {
  const client = await RawClient.connect(port)
  client.write(text)
  while (!/\r\n0\r\n(?:.+\r\n)*\r\n$/.test(client.received.toString('latin1'))) await once(client.socket, 'data')
  client.leave()
  return client.received.toString('latin1')
}

const get = (fields = ''): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
const post = (fields: string, trailers: string): string =>
  `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n${fields}\r\n3\r\nabc\r\n0\r\n${trailers}\r\n`
const afterBody = (response: string): string => response.slice(response.indexOf(LAST_CHUNK) + LAST_CHUNK.length)
const head = (response: string): string => response.slice(0, response.indexOf('\r\n\r\n'))

/** Answers with what it was told, and with trailers. */
function withTrailers(trailers: readonly (readonly [string, string])[], announced?: string): RequestListener {
  return (req, res) => {
    res.sendDate = false
    if (announced !== undefined) res.setHeader('Trailer', announced)
    req.resume().on('end', () => {
      res.write(JSON.stringify({ te: req.headers['te'], trailer: req.headers.trailer, got: req.rawTrailers }), 'latin1')
      res.addTrailers(trailers as [string, string][])
      res.end()
    })
  }
}

interface Told {
  readonly te?: string
  readonly trailer?: string
  readonly got: readonly string[]
}
/** The body of a chunked response, as it was sent. */
function told(response: string): Told {
  let body = ''
  for (let at = response.indexOf('\r\n\r\n') + 4; ;) {
    const from = response.indexOf('\r\n', at) + 2
    const size = Number.parseInt(response.slice(at, from), 16)
    if (size === 0) return JSON.parse(body) as Told
    body += response.slice(from, from + size)
    at = from + size + 2
  }
}

describe.each(['a URL', 'this process'])('trailers over 3.0, to %s', (where) => {
  let pair: Pair
  let listener: RequestListener
  beforeAll(async () => {
    pair = await startPair({
      version: '3.0',
      router: { http2Cleartext: true },
      ...(where === 'a URL' ? {} : { target: (req, res) => listener(req, res) }),
    })
  })
  afterAll(() => pair[Symbol.asyncDispose]())
  const serve = (given: RequestListener): void => {
    listener = given
    pair.serve(given)
  }

  it('of a response reach a client that said that it takes them, and the service hears that', async () => {
    serve(withTrailers([['X-Sum', '1']]))
    const response = await raw(pair.port, get('TE: trailers\r\nConnection: TE\r\n'))
    expect(told(response).te).toBe('trailers')
    expect(afterBody(response)).toBe('X-Sum: 1\r\n\r\n')
  })

  it('of a response reach any client when they were announced', async () => {
    serve(withTrailers([['X-Sum', '1']], 'X-Sum'))
    const response = await raw(pair.port, get())
    expect(told(response)).toEqual({ got: [] })
    expect(head(response)).toContain('\r\nTrailer: X-Sum')
    expect(afterBody(response)).toBe('X-Sum: 1\r\n\r\n')
  })

  it('of a response that nobody asked for or announced are dropped', async () => {
    serve(withTrailers([['X-Sum', '1']]))
    expect(afterBody(await raw(pair.port, get()))).toBe('\r\n')
  })

  it('keep order, case, duplicates and 8-bit values', async () => {
    serve(
      withTrailers(
        [
          ['X-B', '1'],
          ['x-A', 'caf\xe9'],
          ['X-B', '2'],
        ],
        'X-B, x-A',
      ),
    )
    expect(afterBody(await raw(pair.port, get()))).toBe('X-B: 1\r\nx-A: caf\xe9\r\nX-B: 2\r\n\r\n')
  })

  it('of a request reach the service when they were announced', async () => {
    serve(withTrailers([]))
    const response = await raw(pair.port, post('Trailer: X-Sum, X-B\r\n', 'X-Sum: 1\r\nX-B: \xe9\r\nX-Sum: 2\r\n'))
    expect(told(response)).toEqual({ trailer: 'X-Sum, X-B', got: ['X-Sum', '1', 'X-B', '\xe9', 'X-Sum', '2'] })
  })

  it('of a request that were not announced are dropped', async () => {
    serve(withTrailers([]))
    expect(told(await raw(pair.port, post('', 'X-Sum: 1\r\n')))).toEqual({ got: [] })
  })

  it('larger than a frame arrive whole, both ways', async () => {
    const fields = Array.from({ length: 200 }, (_, i) => [`X-${i}`, 'v'.repeat(200)] as const)
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    serve(withTrailers(fields, 'X-0'))
    const response = await raw(pair.port, post('Trailer: X-0\r\n', lines))
    expect(told(response).got).toEqual(fields.flat())
    expect(afterBody(response)).toBe(`${lines}\r\n`)
  })

  it('follow a body of no bytes', async () => {
    serve((_req, res) => {
      res.setHeader('Trailer', 'X-Sum')
      res.flushHeaders()
      res.addTrailers({ 'X-Sum': '1' })
      res.end()
    })
    const client = await RawClient.connect(pair.port)
    client.write(get())
    await client.until('X-Sum: 1\r\n\r\n')
    expect(client.received.toString('latin1')).toMatch(/\r\n\r\n0\r\nX-Sum: 1\r\n\r\n$/)
    client.leave()
  })

  it.each([
    ['a HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n\r\n'],
    ['HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTE: trailers\r\n\r\n'],
  ])('are not sent to %s', async (_what, text) => {
    serve(withTrailers([['X-Sum', '1']]))
    const client = await RawClient.connect(pair.port)
    client.write(text)
    if (text.startsWith('HEAD')) client.write('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    const { headers } = await client.response(text.startsWith('HEAD') ? 'HEAD' : 'GET')
    expect(headers).not.toContain('X-Sum')
    if (text.startsWith('HEAD')) expect((await client.response()).status).toBe(200)
    expect(client.received.toString('latin1')).not.toContain('X-Sum: 1')
    client.leave()
  })

  it('leave the connection ready for the next request', async () => {
    serve(withTrailers([['X-Sum', '1']], 'X-Sum'))
    const client = await RawClient.connect(pair.port)
    for (let i = 0; i < 3; i++) {
      client.write(post('Trailer: X\r\n', 'X: 1\r\n'))
      await client.until('X-Sum: 1\r\n\r\n')
      expect(told(client.received.toString('latin1')).got).toEqual(['X', '1'])
      client.received = Buffer.alloc(0)
    }
    client.leave()
  })

  it('come from and go to HTTP/2 clients', async () => {
    serve(withTrailers([['X-Sum', '1']]))
    const client = new Http2Client(pair.port)
    const stream = client.session.request(
      { ':method': 'POST', ':authority': 'a', te: 'trailers' },
      { waitForTrailers: true },
    )
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-a': '1' }))
    const trailers = new Promise((resolve) => stream.on('trailers', resolve))
    let body = ''
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()))
    stream.end('abc')
    expect(await trailers).toMatchObject({ 'x-sum': '1' })
    expect(JSON.parse(body)).toEqual({ te: 'trailers', got: ['x-a', '1'] })
    client.destroy()
  })
})

describe('trailers over 3.0, to HTTP/2', () => {
  it('cross from one HTTP version into the other, both ways', async () => {
    const { url } = await http2Server((stream, headers) => {
      let got: unknown
      stream.on('trailers', (_fields: unknown, _flags: number, fields?: string[]) => (got = fields))
      stream.resume().on('end', () => {
        stream.respond({ ':status': 200, trailer: 'x-sum' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }))
        stream.end(JSON.stringify({ te: headers['te'], trailer: headers.trailer, got }))
      })
    })
    await using pair = await startPair({ version: '3.0', target: url, connector: { targetProtocol: 'http2' } })
    const response = await raw(pair.port, post('Trailer: X-A\r\nTE: trailers\r\nConnection: TE\r\n', 'X-A: 1\r\n'))
    expect(told(response)).toEqual({ te: 'trailers', trailer: 'X-A', got: ['x-a', '1'] })
    expect([head(response).includes('\r\nTrailer: x-sum'), afterBody(response)]).toEqual([true, 'x-sum: 1\r\n\r\n'])
  })
})

describe('trailers over 1.0', () => {
  const pair = usePair({ version: '1.0', router: { http2Cleartext: true } })

  it('are dropped, and nobody is told of them', async () => {
    pair.serve(withTrailers([['X-Sum', '1']], 'X-Sum'))
    const client = await RawClient.connect(pair.port)
    for (let i = 0; i < 2; i++) {
      client.write(post('Trailer: X\r\nTE: trailers\r\nConnection: TE\r\n', 'X: 1\r\n'))
      const { status, text, headers } = await client.response()
      expect([status, JSON.parse(text)]).toEqual([200, { got: [] }])
      expect(headers).not.toContain('Trailer')
    }
    expect(client.received.toString('latin1')).toBe('')
    client.leave()
  })

  it('are dropped from and to HTTP/2 clients', async () => {
    pair.serve(withTrailers([['X-Sum', '1']], 'X-Sum'))
    const client = new Http2Client(pair.port)
    const stream = client.session.request({ ':method': 'POST', ':authority': 'a' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-a': '1' }))
    let trailers: unknown
    stream.on('trailers', (given) => (trailers = given))
    let body = ''
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()))
    stream.end('abc')
    await new Promise((resolve) => stream.on('close', resolve))
    expect([JSON.parse(body), trailers]).toEqual([{ got: [] }, undefined])
    client.destroy()
  })
})
