/** What comes behind a body comes behind every check of the head, and is somebody's input all the same. */
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { MAX_HEAD_FIELDS } from '../../protocol/limits.js'
import { filterTrailers } from '../../protocol/trailers.js'
import { http2Server, rawHttp2Server } from '../support/http2-server.js'
import { startPair } from '../support/pair.js'
import { RawClient } from '../support/raw-client.js'
import { fields, FLAG, FRAME, frame, RawHttp2, upload } from '../support/raw-http2.js'
import { cannedServer, makeTarget, rawServer, request, send } from '../support/target-fixtures.js'
import { Both, capabilities, ConnectorSide, data, header, OK, POST, RouterSide } from '../unit/v3/harness.js'

const TRAILERS = capabilities('trailers')
const RESPONSE = 'HTTP/1.1 200 OK\n'

describe('a trailer section cannot carry', () => {
  it.each([
    ...['Content-Length', 'Transfer-Encoding', 'Trailer', 'TE', 'Connection', 'Keep-Alive', 'Upgrade', 'Expect'],
    ...['Host', 'Authorization', 'Proxy-Authorization', 'Cookie', 'Set-Cookie', 'WWW-Authenticate', 'Range'],
    ...['Content-Type', 'Content-Encoding', 'Content-Range', 'Cache-Control', 'Location', 'Vary', 'If-None-Match'],
    ...['Forwarded', 'Via', 'X-Forwarded-For', 'X-Forwarded-Host', 'Proxy-Status', 'HTTP2-Settings', 'Max-Forwards'],
  ])('%s, in whatever case', (name) => {
    expect(filterTrailers([name, '1', 'X-Ok', '2', name.toUpperCase(), '3', name.toLowerCase(), '4'])).toEqual([
      'X-Ok',
      '2',
    ])
  })

  it.each([
    ['a line end in a value', 'x', 'a\r\nEvil: 1'],
    ['a bare LF in a value', 'x', 'a\nEvil: 1'],
    ['a NUL in a value', 'x', 'a\0'],
    ['more than an octet in a value', 'x', '\u010d\u010a'],
    ['a line end in a name', 'x: 1\r\nEvil', '1'],
    ['a pseudo-field', ':path', '/evil'],
    ['an empty name', '', 'x'],
  ])('%s', (_what, name, value) => {
    expect(filterTrailers([name, value])).toBeUndefined()
  })
})

describe('trailers of a client', () => {
  it('that could frame the next message reach the service as nothing', async () => {
    let got = ''
    const target = await rawServer((socket: Socket) => {
      socket.on('data', (chunk) => {
        got += chunk.toString('latin1')
        if (got.endsWith('\r\n0\r\nX: 1\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    await using pair = await startPair({ version: '3.0', target })
    const client = await RawClient.connect(pair.port)
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTrailer: X, Cookie, Host\r\nTransfer-Encoding: chunked\r\n\r\n')
    client.write('1\r\na\r\n0\r\nHost: evil\r\nAuthorization: evil\r\nCookie: evil\r\nX: 1\r\n\r\n')
    expect((await client.response()).text).toBe('ok')
    expect(got).not.toContain('evil')
    client.leave()
  })

  it.each(['Content-Length: 50', 'Transfer-Encoding: chunked'])(
    'that frame a message (%s) are refused',
    async (line) => {
      let reached = false
      await using pair = await startPair({ version: '3.0' })
      pair.serve((req) => req.resume().on('end', () => (reached = true)))
      const client = await RawClient.connect(pair.port)
      client.write('POST / HTTP/1.1\r\nHost: a\r\nTrailer: X\r\nTransfer-Encoding: chunked\r\n\r\n')
      client.write(`1\r\na\r\n0\r\n${line}\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n`)
      expect((await client.response()).status).toBe(400)
      expect([await client.closed(), reached]).toEqual(['fin', false])
    },
  )

  it.each([
    ['many', 'x: 1\r\n'.repeat(MAX_HEAD_FIELDS + 1)],
    ['large', `x: ${'y'.repeat(70_000)}\r\n`],
  ])('that are too %s are refused, and cost no tunnel socket', async (_what, lines) => {
    await using pair = await startPair({ version: '3.0' })
    pair.serve((req, res) => req.resume().on('end', () => res.end('ok')))
    const client = await RawClient.connect(pair.port)
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nTrailer: x\r\nTransfer-Encoding: chunked\r\n\r\n'
    client.write(`${head}1\r\na\r\n0\r\n${lines}\r\n`)
    expect((await client.response()).status).toBe(431)
    client.leave()
    const next = await RawClient.connect(pair.port)
    next.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await next.response()).text).toBe('ok')
    next.leave()
  })

  it('that are too many end an HTTP/2 stream, not as if it were complete', async () => {
    let complete = false
    await using pair = await startPair({ version: '3.0', router: { http2Cleartext: true } })
    pair.serve((req, res) => req.resume().on('end', () => ((complete = true), res.end('ok'))))
    const raw = await RawHttp2.greet(pair.port)
    const lines = Array.from({ length: MAX_HEAD_FIELDS + 1 }, () => ['x', '1']).flat()
    raw.write(upload(1), frame(FRAME.data, 0, 1, Buffer.from('a')))
    raw.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, 1, fields(...lines)))
    expect(await raw.outcome(1)).not.toBe('closed')
    expect(complete).toBe(false)
    raw.client.leave()
  })
})

describe('trailers of a service', () => {
  const chunked = (trailers: string): string =>
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n${trailers}\r\n`

  it.each([
    ['a bare line end', 'X: a\nContent-Length: 5\r\n'],
    ['a folded line', 'X: a\r\n b\r\n'],
    ['a space before the colon', 'X : a\r\n'],
    ['a NUL', 'X: \0\r\n'],
    ['no name', ': a\r\n'],
    ['too many fields', 'x: 1\r\n'.repeat(MAX_HEAD_FIELDS + 1)],
    ['too large a field', `x: ${'y'.repeat(70_000)}\r\n`],
  ])('with %s leave a broken response', async (_what, trailers) => {
    const { url } = await cannedServer(chunked(trailers))
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_BAD_RESPONSE', delivered: 'yes' })
  })

  it('that could split the response for the client are dropped', async () => {
    const { url } = await cannedServer(
      chunked('Content-Length: 5\r\nSet-Cookie: a=1\r\nTransfer-Encoding: x\r\nX: 1\r\n'),
    )
    await using pair = await startPair({ version: '3.0', target: url })
    const client = await RawClient.connect(pair.port)
    client.write('GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n')
    await client.until('X: 1\r\n\r\n')
    expect(client.received.toString('latin1')).toMatch(/\r\n0\r\nX: 1\r\n\r\n$/)
    client.leave()
  })

  it.each([
    ['many', Array.from({ length: MAX_HEAD_FIELDS + 1 }, () => ['x', '1']).flat()],
    ['large', Array.from({ length: 10 }, () => ['x', 'y'.repeat(8_000)]).flat()],
  ])('that are too %s, over HTTP/2, leave a broken response', async (_what, lines) => {
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200')))
      peer.write(frame(FRAME.data, 0, stream, Buffer.from('a')))
      const block = fields(...lines)
      for (let at = 0; at < block.length; at += 16_000) {
        const last = at + 16_000 >= block.length
        const flags = (at === 0 ? FLAG.endStream : 0) | (last ? FLAG.endHeaders : 0)
        peer.write(frame(at === 0 ? FRAME.headers : FRAME.continuation, flags, stream, block.subarray(at, at + 16_000)))
      }
    })
    const { exchange } = send(makeTarget(url, { targetProtocol: 'http2' }), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error?.code).toMatch(/^CRANKER_ERR_(BAD_RESPONSE|TARGET_FAILED)$/)
    expect(exchange.trailers).toBeUndefined()
  })

  it('that hold a pseudo-field, over HTTP/2, leave a broken response', async () => {
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200')))
      peer.write(frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, fields(':status', '500')))
    })
    const { exchange } = send(makeTarget(url, { targetProtocol: 'http2' }), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_BAD_RESPONSE' })
  })

  it('that are never ended, over HTTP/2, are cut off', async () => {
    let cut: Promise<unknown> | undefined
    const { url } = await rawHttp2Server(({ type, stream }, peer) => {
      if (type !== FRAME.headers) return
      cut = new Promise((resolve) => peer.socket.once('close', resolve))
      peer.write(frame(FRAME.headers, FLAG.endHeaders, stream, fields(':status', '200')))
      peer.write(frame(FRAME.headers, FLAG.endStream, stream, fields('x', 'y')))
      const more = frame(FRAME.continuation, 0, stream, fields('x', 'y'.repeat(16_000)))
      const go = (): void => {
        if (!peer.socket.destroyed) peer.socket.write(more, () => setImmediate(go))
      }
      go()
    })
    const { exchange } = send(makeTarget(url, { targetProtocol: 'http2' }), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error?.code).toMatch(/^CRANKER_ERR_(BAD_RESPONSE|TARGET_FAILED)$/)
    await cut
  })

  it('of a node service may be forged, and a client of HTTP/2 still gets what a trailer may be', async () => {
    const { url } = await http2Server((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'set-cookie': ['a=1'], 'cache-control': 'public', x: '1' }))
      stream.end('a')
    })
    const { exchange } = send(makeTarget(url, { targetProtocol: 'http2' }), request('GET', '/'))
    await exchange.ended()
    expect(exchange.trailers ?? exchange.error?.code).toEqual(['x', '1'])
  })
})

describe('trailers of a 3.0 peer', () => {
  const opened = (): RouterSide & { response: ReturnType<RouterSide['open']> } => {
    const side = new RouterSide({ capabilities: TRAILERS, config: { maxHeadBytes: 20_000 } })
    const response = side.open()
    side.settle()
    side.peer.send(header(1, 4, RESPONSE), data(1, 'a'))
    return Object.assign(side, { response })
  }

  it.each([
    ['that do not end the stream', 4, 'x:1\n', 'CRANKER_ERR_PROTOCOL'],
    ['with a control', 5, 'x:\0\n', 'CRANKER_ERR_PROTOCOL'],
    ['with too many fields', 5, 'x:1\n'.repeat(MAX_HEAD_FIELDS + 1), 'CRANKER_ERR_PROTOCOL'],
    ['that are too large', 5, `x:${'y'.repeat(21_000)}\n`, 'CRANKER_ERR_HEAD_TOO_LARGE'],
  ])('%s end their exchange, and nothing else', (_what, flags, text, code) => {
    const side = opened()
    const other = side.open()
    side.settle()
    side.peer.send(header(1, flags, text))
    expect([side.response.codes, side.response.ends]).toEqual([[code], 0])
    side.peer.send(header(3, 5, RESPONSE), header(2, 5, RESPONSE))
    expect([other.ends, side.events.ended]).toEqual([1, []])
  })

  it('without an end end their exchange', () => {
    const side = opened()
    for (let i = 0; i < 3; i++) side.peer.send(header(1, 0, 'x:'.padEnd(8_000, 'y')))
    expect(side.response.codes).toEqual(['CRANKER_ERR_HEAD_TOO_LARGE'])
  })

  it('with a body in their middle end their exchange', () => {
    const side = opened()
    side.peer.send(header(1, 0, 'x:1\n'), data(1, 'late'))
    expect(side.response.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
  })

  it('that come twice say nothing after the first', () => {
    const side = opened()
    side.peer.send(header(1, 5, 'x:1\n'), header(1, 5, 'x:2\n'))
    expect([side.response.trailers, side.response.ends, side.response.codes]).toEqual([['x', '1'], 1, []])
  })

  it('are a second head where they were not agreed', () => {
    const side = new RouterSide()
    const response = side.open()
    side.settle()
    side.peer.send(header(1, 4, RESPONSE), header(1, 5, 'x:1\n'))
    expect(response.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
    const connector = new ConnectorSide()
    const got = connector.request(1, false)
    connector.peer.send(header(1, 5, 'x:1\n'))
    expect(got.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
  })

  it('too many or too large to be sent end the exchange on our side, by whose fault it is', () => {
    for (const trailers of [Array.from({ length: 600 }, () => 'x'), ['x', 'y'.repeat(70_000)]]) {
      const both = new Both({ capabilities: TRAILERS })
      const up = both.open(POST, false)
      both.settle()
      up.exchange?.end(undefined, trailers)
      expect(up.errors).toMatchObject([{ code: 'CRANKER_ERR_HEAD_TOO_LARGE', initiator: 'caller' }])
      const down = both.open()
      both.settle()
      both.requests[1]?.response.head(OK, false)
      both.requests[1]?.response.end(undefined, trailers)
      expect(both.requests[1]?.errors).toMatchObject([{ code: 'CRANKER_ERR_HEAD_TOO_LARGE', initiator: 'peer' }])
      both.settle()
      expect([down.ends, down.codes]).toEqual([0, ['CRANKER_ERR_PEER_RESET']])
    }
  })
})
