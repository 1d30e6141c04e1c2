/** Clients that speak HTTP/2, over every protocol version between router and connector. */
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { Http2Client, head, response } from '../support/http2-client.js'
import { fleets, usePair } from '../support/pair.js'

const MiB = 1024 * 1024

describe.each(fleets)('HTTP/2 clients over %s', (version) => {
  const pair = usePair({ version, router: { http2Cleartext: true } })
  const clients = new Map<number, Http2Client>()
  const client = (): Http2Client => {
    const known = clients.get(pair.port) ?? new Http2Client(pair.port)
    clients.set(pair.port, known)
    return known
  }

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'])('carries %s', async (method) => {
    pair.serve((req, res) => res.setHeader('x-method', String(req.method)).end('hello'))
    const { status, headers, text } = await client().fetch({ ':method': method, ':path': '/a?b' })
    expect([status, headers['x-method'], text]).toEqual([200, method, method === 'HEAD' ? '' : 'hello'])
  })

  it('says to the service who asked, and how', async () => {
    pair.serve((req, res) => res.end(JSON.stringify(req.headers)))
    const { text } = await client().fetch({ ':authority': 'shop.example', cookie: ['a=1', 'b=2'], te: 'trailers' })
    expect(JSON.parse(text)).toMatchObject({
      host: 'shop.example',
      cookie: 'a=1; b=2',
      via: expect.stringMatching(/^2\.0 cranker/) as unknown,
      forwarded: 'for=127.0.0.1;host=shop.example;proto=http',
    })
  })

  it.each([true, false])('carries a body (length announced: %s)', async (announced) => {
    pair.serve((req, res) => {
      res.setHeader('x-length', req.headers['content-length'] ?? 'none')
      req.pipe(res)
    })
    const body = Buffer.alloc(300_000, 'x')
    const { headers, body: back } = await client().fetch(
      { ':method': 'POST', ...(announced ? { 'content-length': body.length } : {}) },
      body,
    )
    expect([headers['x-length'], back.equals(body)]).toEqual([announced ? '300000' : 'none', true])
  })

  it.each([204, 304])('carries a %s', async (status) => {
    pair.serve((_req, res) => res.writeHead(status, { etag: '"x"' }).end())
    const got = await client().fetch({})
    expect([got.status, got.headers.etag, got.text]).toEqual([status, '"x"', ''])
  })

  it('carries large bodies both ways at once, many of them', async () => {
    pair.serve((req, res) => req.pipe(res))
    const body = Buffer.alloc(4 * MiB, 'y')
    const all = await Promise.all(Array.from({ length: 8 }, () => client().fetch({ ':method': 'POST' }, body)))
    for (const { body: back } of all) expect(back.equals(body)).toBe(true)
  })

  it('carries an event stream as it comes, and tells the service when the client leaves', async () => {
    const gone = new Promise<void>((resolve) => {
      pair.serve((_req, res) => {
        res.on('close', resolve)
        res.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      })
    })
    const stream = client().open({}, true)
    const [event] = (await once(stream, 'data')) as [Buffer]
    expect(event.toString()).toBe('data: 1\n\n')
    stream.close(8)
    await gone
  })

  it('carries an answer that comes before its request is complete', async () => {
    pair.serve((_req, res) => res.writeHead(413).end('too much'))
    const stream = client().open({ ':method': 'POST' }, false)
    stream.write(Buffer.alloc(64 * 1024))
    const { status, text } = await response(stream)
    expect([status, text]).toEqual([413, 'too much'])
  })

  it('shows that a response was cut', async () => {
    pair.serve((_req, res) => {
      res.write('half')
      setImmediate(() => res.destroy())
    })
    await expect(client().fetch({})).rejects.toThrow()
  })

  it('lets a slow reader slow down nobody else', async () => {
    pair.serve((req, res) => res.end(req.url === '/large' ? Buffer.alloc(8 * MiB) : 'small'))
    const slow = client().open({ ':path': '/large' }, true)
    await head(slow)
    for (let i = 0; i < 20; i++) expect((await client().fetch({ ':path': '/small' })).text).toBe('small')
    expect((await response(slow)).body).toHaveLength(8 * MiB)
  })

  it('answers 404 and such by itself', async () => {
    expect((await client().fetch({ ':path': '/..%2f' })).status).toBe(400)
  })
})
