/** A target that is a function of this process behaves as a service on a port does, whatever the protocol version. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { startPair, usePair, fleets } from '../support/pair.js'

const MiB = 1024 * 1024
const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex')

describe.each(fleets)('an in-process target over %s', (version) => {
  let listener: (req: IncomingMessage, res: ServerResponse) => void = (_req, res) => res.end()
  const pair = usePair({
    version,
    target: (req, res) => {
      listener(req, res)
    },
  })

  it('answers with status, fields and body', async () => {
    listener = (req, res) => {
      res.writeHead(201, 'Made', ['X-A', '1', 'x-a', '2', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'])
      res.end(`${String(req.method)} ${String(req.url)} ${String(req.headers['x-q'])}`)
    }
    const answer = await fetchRaw({ port: pair.port, path: '/a%2fb?c=[d]', headers: ['X-Q', 'yes'] })
    expect([answer.status, answer.reason, answer.text]).toEqual([201, 'Made', 'GET /a%2fb?c=[d] yes'])
    expect(answer.field('x-a')).toEqual(['1', '2'])
    expect(answer.field('set-cookie')).toEqual(['a=1', 'b=2'])
  })

  it.each([1, 65_537, 4 * MiB + 3])('carries %i bytes up and down intact', async (size) => {
    const data = randomBytes(size)
    listener = (req, res) => {
      if (req.method === 'POST') void readAll(req).then((got) => res.end(sha(got)))
      else res.end(data)
    }
    expect((await fetchRaw({ port: pair.port, method: 'POST', body: data })).text).toBe(sha(data))
    expect(sha((await fetchRaw({ port: pair.port })).body)).toBe(sha(data))
  })

  it('delivers events when they are written, and learns that the client has left', async () => {
    let res: ServerResponse | undefined
    listener = (_req, response) => {
      res = response
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    }
    const { request, response } = await open({ port: pair.port })
    for (const event of ['a', 'b', 'c']) {
      res?.write(event)
      expect(String((await once(response, 'data'))[0])).toBe(event)
    }
    const closed = once(res as ServerResponse, 'close')
    request.destroy()
    await closed
  })

  it('that destroys its response breaks it for the client, and nothing else', async () => {
    let running: ServerResponse | undefined
    listener = (req, res) => {
      if (req.url === '/ok') return res.end('ok')
      running = res.writeHead(200)
      return res.write('part')
    }
    const { response } = await open({ port: pair.port })
    const cut = expect(readAll(response)).rejects.toThrow()
    running?.destroy()
    await cut
    expect((await fetchRaw({ port: pair.port, path: '/ok' })).text).toBe('ok')
  })

  it('answers HEAD, 204 and 304 without a body, and interim responses', async () => {
    listener = (req, res) => {
      if (req.method === 'HEAD') res.writeHead(200, { 'content-length': '5' }).end()
      else {
        res.writeEarlyHints({ link: '</a>; rel=preload' })
        res.writeHead(Number(req.url?.slice(1))).end()
      }
    }
    const head = await fetchRaw({ port: pair.port, method: 'HEAD' })
    expect([head.field('content-length'), head.body.length]).toEqual([['5'], 0])
    for (const status of [204, 304]) {
      const answer = await fetchRaw({ port: pair.port, path: `/${String(status)}` })
      expect([answer.status, answer.body.length]).toEqual([status, 0])
      expect(answer.infos.map((info) => info.statusCode)).toEqual([103])
    }
  })

  it('that is an http.Server need not listen', async () => {
    const server = createServer((_req, res) => res.end('ok'))
    await using other = await startPair({ version, target: server })
    expect((await fetchRaw({ port: other.port })).text).toBe('ok')
    expect(server.listening).toBe(false)
  })
})
