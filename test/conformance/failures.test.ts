/** What fails is told at once, to the right side, and never looks like success. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { startPair, usePair, versions } from '../support/pair.js'

describe.each(versions)('failures over %s', (version) => {
  const pair = usePair({ version, router: { connectorWait: 300, startGrace: 0 } })

  it('a client that leaves before the head ends the target’s request', async () => {
    const closed = new Promise<void>((resolve) => {
      pair.serve((_req, res) => {
        res.on('close', resolve)
        reached()
      })
    })
    let reached: () => void = () => undefined
    const atTarget = new Promise<void>((resolve) => (reached = resolve))
    const socket = connect(pair.port, '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await atTarget
    socket.destroy()
    await closed
  })

  it('a client that leaves during the response ends the target’s request', async () => {
    const closed = new Promise<void>((resolve) => {
      pair.serve((_req, res) => {
        res.on('close', resolve)
        res.writeHead(200).write('x')
      })
    })
    const { request } = await open({ port: pair.port })
    request.destroy()
    await closed
  })

  it('a client that leaves during its upload ends the target’s request', async () => {
    const aborted = new Promise<void>((resolve) => {
      pair.serve((req) => {
        req.resume()
        req.on('close', resolve)
        req.on('error', () => undefined)
        got()
      })
    })
    let got: () => void = () => undefined
    const atTarget = new Promise<void>((resolve) => (got = resolve))
    const socket = connect(pair.port, '127.0.0.1')
    socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nsome')
    await atTarget
    socket.destroy()
    await aborted
  })

  it.each([
    ['fixed', { 'content-length': '1000' }],
    ['chunked', {}],
  ])('a target that dies in the middle of a %s body leaves a broken response', async (_name, headers) => {
    pair.serve((_req, res) => {
      res.writeHead(200, headers)
      res.write('part', () => res.socket?.destroy())
    })
    // Cut after its head, or before anything was sent: never a response that ends well.
    await expect(fetchRaw({ port: pair.port })).rejects.toThrow()
  })

  it('a target that dies in the middle leaves a broken response also to an HTTP/1.0 client', async () => {
    pair.serve((_req, res) => {
      res.writeHead(200)
      res.write('part', () => res.socket?.destroy())
    })
    const socket = connect(pair.port, '127.0.0.1')
    socket.write('GET / HTTP/1.0\r\n\r\n')
    socket.resume()
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNRESET')
  })

  it('a target that closes without an answer is a 502', async () => {
    pair.serve((_req, res) => res.socket?.destroy())
    const res = await fetchRaw({ port: pair.port })
    expect(res.status).toBe(502)
  })

  it('an error page names the request and nothing internal', async () => {
    pair.serve((_req, res) => res.socket?.destroy())
    const res = await fetchRaw({ port: pair.port, headers: ['Accept', 'application/json'] })
    const body = JSON.parse(res.text) as Record<string, unknown>
    expect(Object.keys(body).length).toBeGreaterThan(1)
    expect(res.text).not.toMatch(/127\.0\.0\.1|localhost|node_modules|ECONN|at /)
    expect(res.field('proxy-status')[0]).toMatch(/cranker/)
  })

  it('another request on the same socket goes on while one fails', async () => {
    let finish: (() => void) | undefined
    pair.serve((req, res) => {
      if (req.url === '/dies') res.socket?.destroy()
      else {
        res.writeHead(200).write('a')
        finish = () => res.end('b')
      }
    })
    const { response } = await open({ port: pair.port, path: '/lives' })
    expect((await fetchRaw({ port: pair.port, path: '/dies' })).status).toBe(502)
    finish?.()
    expect((await readAll(response)).toString()).toBe('ab')
  })

  it('a path that no route covers is a 404', async () => {
    await using other = await startPair({ version, route: 'only', router: { startGrace: 0 } })
    expect((await fetchRaw({ port: other.port, path: '/else' })).status).toBe(404)
    expect((await fetchRaw({ port: other.port, path: '/onlyish' })).status).toBe(404)
  })

  it('a route whose connectors are gone is a 503 with Retry-After, after waiting', async () => {
    await using other = await startPair({ version, route: 'gone', router: { connectorWait: 100 } })
    await other.connector.close()
    const res = await fetchRaw({ port: other.port, path: '/gone/x' })
    expect([res.status, res.field('retry-after').length]).toEqual([503, 1])
  })

  it('a request that waits is served as soon as a connector comes', async () => {
    await using other = await startPair({ version, route: 'late', connect: false })
    const waiting = fetchRaw({ port: other.port, path: '/late/x' })
    other.serve((_req, res) => res.end('at last'))
    await other.connect()
    expect((await waiting).text).toBe('at last')
  })

  it('a target that cannot be connected to is a 502', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as { port: number }
    closed.close()
    await once(closed, 'close')
    await using other = await startPair({ version, target: `http://127.0.0.1:${String(port)}` })
    const res = await fetchRaw({ port: other.port })
    expect(res.status).toBe(502)
  })

  it('a silent exchange is ended by the idle timeout: 504', async () => {
    await using other = await startPair({ version, router: { idleTimeout: 100 } })
    other.serve(() => undefined)
    expect((await fetchRaw({ port: other.port })).status).toBe(504)
  })

  it('a connector that stops under load loses no request', async () => {
    await using other = await startPair({ version })
    other.serve((_req, res) => setTimeout(() => res.end('ok'), 5))
    await other.connect()
    const [first] = other.connectors
    let stop = false
    const results: number[] = []
    const load = Array.from({ length: 8 }, async () => {
      while (!stop) results.push((await fetchRaw({ port: other.port })).status)
    })
    while (results.length < 50) await new Promise((resolve) => setImmediate(resolve))
    await first?.close()
    const before = results.length
    while (results.length < before + 50) await new Promise((resolve) => setImmediate(resolve))
    stop = true
    await Promise.all(load)
    expect(new Set(results)).toEqual(new Set([200]))
  })

  it('a router that stops lets running requests finish', async () => {
    await using other = await startPair({ version })
    let finish: (() => void) | undefined
    other.serve((_req, res) => {
      res.writeHead(200).write('a')
      finish = () => res.end('b')
    })
    const { response } = await open({ port: other.port })
    const closing = other.router.close()
    finish?.()
    expect((await readAll(response)).toString()).toBe('ab')
    await closing
  })

  it('the connector comes back after its router was restarted', async () => {
    await using other = await startPair({ version })
    other.serve((_req, res) => res.end('ok'))
    expect((await fetchRaw({ port: other.port })).text).toBe('ok')
    await other.restartRouter()
    expect((await fetchRaw({ port: other.port })).text).toBe('ok')
  })
})
