import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { V1_LINGER_MS, V1_RECEIVE_WINDOW_BYTES } from '../../../protocol/limits.js'
import type { ResponseExchange } from '../../../protocol/session.js'
import { closes, type ConnectorSide, connectorSide, OK, texts } from './setup.js'

const WITHOUT_BODY = 'GET /x HTTP/1.1\nhost:a\n\n_2'
const WITH_BODY = 'POST /x HTTP/1.1\nhost:a\n\n_1'
const failed = new CrankerError('CRANKER_ERR_TARGET_FAILED', 'connect ECONNREFUSED 10.0.0.7:8080')
const full = new CrankerError('CRANKER_ERR_REFUSED', 'full', { delivered: 'no' })

function request(side: ConnectorSide, text = WITHOUT_BODY): ResponseExchange {
  side.peer.sendText(text)
  side.settle()
  return side.service.exchange
}

describe('a request that arrives on 1.0', () => {
  it('without a body is complete', () => {
    const side = connectorSide()
    request(side)
    expect(side.service.request).toEqual({ method: 'GET', target: '/x', headers: ['host', 'a'] })
    expect(side.service.requestEnd).toBe(true)
    expect(side.service.body.calls).toEqual(['end'])
  })

  it('with a body ends with _3', () => {
    const side = connectorSide()
    request(side, WITH_BODY)
    side.peer.sendBinary(Buffer.from('ab'))
    side.peer.sendText('_3')
    side.settle()
    expect(side.service.requestEnd).toBe(false)
    expect(side.service.body.calls).toEqual(['data', 'end'])
    expect(side.session.bytesIn).toBe(2)
  })

  it('may have an empty body: _1 followed by _3', () => {
    const side = connectorSide()
    side.peer.sendText(WITH_BODY)
    side.peer.sendText('_3')
    side.settle()
    expect(side.service.body.calls).toEqual(['end'])
  })

  it.each([
    ['CRLF', 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n_2'],
    ['a newline after the marker', 'GET /x HTTP/1.1\nHost:a\n\n_2\n'],
    ['no blank line', 'GET /x HTTP/1.1\nHost:a\n_2'],
  ])('may be written with %s', (_what, text) => {
    const side = connectorSide()
    request(side, text)
    expect(side.service.request).toEqual({ method: 'GET', target: '/x', headers: ['Host', 'a'] })
  })

  it('uses the socket up before the service sees it, so that a replacement is on its way', () => {
    const side = connectorSide()
    side.service.answer = () => {
      expect(side.session).toMatchObject({ accepting: false, load: 1 })
      expect(side.service.changes).toBe(1)
    }
    request(side)
    expect(side.service.request).toBeDefined()
  })

  it('may be answered at once: no end of its body is announced after that', () => {
    const side = connectorSide()
    side.service.answer = (exchange) => {
      exchange.head(OK, false)
      exchange.end(Buffer.from('hi'))
    }
    request(side)
    expect(texts(side.link)).toEqual(['HTTP/1.1 200 OK\n'])
    expect(closes(side.link)).toEqual([{ code: 1000, reason: '' }])
    expect(side.service.body.calls).toEqual([])
  })
})

describe('a response on 1.0', () => {
  it('is a text, binary messages of at most 16,384 bytes and a Close frame after them', () => {
    const side = connectorSide()
    const exchange = request(side)
    exchange.head({ status: 200, reason: 'OK', headers: ['a', '1'] }, false)
    exchange.write(Buffer.alloc(20_000, 'x'))
    exchange.end(Buffer.from('last'))
    expect(side.link.sent.map((m) => (m.kind === 'binary' ? m.data.length : m.kind))).toEqual([
      'text',
      16_384,
      3_616,
      4,
      'close',
    ])
    expect(closes(side.link)).toEqual([{ code: 1000, reason: '' }])
  })

  it('without a body is a text and a Close frame', () => {
    const side = connectorSide()
    request(side).head({ status: 204, reason: '', headers: [] }, true)
    expect(side.link.sent.map((m) => m.kind)).toEqual(['text', 'close'])
    expect(side.session.load).toBe(0)
  })

  it('has interim heads only with the extension', () => {
    for (const informational of [false, true]) {
      const side = connectorSide({ capabilities: { informational } })
      request(side).info({ status: 103, reason: 'Early Hints', headers: [] })
      expect(texts(side.link)).toEqual(informational ? ['HTTP/1.1 103 Early Hints\n'] : [])
    }
  })

  it('drops trailers', () => {
    const side = connectorSide()
    const exchange = request(side)
    exchange.head(OK, false)
    exchange.end(undefined, ['x', '1'])
    expect(side.link.sent.map((m) => m.kind)).toEqual(['text', 'close'])
  })

  it('that cannot be written fails the exchange and tells the service', () => {
    const side = connectorSide()
    request(side).head({ status: 200, reason: 'OK', headers: ['a', 'b\r\nc'] }, false)
    expect(texts(side.link)).toEqual([])
    expect(closes(side.link)[0]?.code).toBe(1011)
    expect(side.service.body.calls).toEqual(['end', 'error CRANKER_ERR_BAD_RESPONSE'])
  })

  it('that cannot be written fails the exchange also from within the announcement', () => {
    const side = connectorSide({ maxHeadBytes: 500 })
    side.service.answer = (exchange) => exchange.head({ status: 200, reason: 'x'.repeat(1_000), headers: [] }, true)
    request(side)
    expect(closes(side.link)[0]?.code).toBe(1011)
    expect(side.service.body.calls).toEqual(['error CRANKER_ERR_BAD_RESPONSE'])
  })

  it('cannot end before its head', () => {
    const side = connectorSide()
    request(side).end(Buffer.from('x'))
    expect(side.link.binary).toEqual([])
    expect(closes(side.link)[0]?.code).toBe(1011)
  })

  it.each([
    ['a failed target', failed, false, 1011],
    ['a rejected request', new CrankerError('CRANKER_ERR_PEER_REJECTED', 'no'), false, 1008],
    ['a refusal, with the extension', full, true, 1013],
    ['a refusal, towards peers that do not know it', full, false, 1011],
  ])('ends for %s', (_what, error, refuse, code) => {
    const side = connectorSide({ capabilities: { refuse } })
    request(side).reset(error)
    expect(closes(side.link)[0]?.code).toBe(code)
    expect(side.service.body.calls).toEqual(['end'])
  })

  it('is not refused any more once its head is out', () => {
    const side = connectorSide({ capabilities: { refuse: true } })
    const exchange = request(side)
    exchange.head(OK, false)
    exchange.reset(full)
    expect(closes(side.link)[0]?.code).toBe(1011)
  })

  it('names nothing internal when it fails', () => {
    const side = connectorSide()
    request(side).reset(failed)
    expect(closes(side.link)[0]?.reason).toBe('CRANKER_ERR_TARGET_FAILED')
  })

  it('makes every later call a no-op', () => {
    const side = connectorSide()
    const exchange = request(side)
    exchange.head(OK, true)
    const sent = side.link.sent.length
    exchange.head(OK, false)
    exchange.info({ status: 103, reason: '', headers: [] })
    expect(exchange.write(Buffer.from('x'))).toBe(true)
    exchange.end(Buffer.from('x'))
    exchange.reset(failed)
    exchange.consumed(5)
    expect(side.link.sent.length).toBe(sent)
  })

  it('is complete for a request whose body still comes: the rest is ignored', () => {
    const side = connectorSide()
    const exchange = request(side, WITH_BODY)
    exchange.head({ status: 413, reason: '', headers: [] }, true)
    side.peer.sendBinary(Buffer.from('x'))
    side.peer.sendText('_3')
    side.settle()
    expect(side.service.body.calls).toEqual([])
    expect(side.service.ends).toMatchObject([{ clean: true }])
  })
})

describe('the end of a large response on 1.0', () => {
  const large = Buffer.alloc(V1_RECEIVE_WINDOW_BYTES + 1)

  it('is the Close frame only when the router has read it all: a close timer would cut off a slow client', () => {
    const side = connectorSide()
    const exchange = request(side)
    side.peer.pause()
    exchange.head(OK, false)
    exchange.end(large)
    side.settle()
    side.clock.advance(60_000)
    side.settle()
    expect(closes(side.link)).toEqual([])
    expect(side.session.load).toBe(1)
    side.peer.resume()
    side.settle()
    expect(closes(side.link)).toEqual([{ code: 1000, reason: '' }])
    expect(side.service.ends).toMatchObject([{ clean: true }])
    expect(side.clock.pending).toBe(0)
  })

  it('comes all the same when the router never answers a ping', () => {
    const side = connectorSide()
    side.peer.answerPings = false
    const exchange = request(side)
    exchange.head(OK, false)
    exchange.end(large)
    side.settle()
    side.clock.advance(V1_LINGER_MS)
    expect(closes(side.link)).toEqual([{ code: 1000, reason: '' }])
  })

  it('is not spoilt by closing the session meanwhile', () => {
    const side = connectorSide()
    side.peer.answerPings = false
    const exchange = request(side)
    exchange.head(OK, false)
    exchange.end(large)
    side.settle()
    side.session.drain()
    expect(closes(side.link)).toEqual([])
    side.session.close(1001, 'Stopping')
    expect(closes(side.link)).toEqual([{ code: 1000, reason: '' }])
  })

  it('ends with the socket when the client left meanwhile', () => {
    const side = connectorSide()
    side.peer.answerPings = false
    const exchange = request(side)
    exchange.head(OK, false)
    exchange.end(large)
    side.peer.close(1001, 'Client gone')
    side.settle()
    expect(side.service.ends).toHaveLength(1)
    expect(side.service.body.calls).toEqual(['end'])
    expect(side.clock.pending).toBe(0)
  })
})

describe('a router that ends a request', () => {
  it('with 1001 (the client left) is told to the service at once', () => {
    const side = connectorSide()
    request(side, WITH_BODY)
    side.peer.close(1001, 'Client gone')
    side.settle()
    expect(side.service.body.calls).toEqual(['error CRANKER_ERR_PEER_RESET'])
    expect(side.service.ends).toMatchObject([{ code: 1001, clean: true }])
  })

  it('by losing the connection is told to the service at once', () => {
    const side = connectorSide()
    request(side).head(OK, false)
    side.peer.terminate()
    side.settle()
    expect(side.service.body.calls).toEqual(['end', 'error CRANKER_ERR_SOCKET_LOST'])
    expect(side.service.ends).toMatchObject([{ code: 1006, clean: false }])
  })
})

describe('a router that breaks 1.0', () => {
  it.each([
    ['a head without a marker', ['GET /x HTTP/1.1\nhost:a\n']],
    ['a head without a target', ['GET\n\n_2']],
    ['a head with a control', ['GET /x HTTP/1.1\na:\0\n\n_2']],
    ['an empty text', ['']],
    ['a lone _3', ['_3']],
  ])('with %s loses the socket, and the service sees nothing', (_what, messages) => {
    const side = connectorSide()
    for (const text of messages) side.peer.sendText(text)
    side.settle()
    expect(side.service.request).toBeUndefined()
    expect(closes(side.link)[0]?.code).toBe(1002)
    expect(side.service.ends).toMatchObject([{ clean: false, error: { code: 'CRANKER_ERR_PROTOCOL' } }])
  })

  it('with a head above the limit is told so', () => {
    const side = connectorSide()
    side.peer.sendText(`GET /x HTTP/1.1\na:${'x'.repeat(70_000)}\n\n_2`)
    side.settle()
    expect(side.service.request).toBeUndefined()
    expect(closes(side.link)[0]?.code).toBe(1009)
  })

  it.each([
    ['a second request', WITH_BODY, (s: ConnectorSide) => s.peer.sendText(WITHOUT_BODY), []],
    ['_3 after _2', WITHOUT_BODY, (s: ConnectorSide) => s.peer.sendText('_3'), ['end']],
    [
      '_3 twice',
      WITH_BODY,
      (s: ConnectorSide) => {
        s.peer.sendText('_3')
        s.peer.sendText('_3')
      },
      ['end'],
    ],
    ['a body after _2', WITHOUT_BODY, (s: ConnectorSide) => s.peer.sendBinary(Buffer.from('x')), ['end']],
  ])('with %s loses the exchange, nothing more', (_what, text, misbehave, before) => {
    const side = connectorSide()
    request(side, text)
    misbehave(side)
    side.settle()
    expect(side.service.body.calls).toEqual([...before, 'error CRANKER_ERR_PROTOCOL'])
    expect(closes(side.link)[0]?.code).toBe(1002)
  })
})

describe('the end of a 1.0 socket at the connector', () => {
  it('drains at once when idle: 1013 where a crossing request may then go elsewhere, else 1001', () => {
    for (const refuse of [true, false]) {
      const side = connectorSide({ capabilities: { refuse } })
      side.session.drain()
      side.settle()
      expect(closes(side.link)[0]?.code).toBe(refuse ? 1013 : 1001)
      expect(side.service.ends).toMatchObject([{ clean: true }])
    }
  })

  it('drains when its exchange has ended', () => {
    const side = connectorSide()
    const exchange = request(side)
    side.session.drain()
    expect(closes(side.link)).toEqual([])
    exchange.head(OK, true)
    side.settle()
    expect(side.service.ends).toHaveLength(1)
  })

  it('has a barrier: a pong comes after everything that the router had sent', () => {
    const side = connectorSide()
    const seen: string[] = []
    side.service.answer = () => seen.push('request')
    side.peer.sendText(WITHOUT_BODY)
    side.session.barrier(() => seen.push('barrier'))
    side.settle()
    expect(seen).toEqual(['request', 'barrier'])
  })

  it('passes its barriers when the router answers only the newest ping', () => {
    const side = connectorSide()
    side.peer.answerPings = false
    const seen: number[] = []
    side.session.barrier(() => seen.push(1))
    side.session.barrier(() => seen.push(2))
    side.settle()
    side.peer.pong(Buffer.from('unasked'))
    side.peer.pong(Buffer.from([0, 0, 0, 9]))
    side.settle()
    expect(seen).toEqual([])
    const pings = side.link.sent.flatMap((m) => (m.kind === 'ping' ? [m.data] : []))
    side.peer.pong(pings.at(-1))
    side.settle()
    expect(seen).toEqual([1, 2])
  })

  it('passes its barriers when it ends, and when it has ended', () => {
    const side = connectorSide()
    const seen: number[] = []
    side.peer.answerPings = false
    side.session.barrier(() => seen.push(1))
    side.session.terminate()
    expect(seen).toEqual([1])
    side.session.barrier(() => seen.push(2))
    expect(seen).toEqual([1, 2])
  })
})
