/** A service that speaks HTTP/2, and the connector's client of it. */
import { once } from 'node:events'
import { constants, type ServerHttp2Stream } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { KEEP_IDLE_MS, PING_GAP_MS, SILENCE_MS } from '../../connector/targets/http2-limits.js'
import type { Target, TargetOptions } from '../../connector/targets/index.js'
import { systemClock } from '../../protocol/clock.js'
import { FakeClock } from '../support/fake-clock.js'
import { http2Server, type OnStream, rawHttp2Server } from '../support/http2-server.js'
import { CODE, fields, FLAG, FRAME, frame, reset, uint32 } from '../support/raw-http2.js'
import type { ScriptedExchange } from '../support/scripted-exchange.js'
import { httpServer, makeTarget, rawServer, request, send } from '../support/target-fixtures.js'

const http2 = (url: string, options: Partial<TargetOptions> = {}, clock = systemClock): Target =>
  makeTarget(url, { targetProtocol: 'http2', ...options }, clock)

/** What a service got, as text. */
async function answerTo(target: Target, ...given: Parameters<typeof request>): Promise<ScriptedExchange> {
  const { exchange } = send(target, request(...given))
  await exchange.ended()
  return exchange
}

const text = (exchange: ScriptedExchange): string => exchange.body.toString('latin1')
const streamOpened = async (opened: ServerHttp2Stream[]): Promise<ServerHttp2Stream> => {
  while (opened.length === 0) await new Promise((resolve) => setImmediate(resolve))
  return opened.shift() as ServerHttp2Stream
}

describe('a target that speaks HTTP/2', () => {
  const echoHead: OnStream = (stream, _headers, raw) => {
    stream.respond({ ':status': 200 })
    stream.end(Buffer.from(JSON.stringify(raw), 'latin1'))
  }

  it('is told method, path, host and fields as HTTP/2 has them, and nothing about another hop', async () => {
    const { url } = await http2Server(echoHead)
    const hop = ['Connection', 'X-Hop', 'X-Hop', '1', 'Keep-Alive', '5', 'Transfer-Encoding', 'x', 'Upgrade', 'h2c']
    const exchange = await answerTo(
      http2(url),
      'GET',
      '/a%20b//c?q=|',
      'X-One',
      '1',
      'X-One',
      '2',
      'X-8',
      'caf\xe9',
      ...hop,
    )
    expect(JSON.parse(text(exchange))).toEqual([
      ...[':method', 'GET', ':scheme', 'http', ':authority', 'public.example', ':path', '/a%20b//c?q=|'],
      ...['x-one', '1', 'x-one', '2', 'x-8', 'caf\xe9'],
    ])
  })

  it('gets the path prefix of its URL in front, and its own host where a request has none', async () => {
    const { url } = await http2Server(echoHead)
    const { exchange } = send(http2(`${url}/base/`), { method: 'GET', target: '/x', headers: [] })
    await exchange.ended()
    const got = JSON.parse(text(exchange)) as string[]
    expect(got.slice(4)).toEqual([':authority', new URL(url).host, ':path', '/base/x'])
  })

  it('gets the first of fields that may come once only, whatever a request repeats', async () => {
    const { url } = await http2Server(echoHead)
    const target = http2(url)
    for (const name of ['Authorization', 'Content-Type', 'User-Agent', 'Referer', 'DNT', 'If-Match', 'Range', 'From']) {
      const exchange = await answerTo(target, 'GET', '/', name, 'a', name, 'b')
      expect((JSON.parse(text(exchange)) as string[]).slice(8)).toEqual([name.toLowerCase(), 'a'])
    }
    const lists = await answerTo(target, 'GET', '/', 'Content-Encoding', 'a', 'Content-Encoding', 'b')
    expect((JSON.parse(text(lists)) as string[]).slice(8)).toEqual(['content-encoding', 'a, b'])
  })

  it('keeps order, duplicates and 8-bit values of a response, and has no reason phrase', async () => {
    const { url } = await http2Server((stream) => {
      stream.respond(
        { ':status': 299, 'x-a': ['1', 'caf\xe9'], 'set-cookie': ['a=1', 'b=2'], server: 's' },
        { endStream: true },
      )
    })
    const { response } = await answerTo(http2(url), 'GET', '/')
    expect([response?.status, response?.reason]).toEqual([299, ''])
    expect(response?.headers.slice(0, 10)).toEqual([
      ...['x-a', '1', 'x-a', 'caf\xe9', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'server', 's'],
    ])
  })

  it.each([
    ['GET', 204],
    ['GET', 304],
    ['HEAD', 200],
    ['GET', 200],
  ])('ends a response without a body with its head (%s, %i)', async (method, status) => {
    const { url } = await http2Server((stream) => {
      stream.respond({ ':status': status, 'x-a': '1' }, { endStream: true })
    })
    const exchange = await answerTo(http2(url), method, '/')
    expect(exchange.calls).toMatchObject([{ kind: 'head', end: true, head: { status } }])
  })

  it('sends 103 on as information, and its 100 nowhere', async () => {
    const { url } = await http2Server((stream) => {
      stream.additionalHeaders({ ':status': 100 })
      stream.additionalHeaders({ ':status': 103, link: '</a.css>' })
      stream.respond({ ':status': 200 })
      stream.end('x')
    })
    const exchange = await answerTo(http2(url), 'GET', '/')
    expect(exchange.infos).toEqual([{ status: 103, reason: '', headers: ['link', '</a.css>'] }])
    expect([exchange.response?.status, text(exchange)]).toEqual([200, 'x'])
  })

  it('carries bodies both ways, and gives back credit for each byte that was taken', async () => {
    const { url } = await http2Server((stream, headers) => {
      stream.respond({ ':status': 200, 'x-length': headers['content-length'] ?? 'none' })
      stream.pipe(stream)
    })
    const body = Buffer.alloc(3 * 1024 * 1024, 'z')
    for (const length of [[], ['Content-Length', String(body.length)]]) {
      const { exchange, handler } = send(http2(url), request('POST', '/', ...length), false)
      for (let at = 0; at < body.length; at += 65_536) handler?.onData(body.subarray(at, at + 65_536))
      handler?.onEnd(undefined)
      await exchange.ended()
      expect([exchange.body.equals(body), exchange.consumedBytes]).toEqual([true, body.length])
      expect(exchange.response?.headers.slice(0, 2)).toEqual(['x-length', length[1] ?? 'none'])
    }
  })

  it('that does not read its request gets no credit for more than its windows', async () => {
    const opened: ServerHttp2Stream[] = []
    const { url } = await http2Server((stream) => {
      opened.push(stream)
      stream.respond({ ':status': 200 })
    })
    const { exchange, handler } = send(http2(url), request('POST', '/'), false)
    const piece = Buffer.alloc(65_536)
    for (let i = 0; i < 64; i++) handler?.onData(piece)
    handler?.onEnd(undefined)
    const stream = await streamOpened(opened)
    await exchange.until(() => exchange.response !== undefined)
    // What was taken at all has been by the time that a round trip through the same connection is over.
    await new Promise((resolve) => stream.session?.ping(resolve))
    expect(exchange.consumedBytes).toBeLessThan(16 * piece.length)
    stream.resume().on('end', () => stream.end())
    await exchange.ended()
    expect(exchange.consumedBytes).toBe(64 * piece.length)
  })

  it('is slowed down while the tunnel has no room, and goes on when it has', async () => {
    let written = 0
    const { url } = await http2Server((stream, headers) => {
      stream.respond({ ':status': 200 }, { endStream: headers[':path'] === '/small' })
      if (headers[':path'] === '/small') return
      const more = (): void => {
        while (written < 8 * 1024 * 1024) {
          written += 65_536
          if (!stream.write(Buffer.alloc(65_536))) return void stream.once('drain', more)
        }
        stream.end()
      }
      more()
    })
    const target = http2(url)
    const { exchange, handler } = send(target, request('GET', '/'))
    exchange.room = false
    await exchange.until(() => exchange.bytes > 0)
    // Another request on the same connection is not held up.
    const small = send(target, request('GET', '/small')).exchange
    await small.ended()
    expect(exchange.bytes).toBeLessThan(1024 * 1024)
    exchange.room = true
    handler?.onDrain()
    await exchange.ended()
    expect(exchange.bytes).toBe(written)
  })

  it('carries trailers both ways, and says who takes and who announces them', async () => {
    const { url } = await http2Server((stream, headers) => {
      const announced = [headers['te'], headers.trailer].join()
      stream.on('trailers', (_t: unknown, _f: number, raw?: string[]) => {
        stream.respond({ ':status': 200, trailer: 'x-b' }, { waitForTrailers: true })
        stream.on('wantTrailers', () => stream.sendTrailers({ 'x-b': [JSON.stringify(raw), 'again'] }))
        stream.end(announced)
      })
      stream.resume()
    })
    const { exchange, handler } = send(http2(url), request('POST', '/', 'TE', 'trailers', 'Trailer', 'X-A'), false)
    handler?.onData(Buffer.from('x'))
    handler?.onEnd(['X-A', 'caf\xe9', 'Content-Length', '5'])
    await exchange.ended()
    expect(text(exchange)).toBe('trailers,X-A')
    expect(exchange.response?.headers).toContain('Trailer')
    expect(exchange.trailers).toEqual(['x-b', '["x-a","caf\xe9"]', 'x-b', 'again'])
  })

  it('hears nothing of trailers where the tunnel carries none', async () => {
    const { url } = await http2Server((stream, headers) => {
      stream.respond({ ':status': 200, trailer: 'x-b' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-b': '1' }))
      stream.end([headers['te'], headers.trailer].join())
    })
    const { exchange, handler } = send(http2(url), request('GET', '/', 'TE', 'trailers', 'Trailer', 'X'), false)
    exchange.carriesTrailers = false
    const quiet = send(http2(url), request('GET', '/'))
    quiet.exchange.carriesTrailers = false
    handler?.onEnd(undefined)
    await exchange.ended()
    await quiet.exchange.ended()
    expect(text(quiet.exchange)).toBe(',')
    expect(quiet.exchange.response?.headers).not.toContain('Trailer')
  })

  it('sends a request marked by its status in the head alone on as that', async () => {
    const { url } = await http2Server((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5' }, { endStream: true })
    })
    const exchange = await answerTo(http2(url), 'GET', '/')
    expect(exchange.calls).toMatchObject([{ kind: 'head', end: true }])
  })

  it('may answer before it has read the request, which is given up then', async () => {
    const closed: number[] = []
    const { url } = await http2Server((stream) => {
      stream.on('close', () => closed.push(stream.rstCode))
      stream.respond({ ':status': 413 })
      stream.end('too much')
    })
    const target = http2(url)
    const { exchange, handler } = send(target, request('POST', '/'), false)
    handler?.onData(Buffer.alloc(1000))
    await exchange.ended()
    expect([exchange.response?.status, text(exchange), exchange.error]).toEqual([413, 'too much', undefined])
    expect((await answerTo(target, 'GET', '/')).response?.status).toBe(413)
    expect(closed.length).toBeGreaterThan(0)
  })
})

describe('a target that breaks off over HTTP/2', () => {
  const failed = { code: 'CRANKER_ERR_TARGET_FAILED' }

  it.each([CODE.internal, CODE.cancel, CODE.none])('before the head, with code %i, has failed', async (code) => {
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type === FRAME.headers) peer.write(reset(stream, code))
    })
    const exchange = await answerTo(http2(url), 'GET', '/')
    expect(exchange.error).toMatchObject({ ...failed, delivered: 'maybe' })
  })

  it.each([CODE.internal, CODE.cancel, CODE.none])(
    'in the middle, with code %i, leaves a broken response',
    async (code) => {
      const { url } = await rawHttp2Server(({ type, stream }, peer) => {
        if (type !== FRAME.headers) return
        peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200')))
        peer.write(frame(FRAME.data, 0, stream, Buffer.from('half')), reset(stream, code))
      })
      const exchange = await answerTo(http2(url), 'GET', '/')
      expect(exchange.error).toMatchObject({ ...failed, delivered: 'yes' })
    },
  )

  it('by destroying its stream in Node leaves a broken response', async () => {
    const { url } = await http2Server((stream) => {
      stream.respond({ ':status': 200 })
      stream.write('half', () => stream.destroy())
    })
    const exchange = await answerTo(http2(url), 'GET', '/')
    expect(exchange.error).toMatchObject(failed)
  })

  it('after its end, with NO_ERROR, has answered (RFC 9113 §8.1)', async () => {
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '413')))
      peer.write(frame(FRAME.data, FLAG.endStream, stream, Buffer.from('whole')), reset(stream, CODE.none))
    })
    const { exchange, handler } = send(http2(url), request('POST', '/'), false)
    handler?.onData(Buffer.alloc(10))
    await exchange.ended()
    expect([exchange.response?.status, text(exchange), exchange.error]).toEqual([413, 'whole', undefined])
  })

  it('by cutting its connection in the middle leaves a broken response', async () => {
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200')))
      peer.write(frame(FRAME.data, 0, stream, Buffer.from('half')))
      peer.socket.end()
    })
    const exchange = await answerTo(http2(url), 'GET', '/')
    expect(exchange.error).toMatchObject({ ...failed, delivered: 'yes' })
  })

  it('with a body unlike its content-length has sent a bad response', async () => {
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200', 'content-length', '9')))
      peer.write(frame(FRAME.data, FLAG.endStream, stream, Buffer.from('short')))
    })
    const exchange = await answerTo(http2(url), 'GET', '/')
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_BAD_RESPONSE', delivered: 'yes' })
  })

  it('with a head above the largest size has sent a bad response', async () => {
    const { url } = await http2Server((stream) => {
      stream.respond({ ':status': 200, x: 'y'.repeat(9_000) }, { endStream: true })
    })
    const exchange = await answerTo(http2(url, { maxHeadSize: 8_192 }), 'GET', '/')
    expect(exchange.error).toMatchObject({ code: expect.stringMatching(/BAD_RESPONSE|TARGET_FAILED/) as unknown })
    expect(exchange.response).toBeUndefined()
  })

  it('by asking for HTTP/1.1 has failed', async () => {
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type === FRAME.headers) peer.write(reset(stream, constants.NGHTTP2_HTTP_1_1_REQUIRED))
    })
    const exchange = await answerTo(http2(url), 'GET', '/')
    expect(exchange.error).toMatchObject(failed)
  })
})

describe('a request that ends early, over HTTP/2', () => {
  it('is cancelled at the service when the client leaves, and half its body never looks complete', async () => {
    const opened: ServerHttp2Stream[] = []
    let ended = false
    const { url } = await http2Server((stream) => {
      stream.on('data', () => opened.push(stream)).on('end', () => (ended = !stream.aborted))
    })
    const { handler } = send(http2(url), request('POST', '/'), false)
    handler?.onData(Buffer.from('half'))
    const stream = await streamOpened(opened)
    const closed = once(stream, 'close')
    handler?.onError({} as never)
    await closed
    expect([stream.rstCode, ended]).toEqual([CODE.cancel, false])
  })

  it.each([
    ['longer', 3, 4],
    ['shorter', 5, 4],
  ])('is rejected when its body is %s than its content-length', async (_what, announced, sent) => {
    const { url } = await http2Server((stream) => stream.resume())
    const { exchange, handler } = send(http2(url), request('POST', '/', 'Content-Length', String(announced)), false)
    handler?.onData(Buffer.alloc(sent))
    if (!exchange.over) handler?.onEnd(undefined)
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_PEER_REJECTED' })
  })

  it('is over after the idle time without a byte', async () => {
    const clock = new FakeClock()
    const opened: ServerHttp2Stream[] = []
    const { url } = await http2Server((stream) => opened.push(stream))
    const { exchange } = send(http2(url, { idleTimeout: 8_000 }, clock), request('GET', '/'))
    const stream = await streamOpened(opened)
    const closed = once(stream, 'close')
    clock.advance(10_000)
    await closed
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_IDLE_TIMEOUT' })
    expect(stream.rstCode).toBe(CODE.cancel)
  })
})

describe('the connections to a target that speaks HTTP/2', () => {
  /** A service that answers when it is told to. */
  async function patient(settings: { maxConcurrentStreams?: number } = {}, options: Partial<TargetOptions> = {}) {
    const streams: ServerHttp2Stream[] = []
    const { url, sessions } = await http2Server((stream) => streams.push(stream), { settings })
    const target = http2(url, options)
    const came = async (n: number): Promise<void> => {
      while (streams.length < n) await new Promise((resolve) => setImmediate(resolve))
    }
    const answer = (): void => {
      for (const stream of streams.splice(0)) {
        stream.respond({ ':status': 200 })
        stream.end()
      }
    }
    return { target, streams, sessions, came, answer, send: () => send(target, request('GET', '/')).exchange }
  }

  it('carry many requests each', async () => {
    const service = await patient()
    const all = Array.from({ length: 90 }, () => service.send())
    await service.came(90)
    expect(service.sessions).toHaveLength(1)
    service.answer()
    for (const exchange of all) await exchange.ended()
    expect(all.every((exchange) => exchange.response?.status === 200)).toBe(true)
  })

  it('are as many as its limit of streams makes necessary', async () => {
    const service = await patient({ maxConcurrentStreams: 2 })
    const all = Array.from({ length: 5 }, () => service.send())
    await service.came(5)
    expect(service.sessions).toHaveLength(3)
    service.answer()
    for (const exchange of all) await exchange.ended()
    const next = service.send()
    await service.came(1)
    expect(service.sessions).toHaveLength(3)
    service.answer()
    await next.ended()
  })

  it('are no more than the cap: what finds no room is refused as full', async () => {
    const service = await patient({ maxConcurrentStreams: 2 }, { targetMaxConnections: 1 })
    const first = service.send()
    await service.came(1)
    const second = service.send()
    await service.came(2)
    const third = service.send()
    await third.ended()
    expect(third.error).toMatchObject({ code: 'CRANKER_ERR_REFUSED', message: 'full', delivered: 'no' })
    service.answer()
    await Promise.all([first.ended(), second.ended()])
    const fourth = service.send()
    await service.came(1)
    service.answer()
    await fourth.ended()
    expect([fourth.response?.status, service.sessions.length]).toEqual([200, 1])
  })

  it('that go away finish what they carry, and the next request opens another', async () => {
    const service = await patient()
    const first = service.send()
    await service.came(1)
    const { sessions } = service
    sessions[0]?.goaway(0, 1)
    await new Promise((resolve) => sessions[0]?.ping(resolve))
    const second = service.send()
    await service.came(2)
    expect(sessions).toHaveLength(2)
    service.answer()
    await Promise.all([first.ended(), second.ended()])
    expect([first.response?.status, second.response?.status]).toEqual([200, 200])
  })

  it('are closed when they have carried nothing for a while', async () => {
    const clock = new FakeClock()
    const { url, sessions } = await http2Server((stream) => stream.respond({ ':status': 204 }, { endStream: true }))
    const target = http2(url, {}, clock)
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    const closed = once(sessions[0] as never, 'close')
    await new Promise((resolve) => setImmediate(resolve))
    clock.advance(KEEP_IDLE_MS)
    await closed
    const again = send(target, request('GET', '/')).exchange
    await again.ended()
    expect([again.response?.status, sessions.length]).toEqual([204, 2])
  })

  it('are given up when a ping is not answered while a request runs', async () => {
    const clock = new FakeClock()
    let pinged = 0
    let asked = false
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type === FRAME.ping) pinged++
      if (type !== FRAME.headers) return
      asked = true
      peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200')))
    })
    const { exchange } = send(http2(url, { idleTimeout: 1e9 }, clock), request('GET', '/'))
    await exchange.until(() => exchange.response !== undefined)
    clock.advance(SILENCE_MS)
    expect([asked, pinged]).toEqual([true, 0])
    clock.advance(SILENCE_MS)
    while (pinged === 0) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(SILENCE_MS)
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_TARGET_FAILED' })
    expect(pinged).toBe(1)
  })

  it('that answer pings are kept, and not pinged often', async () => {
    const clock = new FakeClock()
    let pinged = 0
    const { url } = await rawHttp2Server(({ type, flags, stream, payload }, peer) => {
      if (type === FRAME.ping && (flags & FLAG.ack) === 0) {
        pinged++
        peer.write(frame(FRAME.ping, FLAG.ack, 0, payload))
      }
      if (type === FRAME.headers) peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200')))
    })
    const { exchange, handler } = send(http2(url, { idleTimeout: 1e9 }, clock), request('GET', '/'))
    await exchange.until(() => exchange.response !== undefined)
    for (let at = 0; at < PING_GAP_MS; at += SILENCE_MS) {
      clock.advance(SILENCE_MS)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect([pinged, exchange.error]).toEqual([1, undefined])
    handler?.onError({} as never)
  })
})

describe('a request that may be repeated, over HTTP/2', () => {
  const ok = frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 0, fields(':status', '204'))
  const okOn = (stream: number): Buffer => {
    const copy = Buffer.from(ok)
    copy.writeUInt32BE(stream, 5)
    return copy
  }

  it('is one that the service has refused unprocessed, whatever its method; once', async () => {
    let asked = 0
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      peer.write(++asked % 3 === 2 ? okOn(stream) : reset(stream, CODE.refused))
    })
    const target = http2(url)
    const first = await answerTo(target, 'POST', '/')
    expect([first.response?.status, asked]).toEqual([204, 2])
    const second = await answerTo(target, 'POST', '/')
    expect([second.error?.code, second.error?.message, asked]).toEqual(['CRANKER_ERR_REFUSED', 'full', 4])
  })

  it('is not one of whose body something was sent', async () => {
    let asked = 0
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type === FRAME.headers) asked++
      if (type === FRAME.data) peer.write(reset(stream, CODE.refused))
    })
    const { exchange, handler } = send(http2(url), request('POST', '/'), false)
    handler?.onData(Buffer.from('x'))
    await exchange.ended()
    expect([exchange.error?.code, asked]).toEqual(['CRANKER_ERR_REFUSED', 1])
  })

  it.each([
    ['GET', 2, undefined],
    ['POST', 1, 'CRANKER_ERR_TARGET_FAILED'],
  ])('is an idempotent one whose connection was lost before a response (%s)', async (method, times, code) => {
    let asked = 0
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      if (++asked === 1) peer.socket.destroy()
      else peer.write(okOn(stream))
    })
    const exchange = await answerTo(http2(url), method, '/')
    expect([asked, exchange.error?.code]).toEqual([times, code])
  })

  it('is one above the last stream of a GOAWAY', async () => {
    let asked = 0
    const { url, peers } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      if (++asked > 1) peer.write(okOn(stream))
      else peer.write(frame(FRAME.goaway, 0, 0, Buffer.concat([uint32(0), uint32(0)])))
    })
    const exchange = await answerTo(http2(url), 'POST', '/')
    expect([exchange.response?.status, asked, peers.length]).toEqual([204, 2, 2])
  })
})

describe('a target that does not speak HTTP/2', () => {
  const unreachable = {
    code: 'CRANKER_ERR_REFUSED',
    message: 'target unreachable',
    delivered: 'no',
    cause: { code: 'CRANKER_ERR_TARGET_UNREACHABLE' },
  }

  it('because nobody listens is out of reach', async () => {
    const exchange = await answerTo(http2('http://127.0.0.1:1'), 'GET', '/')
    expect(exchange.error).toMatchObject(unreachable)
  })

  it('because it answers in HTTP/1.1 is out of reach', async () => {
    const exchange = await answerTo(http2(await httpServer((_req, res) => res.end())), 'GET', '/')
    expect(exchange.error).toMatchObject(unreachable)
  })

  it('because it says nothing is given up in time', async () => {
    const clock = new FakeClock()
    let connected = 0
    const url = await rawServer(() => connected++)
    const { exchange } = send(http2(url, {}, clock), request('GET', '/'))
    while (connected === 0) await new Promise((resolve) => setImmediate(resolve))
    clock.advance(5_000)
    await exchange.ended()
    expect(exchange.error).toMatchObject(unreachable)
  })

  it('because it runs in this process is refused from the start', () => {
    expect(() => makeTarget((_req, res) => res.end(), { targetProtocol: 'http2' })).toThrow('in-process')
  })
})
