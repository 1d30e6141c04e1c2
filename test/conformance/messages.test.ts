/** What one request and one response must survive, unchanged, over every protocol version. */
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { usePair, fleets } from '../support/pair.js'

describe.each(fleets)('messages over %s', (version) => {
  const pair = usePair({ version })

  it('carries a GET and its response', async () => {
    pair.serve((_req, res) => res.end('hello'))
    const res = await fetchRaw({ port: pair.port, path: '/a' })
    expect([res.status, res.text]).toEqual([200, 'hello'])
  })

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'M-SEARCH', 'QUERY'])(
    'carries the method %s',
    async (method) => {
      pair.serve((req, res) => res.setHeader('x-method', String(req.method)).end())
      const res = await fetchRaw({ port: pair.port, method })
      expect([res.status, res.field('x-method')]).toEqual([200, [method]])
    },
  )

  it.each(['TRACE', 'CONNECT'])('never forwards %s', async (method) => {
    let reached = false
    pair.serve((_req, res) => {
      reached = true
      res.end()
    })
    const answer = await rawExchange(pair.port, `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 (405|501) /)
    expect(reached).toBe(false)
  })

  it.each(['GET', 'POST', 'DELETE', 'PROPFIND'])('carries a body on %s, fixed length', async (method) => {
    pair.serve((req, res) => {
      res.setHeader('x-length', req.headers['content-length'] ?? 'none')
      req.pipe(res)
    })
    const res = await fetchRaw({ port: pair.port, method, body: 'some bytes' })
    expect([res.text, res.field('x-length')]).toEqual(['some bytes', ['10']])
  })

  it('carries a chunked request body', async () => {
    pair.serve((req, res) => {
      res.setHeader('x-length', req.headers['content-length'] ?? 'none')
      req.pipe(res)
    })
    const res = await fetchRaw({
      port: pair.port,
      method: 'POST',
      body: Readable.from([Buffer.from('a'), Buffer.from('b')]),
    })
    expect([res.text, res.field('x-length')]).toEqual(['ab', ['none']])
  })

  it('carries an empty fixed-length body as one', async () => {
    pair.serve((req, res) => {
      res.setHeader('x-length', req.headers['content-length'] ?? 'none')
      req.resume().on('end', () => res.end('done'))
    })
    const res = await fetchRaw({ port: pair.port, method: 'POST', headers: ['Content-Length', '0'] })
    expect([res.text, res.field('x-length')]).toEqual(['done', ['0']])
  })

  it.each([
    [200, 'OK'],
    [299, 'Odd'],
    [404, 'Nowhere to be found'],
    [418, "I'm a teapot"],
    [500, 'Oh'],
    [599, ''],
  ])('carries the status %i %s', async (status, reason) => {
    pair.serve((_req, res) => res.writeHead(status, reason).end('x'))
    const res = await fetchRaw({ port: pair.port })
    expect(res.status).toBe(status)
    expect(res.text).toBe('x')
  })

  it('answers HEAD without a body and keeps its content-length', async () => {
    pair.serve((_req, res) => res.writeHead(200, { 'content-length': '1234' }).end())
    const res = await fetchRaw({ port: pair.port, method: 'HEAD' })
    expect([res.field('content-length'), res.body.length]).toEqual([['1234'], 0])
  })

  it.each([204, 205, 304])('answers %i without a body', async (status) => {
    pair.serve((_req, res) => res.writeHead(status, { etag: '"a"' }).end())
    const res = await fetchRaw({ port: pair.port })
    expect([res.status, res.body.length, res.field('etag')]).toEqual([status, 0, ['"a"']])
  })

  it('keeps a content-length on 304', async () => {
    pair.serve((_req, res) => res.writeHead(304, { 'content-length': '99' }).end())
    const res = await fetchRaw({ port: pair.port })
    expect([res.status, res.field('content-length'), res.body.length]).toEqual([304, ['99'], 0])
  })

  it('keeps fixed framing fixed and chunked framing chunked', async () => {
    pair.serve((req, res) => {
      if (req.url === '/fixed') res.writeHead(200, { 'content-length': '3' })
      res.write('a')
      res.end('bc')
    })
    const fixed = await fetchRaw({ port: pair.port, path: '/fixed' })
    expect([fixed.text, fixed.field('content-length'), fixed.field('transfer-encoding')]).toEqual(['abc', ['3'], []])
    const chunked = await fetchRaw({ port: pair.port, path: '/chunked' })
    expect([chunked.text, chunked.field('content-length'), chunked.field('transfer-encoding')]).toEqual([
      'abc',
      [],
      ['chunked'],
    ])
  })

  it('keeps request fields in order, with their case and duplicates', async () => {
    pair.serve((req, res) => res.end(JSON.stringify(req.rawHeaders)))
    const sent = ['X-One', '1', 'x-TWO', '2', 'X-One', '3', 'Accept', 'a/b', 'Authorization', 'Basic eDp5']
    const res = await fetchRaw({ port: pair.port, headers: sent })
    const got = JSON.parse(res.text) as string[]
    const at = got.indexOf('X-One')
    expect(got.slice(at, at + sent.length)).toEqual(sent)
  })

  it('keeps response fields in order, with their case and duplicates', async () => {
    const sent = [
      'X-b',
      '1',
      'x-A',
      '2',
      'X-b',
      '3',
      'Set-Cookie',
      'a=1',
      'Set-Cookie',
      'b=2; Path=/',
      'set-cookie',
      'c',
    ]
    pair.serve((_req, res) => res.writeHead(200, sent).end())
    const res = await fetchRaw({ port: pair.port })
    const at = res.rawHeaders.indexOf('X-b')
    expect(res.rawHeaders.slice(at, at + sent.length)).toEqual(sent)
  })

  it('joins several cookie fields into one', async () => {
    pair.serve((req, res) =>
      res.end(JSON.stringify(req.rawHeaders.filter((_, i, all) => /^cookie$/i.test(all[i - 1] ?? '')))),
    )
    const res = await fetchRaw({ port: pair.port, headers: ['Cookie', 'a=1', 'X-Y', 'z', 'Cookie', 'b=2'] })
    expect(JSON.parse(res.text)).toEqual(['a=1; b=2'])
  })

  it('keeps 8-bit field values, octet by octet, both ways', async () => {
    const octets = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join('')
    pair.serve((req, res) => {
      const at = req.rawHeaders.indexOf('X-Octets')
      res.writeHead(200, ['X-Back', req.rawHeaders[at + 1] ?? '']).end()
    })
    const res = await fetchRaw({ port: pair.port, headers: ['X-Octets', octets] })
    expect(res.field('x-back')).toEqual([octets])
  })

  it('keeps 8-bit field values of a response head that comes before its body', async () => {
    let end = (): void => {}
    pair.serve((_req, { socket }) => {
      // By hand: node would write a head that it flushes as UTF-8. It cannot answer on this connection after that.
      const head = 'HTTP/1.1 200 OK\r\nX-Back: caf\xe9\r\nConnection: close\r\nContent-Length: 1\r\n\r\n'
      socket?.write(head, 'latin1')
      end = () => void socket?.end('x')
    })
    const { response } = await open({ port: pair.port })
    end()
    expect([response.headers['x-back'], String(await readAll(response))]).toEqual(['caf\xe9', 'x'])
  })

  it('keeps empty values', async () => {
    pair.serve((req, res) => res.writeHead(200, ['X-Back', `<${String(req.headers['x-empty'])}>`, 'X-None', '']).end())
    const res = await fetchRaw({ port: pair.port, headers: ['X-Empty', ''] })
    expect([res.field('x-back'), res.field('x-none')]).toEqual([['<>'], ['']])
  })

  it.each([
    '/@scope%2fpkg',
    '/a/b%20c?q=1&q=2',
    '/?',
    '/x?q=a|b{c}^"<>`',
    '/a//b///c',
    '/%E2%82%AC;p=1/x',
    '/x?f[x]=1&y=%00',
    '/x?/../..//',
  ])('leaves the target %s untouched', async (path) => {
    pair.serve((req, res) => res.writeHead(200, ['X-Url', String(req.url)]).end())
    const answer = await rawExchange(pair.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(/X-Url: (.*)\r\n/.exec(answer)?.[1]).toBe(path)
  })

  it('reduces absolute-form to origin-form', async () => {
    pair.serve((req, res) => res.writeHead(200, ['X-Url', String(req.url), 'X-Host', String(req.headers.host)]).end())
    const answer = await rawExchange(
      pair.port,
      'GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toContain('X-Url: /x?y\r\n')
    expect(answer).toContain('X-Host: a.example\r\n')
  })

  it('carries OPTIONS * to the catch-all', async () => {
    pair.serve((req, res) => res.writeHead(200, ['X-Url', String(req.url)]).end())
    const answer = await rawExchange(pair.port, 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(answer).toContain('X-Url: *\r\n')
  })

  it('carries heads that fill several HEADER frames or messages', async () => {
    const big = Array.from({ length: 20 }, (_, i) => [
      `X-Big-${String(i)}`,
      String(i).repeat(1000).slice(0, 1500),
    ]).flat()
    pair.serve((req, res) => {
      const from = req.rawHeaders.indexOf('X-Big-0')
      res.writeHead(200, req.rawHeaders.slice(from, from + big.length)).end()
    })
    const res = await fetchRaw({ port: pair.port, headers: big })
    const at = res.rawHeaders.indexOf('X-Big-0')
    expect(res.rawHeaders.slice(at, at + big.length)).toEqual(big)
  })

  it('leaves content codings alone', async () => {
    const zipped = gzipSync('some text'.repeat(100))
    pair.serve((_req, res) => res.writeHead(200, { 'content-encoding': 'gzip' }).end(zipped))
    const res = await fetchRaw({ port: pair.port })
    expect(res.body.equals(zipped)).toBe(true)
    expect(res.field('content-encoding')).toEqual(['gzip'])
  })

  it('forwards interim responses', async () => {
    pair.serve((_req, res) => {
      res.writeEarlyHints({ link: '</style.css>; rel=preload' })
      res.end('x')
    })
    const res = await fetchRaw({ port: pair.port })
    expect(res.infos.map((i) => [i.statusCode, i.headers['link']])).toEqual([[103, '</style.css>; rel=preload']])
    expect(res.text).toBe('x')
  })

  it('answers Expect: 100-continue', async () => {
    pair.serve((req, res) => req.pipe(res))
    const socket = connect(pair.port, '127.0.0.1')
    let seen = ''
    const done = new Promise<void>((resolve, reject) => {
      socket.on('error', reject)
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString()
        if (seen === 'HTTP/1.1 100 Continue\r\n\r\n') socket.write('body!')
        if (seen.includes('body!')) resolve()
      })
    })
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n')
    await done
    socket.destroy()
  })

  it('serves HTTP/1.0 clients without chunked framing', async () => {
    pair.serve((_req, res) => {
      res.write('a')
      res.end('b')
    })
    const answer = await rawExchange(pair.port, 'GET / HTTP/1.0\r\n\r\n')
    expect(answer).not.toMatch(/transfer-encoding/i)
    expect(answer).toMatch(/\r\n\r\nab$/)
  })

  it('keeps connections alive and answers pipelined requests in order', async () => {
    pair.serve((req, res) => setTimeout(() => res.end(`<${String(req.url)}>`), req.url === '/1' ? 30 : 0))
    const answer = await rawExchange(
      pair.port,
      ['/1', '/2', '/3'].map((p) => `GET ${p} HTTP/1.1\r\nHost: a\r\n\r\n`).join('') +
        'GET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    expect([...answer.matchAll(/<(\/\d)>/g)].map((m) => m[1])).toEqual(['/1', '/2', '/3', '/4'])
  })

  it('answers a client that has half-closed', async () => {
    pair.serve((_req, res) => setTimeout(() => res.end('late'), 20))
    const socket = connect({ port: pair.port, host: '127.0.0.1', allowHalfOpen: true })
    socket.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    let seen = ''
    for await (const chunk of socket) seen += String(chunk)
    expect(seen).toMatch(/HTTP\/1\.1 200 [^]*late/)
  })

  it('drops trailers cleanly where they were not asked for', async () => {
    pair.serve((_req, res) => {
      res.writeHead(200, { trailer: 'x-sum' })
      res.write('body')
      res.addTrailers({ 'x-sum': '1' })
      res.end()
    })
    const res = await fetchRaw({ port: pair.port })
    expect([res.status, res.text]).toEqual([200, 'body'])
  })

  it('removes hop-by-hop fields and those that Connection names, but nothing that matters', async () => {
    pair.serve((req, res) =>
      res.writeHead(200, ['Connection', 'X-Hop', 'X-Hop', '1', 'X-End', '2']).end(JSON.stringify(req.headers)),
    )
    const res = await fetchRaw({
      port: pair.port,
      headers: [
        'Connection',
        'X-Drop, Authorization, Cookie',
        'X-Drop',
        '1',
        'Authorization',
        'a',
        'Cookie',
        'b=1',
        'TE',
        'gzip',
      ],
    })
    const got = JSON.parse(res.text) as Record<string, string>
    expect([got['x-drop'], got['te'], got['authorization'], got['cookie']]).toEqual([undefined, undefined, 'a', 'b=1'])
    expect([res.field('x-hop'), res.field('x-end')]).toEqual([[], ['2']])
  })

  it('the target’s date wins', async () => {
    pair.serve((_req, res) => {
      res.sendDate = false
      res.writeHead(200, ['Date', 'Thu, 01 Jan 1970 00:00:00 GMT']).end()
    })
    const res = await fetchRaw({ port: pair.port })
    expect(res.field('date')).toEqual(['Thu, 01 Jan 1970 00:00:00 GMT'])
  })

  it('tells the service who asked (Via, Forwarded) and ignores what the client claims', async () => {
    pair.serve((req, res) => res.end(JSON.stringify(req.headers)))
    const res = await fetchRaw({
      port: pair.port,
      headers: ['Forwarded', 'for=6.6.6.6', 'X-Forwarded-For', '6.6.6.6', 'Via', '1.1 evil'],
    })
    const got = JSON.parse(res.text) as Record<string, string>
    expect(got['forwarded']).toContain('for=127.0.0.1')
    expect(JSON.stringify(got)).not.toMatch(/6\.6\.6\.6/)
    expect(got['via']).toMatch(/cranker/)
  })
})

/** Sends bytes, returns everything that comes back until the router closes. */
function rawExchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let seen = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => (seen += chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(seen)
    })
    socket.write(bytes, 'latin1')
  })
}
