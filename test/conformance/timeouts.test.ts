/** Idle, not total: what moves lives, what stands still is ended, and the end is seen by both sides. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { usePair, fleets } from '../support/pair.js'
import { RawClient } from '../support/raw-client.js'

describe.each(fleets)('time over %s', (version) => {
  const pair = usePair({ version, router: { idleTimeout: 300 } })

  it('is up for a response that stands still in the middle: it breaks off, and its target learns it', async () => {
    const aborted = new Promise<void>((resolve) => {
      pair.serve((_req, res) => {
        res.on('close', resolve)
        res.writeHead(200).write('part')
      })
    })
    const { response } = await open({ port: pair.port })
    await expect(readAll(response)).rejects.toThrow()
    await aborted
  })

  it('is up for a request body that stands still: 408, and its target learns it', async () => {
    const aborted = new Promise<void>((resolve) => {
      pair.serve((req: IncomingMessage) => {
        req.resume()
        req.on('error', () => undefined)
        req.on('close', resolve)
      })
    })
    const client = await RawClient.connect(pair.port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nsome')
    expect((await client.response()).status).toBe(408)
    await aborted
  })

  it('is not up for what moves, however slowly', async () => {
    pair.serve((_req, res) => {
      let left = 8
      const timer = setInterval(() => {
        if (left-- > 0) res.write('x')
        else {
          clearInterval(timer)
          res.end()
        }
      }, 75)
    })
    expect((await fetchRaw({ port: pair.port })).text).toBe('xxxxxxxx')
  })

  it('is up for a client that reads nothing, while others go on', async () => {
    const aborted = new Promise<void>((resolve) => {
      pair.serve((req, res) => {
        if (req.url === '/ok') return res.end('ok')
        res.on('close', resolve)
        return res.end(Buffer.alloc(64 * 1024 * 1024))
      })
    })
    const { response } = await open({ port: pair.port })
    response.pause()
    response.on('error', () => undefined)
    await aborted
    expect((await fetchRaw({ port: pair.port, path: '/ok' })).text).toBe('ok')
    response.destroy()
  })

  it('is kept by HTTP/1.0 clients that ask for keep-alive, for as many requests as they like', async () => {
    pair.serve((req, res) => {
      res.setHeader('content-length', '2')
      res.end(req.url?.slice(1))
    })
    const client = await RawClient.connect(pair.port)
    for (const path of ['aa', 'bb', 'cc']) {
      client.write(`GET /${path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`)
      const answer = await client.response()
      expect([answer.text, answer.field('connection')?.toLowerCase()]).toEqual([path, 'keep-alive'])
    }
    client.write('GET /dd HTTP/1.0\r\n\r\n')
    expect((await client.response()).text).toBe('dd')
    expect(await client.closed()).toBe('fin')
  })

  it('of an upload that its target does not read holds back the client, and ends with the target', async () => {
    const held = new Promise<IncomingMessage>((resolve) => {
      pair.serve((req) => resolve(req.pause()))
    })
    const client = await RawClient.connect(pair.port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    const chunk = Buffer.alloc(65_536)
    while (client.socket.write(chunk));
    const req = await held
    const response = client.response()
    req.socket.destroy()
    expect((await response).status).toBe(502)
    client.leave()
    if (!client.socket.destroyed) await once(client.socket, 'close')
  })
})
