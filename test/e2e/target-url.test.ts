import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../protocol/errors.js'
import type { BodyHandler } from '../../protocol/session.js'
import { FakeClock } from '../support/fake-clock.js'
import { sendBody, type ScriptedExchange } from '../support/scripted-exchange.js'
import { cannedServer, httpServer, makeTarget, rawServer, request, send } from '../support/target-fixtures.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

async function readAll(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** Resolves when `value` has not changed for a hundred turns of the event loop. */
async function settled(value: () => number): Promise<void> {
  let last = value()
  for (let still = 0; still < 100; still++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (value() !== last) still = 0
    last = value()
  }
}

/** Uploads as a tunnel does: more bytes whenever there is credit, until the exchange is over. */
function upload(exchange: ScriptedExchange, handler: BodyHandler | undefined): void {
  const chunk = Buffer.alloc(64 * 1024)
  let sent = 0
  const pump = (): void => {
    if (exchange.over) return
    if (exchange.consumedBytes === sent) {
      sent += chunk.length
      handler?.onData(chunk)
    }
    setImmediate(pump)
  }
  pump()
}

describe('requests to a URL target', () => {
  it('keeps method, raw target, header order, case and duplicates', async () => {
    const { url, got } = await cannedServer(OK)
    const { exchange } = send(
      makeTarget(url),
      request('PROPFIND', '/a/../b%2f%7e?x=[1]|&y=\xe4', 'X-b', '2', 'x-A', '1', 'x-A', '\xe4\xff'),
    )
    await exchange.ended()
    expect(got()).toBe(
      'PROPFIND /a/../b%2f%7e?x=[1]|&y=\xe4 HTTP/1.1\r\n' +
        'Host: public.example\r\nX-b: 2\r\nx-A: 1\r\nx-A: \xe4\xff\r\n\r\n',
    )
  })

  it('keeps status, reason, header order, case, duplicates and 8-bit values of the response', async () => {
    const { url } = await cannedServer(
      'HTTP/1.1 299 Fine \xe4\r\nSet-Cookie: a\r\nset-cookie: b\r\nServer: x\r\nX: \xe4\r\n' +
        'Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok',
    )
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.response).toEqual({
      status: 299,
      reason: 'Fine \xe4',
      headers: ['Set-Cookie', 'a', 'set-cookie', 'b', 'Server', 'x', 'X', '\xe4', 'Content-Length', '2'],
    })
    expect(exchange.body.toString()).toBe('ok')
  })

  it('joins the path prefix and the request target by concatenation', async () => {
    const { url, got } = await cannedServer(OK)
    const { exchange } = send(makeTarget(`${url}/base/`), request('GET', '/x?y#'.slice(0, 4)))
    await exchange.ended()
    expect(got()).toContain('GET /base/x?y HTTP/1.1\r\n')
  })

  it('sends OPTIONS * as it is', async () => {
    const { url, got } = await cannedServer(OK)
    const { exchange } = send(makeTarget(`${url}/base`), request('OPTIONS', '*'))
    await exchange.ended()
    expect(got()).toContain('OPTIONS * HTTP/1.1\r\n')
  })

  it('adds the host of the target when the request has none', async () => {
    const { url, got } = await cannedServer(OK)
    const { exchange } = send(makeTarget(url), { method: 'GET', target: '/', headers: [] })
    await exchange.ended()
    expect(got()).toContain(`\r\nHost: ${new URL(url).host}\r\n`)
  })

  it('does not follow a redirect', async () => {
    const { url } = await cannedServer('HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n')
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.response?.status).toBe(302)
  })

  it('does not forward an expectation, and does not forward the 100 of a target that sends one', async () => {
    const { url, got } = await cannedServer(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)
    const { exchange, handler } = send(
      makeTarget(url),
      request('POST', '/', 'Expect', '100-continue', 'Content-Length', '2'),
      false,
    )
    sendBody(handler, 'hi')
    await exchange.ended()
    expect(got().toLowerCase()).not.toContain('expect')
    expect(exchange.infos).toEqual([])
    expect(exchange.response?.status).toBe(200)
  })

  it('hands a 103 on as information and not as the response', async () => {
    const { url } = await cannedServer(`HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n${OK}`)
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.infos).toEqual([{ status: 103, reason: 'Early Hints', headers: ['Link', '</a>; rel=preload'] }])
    expect(exchange.response?.status).toBe(200)
  })

  it('completes a 304 and a 204 that have a content-length', async () => {
    for (const status of [304, 204]) {
      const { url } = await cannedServer(`HTTP/1.1 ${status} X\r\nContent-Length: 123\r\nETag: "a"\r\n\r\n`)
      const { exchange } = send(makeTarget(url), request('GET', '/'))
      await exchange.ended()
      expect(exchange.response).toEqual({
        status,
        reason: 'X',
        headers: ['Content-Length', '123', 'ETag', '"a"'],
      })
      expect(exchange.calls).toHaveLength(1)
    }
  })

  it('answers HEAD with the head alone', async () => {
    const { url } = await cannedServer('HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n')
    const { exchange } = send(makeTarget(url), request('HEAD', '/'))
    await exchange.ended()
    expect(exchange.calls).toEqual([
      { kind: 'head', head: { status: 200, reason: 'OK', headers: ['Content-Length', '123'] }, end: true },
    ])
  })

  it('carries the last byte of a body together with its end', async () => {
    const { url } = await cannedServer(OK)
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.calls.map((call) => call.kind)).toEqual(['head', 'end'])
  })

  it('drops the transfer coding of a chunked response and hands its trailers on', async () => {
    const { url } = await cannedServer(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
    )
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.response?.headers).toEqual([])
    expect(exchange.body.toString()).toBe('abc')
    expect(exchange.trailers).toEqual(['X-Sum', '1'])
  })

  it('takes a close-delimited body that ends with a FIN as complete', async () => {
    const { url } = await cannedServer('HTTP/1.1 200 OK\r\n\r\nabc', (socket) => socket.end())
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toBeUndefined()
    expect(exchange.body.toString()).toBe('abc')
  })

  it('reports a close-delimited body that is cut by a reset as failed', async () => {
    let cut: Socket | undefined
    const { url } = await cannedServer('HTTP/1.1 200 OK\r\n\r\nabc', (socket) => (cut = socket))
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.until(() => exchange.bytes === 3)
    cut?.resetAndDestroy()
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_TARGET_FAILED', delivered: 'yes' })
  })

  it.each([
    ['a body shorter than its content-length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc'],
    ['a chunked body without its end', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'],
  ])('reports %s as failed', async (_name, response) => {
    const { url } = await cannedServer(response, (socket) => socket.end())
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_TARGET_FAILED', delivered: 'yes' })
  })

  it('reports what is no HTTP as a bad response, naming no address', async () => {
    const { url } = await cannedServer('SSH-2.0-OpenSSH\r\n\r\n')
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_BAD_RESPONSE' })
    expect(exchange.error?.message).not.toContain('127.0.0.1')
  })
})

describe('request bodies', () => {
  it('keeps a content-length', async () => {
    const url = await httpServer((req, res) => {
      void readAll(req).then((body) => res.end(JSON.stringify([req.rawHeaders.slice(2), body.toString()])))
    })
    const { exchange, handler } = send(makeTarget(url), request('POST', '/', 'Content-Length', '5'), false)
    sendBody(handler, 'he', '', 'llo')
    await exchange.ended()
    expect(JSON.parse(exchange.body.toString())).toEqual([['Content-Length', '5'], 'hello'])
    expect(exchange.consumedBytes).toBe(5)
  })

  it('sends a body without a content-length in chunks, whatever the method', async () => {
    const url = await httpServer((req, res) => {
      void readAll(req).then((body) =>
        res.end(JSON.stringify([req.rawHeaders.slice(2), body.toString(), req.trailers])),
      )
    })
    const target = makeTarget(url)
    for (const method of ['POST', 'GET', 'DELETE', 'REPORT']) {
      const { exchange, handler } = send(target, request(method, '/'), false)
      handler?.onData(Buffer.from('he'))
      handler?.onData(Buffer.alloc(0))
      handler?.onData(Buffer.from('llo'))
      handler?.onEnd(['X-Sum', '9', 'Content-Length', '3'])
      await exchange.ended()
      expect(JSON.parse(exchange.body.toString())).toEqual([
        ['Transfer-Encoding', 'chunked'],
        'hello',
        { 'x-sum': '9' },
      ])
    }
  })

  it('sends a body of no bytes', async () => {
    const url = await httpServer((req, res) => {
      void readAll(req).then((body) => res.end(String(body.length)))
    })
    const target = makeTarget(url)
    for (const headers of [[], ['Content-Length', '0']]) {
      const { exchange, handler } = send(target, request('POST', '/', ...headers), false)
      sendBody(handler)
      await exchange.ended()
      expect(exchange.body.toString()).toBe('0')
    }
  })

  it('gives credit back only for what the target has taken', async () => {
    let server: Socket | undefined
    const url = await rawServer((socket) => {
      server = socket
      socket.pause()
    })
    const total = 16 * 1024 * 1024
    const { exchange, handler } = send(makeTarget(url), request('PUT', '/', 'Content-Length', String(total)), false)
    const chunk = Buffer.alloc(64 * 1024)
    let sent = 0
    let ended = false
    // A tunnel that sends as long as it has credit, 64 KiB at a time.
    const pump = (): void => {
      while (sent < total && sent - exchange.consumedBytes < chunk.length) {
        sent += chunk.length
        handler?.onData(chunk)
      }
      if (sent === total && !ended) {
        ended = true
        handler?.onEnd(undefined)
      }
    }
    void exchange.until(() => {
      pump()
      return sent === total
    })
    await exchange.until(() => exchange.consumedBytes > 0)
    await settled(() => sent)
    expect(sent).toBeLessThan(total)
    let received = 0
    server?.on('data', (data) => {
      received += data.length
      if (received >= total) server?.write(OK)
    })
    server?.resume()
    await exchange.ended()
    expect(exchange.response?.status).toBe(200)
  })

  it.each([
    ['longer', '4'],
    ['shorter', '6'],
  ])('aborts a request whose body is %s than its content-length', async (_name, length) => {
    let closed: Promise<unknown> | undefined
    const url = await rawServer((socket) => {
      closed = once(socket, 'close')
    })
    const { exchange, handler } = send(makeTarget(url), request('POST', '/', 'Content-Length', length), false)
    sendBody(handler, 'hello')
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_PEER_REJECTED' })
    await closed
  })

  it('loses no early answer to an upload that the target does not read', async () => {
    const url = await httpServer((_req, res) => {
      res.writeHead(413, { Connection: 'close', 'Content-Length': '9' })
      res.end('too large', () => res.socket?.destroy())
    })
    const target = makeTarget(url)
    for (let round = 0; round < 40; round++) {
      const { exchange, handler } = send(target, request('POST', '/'), false)
      upload(exchange, handler)
      await exchange.ended()
      expect(exchange.error, `round ${round}`).toBeUndefined()
      expect(exchange.response?.status).toBe(413)
      expect(exchange.body.toString()).toBe('too large')
    }
  })

  it('does not take the reset of an unread upload for the end of a close-delimited answer', async () => {
    const url = await rawServer((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 413 X\r\n\r\ntoo', () => socket.destroy()))
    })
    const target = makeTarget(url)
    for (let round = 0; round < 20; round++) {
      const { exchange, handler } = send(target, request('POST', '/'), false)
      upload(exchange, handler)
      await exchange.ended()
      expect(exchange.error, `round ${round}`).toMatchObject({ code: 'CRANKER_ERR_TARGET_FAILED', delivered: 'yes' })
    }
  })

  it('lets request and response overlap', async () => {
    const url = await httpServer((req, res) => {
      res.writeHead(200)
      res.flushHeaders()
      req.pipe(res)
    })
    const { exchange, handler } = send(makeTarget(url), request('POST', '/'), false)
    await exchange.until(() => exchange.response !== undefined)
    handler?.onData(Buffer.from('one'))
    await exchange.until(() => exchange.body.toString() === 'one')
    handler?.onData(Buffer.from('two'))
    await exchange.until(() => exchange.body.toString() === 'onetwo')
    handler?.onEnd(undefined)
    await exchange.ended()
    expect(exchange.error).toBeUndefined()
  })
})

describe('the life of a request', () => {
  it('stops reading from the target while the tunnel has no room', async () => {
    let written = 0
    const url = await httpServer((_req, res) => {
      const chunk = Buffer.alloc(64 * 1024)
      const pump = (): void => {
        while (written < 64 * 1024 * 1024) {
          written += chunk.length
          if (!res.write(chunk)) {
            res.once('drain', pump)
            return
          }
        }
        res.end()
      }
      pump()
    })
    const { exchange, handler } = send(makeTarget(url), request('GET', '/'))
    exchange.room = false
    await exchange.until(() => exchange.bytes > 0)
    await settled(() => exchange.bytes + written)
    expect(exchange.bytes).toBeLessThan(256 * 1024)
    exchange.room = true
    handler?.onDrain()
    await exchange.ended()
    expect(exchange.bytes).toBe(64 * 1024 * 1024)
  })

  it('cuts the target request as soon as the tunnel resets the exchange', async () => {
    let req: IncomingMessage | undefined
    const url = await httpServer((incoming, res) => {
      req = incoming
      res.write('first')
    })
    const { exchange, handler } = send(makeTarget(url), request('GET', '/'))
    await exchange.until(() => exchange.bytes === 5)
    handler?.onError(new CrankerError('CRANKER_ERR_PEER_RESET', 'gone'))
    // node's word for a client that went away
    await expect(once(req as IncomingMessage, 'end')).rejects.toThrow('aborted')
    expect(exchange.over).toBe(false)
  })

  it('cuts a connection that is still being opened', async () => {
    const url = await httpServer((_req, res) => res.end())
    const { exchange, handler } = send(makeTarget(url), request('GET', '/'))
    handler?.onError(new CrankerError('CRANKER_ERR_PEER_RESET', 'gone'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(exchange.calls).toEqual([])
  })

  it('refuses a request to a target that cannot be reached, naming no address', async () => {
    const { exchange } = send(makeTarget('http://127.0.0.1:1'), request('POST', '/'), false)
    await exchange.ended()
    expect(exchange.error).toMatchObject({
      code: 'CRANKER_ERR_REFUSED',
      delivered: 'no',
      message: 'target unreachable',
      cause: { code: 'CRANKER_ERR_TARGET_UNREACHABLE' },
    })
  })

  it('gives up on a connection, or TLS handshake, that does not come up in time', async () => {
    const clock = new FakeClock()
    let connected: (() => void) | undefined
    const arrived = new Promise<void>((resolve) => (connected = resolve))
    const url = await rawServer(() => connected?.())
    const { exchange } = send(makeTarget(url.replace('http:', 'https:'), {}, clock), request('GET', '/'))
    await arrived
    expect(exchange.over).toBe(false)
    clock.advance(5_000)
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_REFUSED', message: 'target unreachable' })
  })

  it('refuses what is beyond the connection cap as full, and takes requests again afterwards', async () => {
    const held: (() => void)[] = []
    const url = await httpServer((_req, res) => held.push(() => res.end('done')))
    const target = makeTarget(url, { targetMaxConnections: 2 })
    const running = [send(target, request('GET', '/1')), send(target, request('GET', '/2'))]
    const { exchange: refused, handler } = send(target, request('POST', '/3'))
    expect(handler).toBeUndefined()
    expect(refused.error).toMatchObject({ code: 'CRANKER_ERR_REFUSED', delivered: 'no', message: 'full' })
    while (held.length < 2) await new Promise((resolve) => setImmediate(resolve))
    for (const finish of held.splice(0)) finish()
    for (const { exchange } of running) await exchange.ended()
    const { exchange } = send(target, request('GET', '/4'))
    while (held.length === 0) await new Promise((resolve) => setImmediate(resolve))
    held[0]?.()
    await exchange.ended()
    expect(exchange.body.toString()).toBe('done')
  })

  it('reuses a connection', async () => {
    let connections = 0
    const url = await rawServer((socket) => {
      connections++
      socket.on('data', () => socket.write(OK))
    })
    const target = makeTarget(url)
    for (let i = 0; i < 5; i++) await send(target, request('GET', '/')).exchange.ended()
    expect(connections).toBe(1)
  })

  it('drops an idle connection before the target would', async () => {
    const clock = new FakeClock()
    let connections = 0
    const url = await rawServer((socket) => {
      connections++
      socket.on('data', () => socket.write(OK.replace('\r\n\r\n', '\r\nKeep-Alive: timeout=10\r\n\r\n')))
    })
    const target = makeTarget(url, {}, clock)
    await send(target, request('GET', '/')).exchange.ended()
    clock.advance(8_900)
    await send(target, request('GET', '/')).exchange.ended()
    expect(connections).toBe(1)
    clock.advance(9_100)
    await send(target, request('GET', '/')).exchange.ended()
    expect(connections).toBe(2)
  })

  it('sends a GET once more when a kept connection dies without a byte of response', async () => {
    let requests = 0
    const url = await rawServer((socket) => {
      socket.on('data', () => {
        if (++requests === 2) socket.resetAndDestroy()
        else socket.write(OK)
      })
    })
    const target = makeTarget(url)
    await send(target, request('GET', '/')).exchange.ended()
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.response?.status).toBe(200)
    expect(requests).toBe(3)
  })

  it('does not send a POST once more', async () => {
    let requests = 0
    const url = await rawServer((socket) => {
      socket.on('data', () => {
        if (++requests === 2) socket.resetAndDestroy()
        else socket.write(OK)
      })
    })
    const target = makeTarget(url)
    await send(target, request('POST', '/', 'Content-Length', '0')).exchange.ended()
    const { exchange } = send(target, request('POST', '/', 'Content-Length', '0'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_TARGET_FAILED', delivered: 'maybe' })
    expect(requests).toBe(2)
  })

  it('sends a GET at most twice', async () => {
    let requests = 0
    const url = await rawServer((socket) => {
      socket.on('data', () => {
        if (++requests > 1) socket.resetAndDestroy()
        else socket.write(OK)
      })
    })
    const target = makeTarget(url)
    await send(target, request('GET', '/')).exchange.ended()
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_TARGET_FAILED' })
    expect(requests).toBe(3)
  })

  it('ends an exchange in which no byte moves for the idle timeout, and none in which one does', async () => {
    const clock = new FakeClock()
    const sockets: Socket[] = []
    const url = await rawServer((socket) => {
      sockets.push(socket)
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\na'))
    })
    const { exchange } = send(makeTarget(url, { idleTimeout: 8_000 }, clock), request('GET', '/events'))
    await exchange.until(() => exchange.bytes === 1)
    for (let event = 2; event < 6; event++) {
      clock.advance(7_000)
      sockets[0]?.write('b')
      await exchange.until(() => exchange.bytes === event)
    }
    expect(exchange.over).toBe(false)
    clock.advance(9_000)
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_IDLE_TIMEOUT', delivered: 'yes' })
  })

  it('lets running requests finish after close, and keeps no connection', async () => {
    let finish: (() => void) | undefined
    let closed: Promise<unknown> | undefined
    const url = await httpServer((req, res) => {
      closed = once(req.socket, 'close')
      finish = () => res.end('done')
    })
    const target = makeTarget(url)
    const { exchange } = send(target, request('GET', '/'))
    while (finish === undefined) await new Promise((resolve) => setImmediate(resolve))
    await target.close()
    finish()
    await exchange.ended()
    expect(exchange.body.toString()).toBe('done')
    await closed
  })
})

describe('createTarget', () => {
  it.each(['', 'localhost:3000', 'ftp://x', 'http://u:p@x', 'http://x/?q', 'http://x/#f'])(
    'says what is wrong with the URL %j',
    (url) => {
      expect(() => makeTarget(url)).toThrow(expect.objectContaining({ code: 'CRANKER_ERR_OPTION' }) as Error)
    },
  )

  it('says what a target may be', () => {
    expect(() => makeTarget(42 as unknown as string)).toThrow(/http.Server/)
  })
})
