import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { Both, capabilities, ConnectorSide, data, goaway, header, OK, POST, RouterSide, rst } from './harness.js'

const HEAD = 'HTTP/1.1 200 OK\n'
const ALL = capabilities('refuse', 'goaway', 'trailers', 'informational')

describe('refuse', () => {
  it.each([
    ['full', 'CRANKER_ERR_REFUSED'],
    ['target unreachable', 'CRANKER_ERR_TARGET_UNREACHABLE'],
  ])('tells the router that the service never saw the request: %s', (reason, code) => {
    const both = new Both({
      capabilities: ALL,
      onRequest: ({ response }) => response.reset(new CrankerError('CRANKER_ERR_REFUSED', reason)),
    })
    const response = both.open(POST, false)
    both.settle()
    expect(response.errors).toMatchObject([{ code, delivered: 'no', retryable: true }])
    expect(response.errors[0]?.message).toContain(reason)
  })

  it('is an ordinary failure towards peers that do not know it', () => {
    const side = new ConnectorSide()
    side.request().response.reset(new CrankerError('CRANKER_ERR_REFUSED', 'full'))
    expect(side.peer.takeShort()).toEqual(['rst 1 1011'])
    const router = new RouterSide()
    const response = router.open()
    router.settle()
    router.peer.send(rst(1, 7))
    expect(response.errors).toMatchObject([{ code: 'CRANKER_ERR_PEER_RESET', delivered: 'maybe' }])
  })

  it('is not believed after the response head', () => {
    const side = new RouterSide({ capabilities: ALL })
    const response = side.open()
    side.settle()
    side.peer.send(header(1, 4, HEAD), rst(1, 7))
    expect(response.errors).toMatchObject([{ code: 'CRANKER_ERR_PEER_RESET', delivered: 'yes' }])
  })
})

describe('trailers', () => {
  it('travel both ways', () => {
    const both = new Both({ capabilities: ALL })
    const response = both.open(POST, false)
    response.exchange?.end(Buffer.from('x'), ['checksum', '1'])
    both.settle()
    const request = both.requests[0]
    expect([request?.text, request?.ends, request?.trailers]).toEqual(['x', 1, ['checksum', '1']])
    request?.response.head(OK, false)
    request?.response.end(undefined, ['grpc-status', '0', 'x', 'y'])
    both.settle()
    expect([response.ends, response.trailers, both.router.load]).toEqual([1, ['grpc-status', '0', 'x', 'y'], 0])
  })

  it('are dropped towards peers that announced nothing, such as mu-cranker-router: they would take them for a new message', () => {
    const side = new ConnectorSide()
    const { response } = side.request()
    response.head(OK, false)
    response.end(Buffer.from('x'), ['a', 'b'])
    expect(side.peer.takeShort()).toEqual(['header 1 endHeaders', 'data 1 1 end'])
  })

  it('make a response without a body one frame, which is what gRPC clients take for "Trailers-Only"', () => {
    const side = new ConnectorSide({ capabilities: ALL })
    side.request().response.head(OK, true)
    expect([side.peer.takeShort(), side.session.load]).toEqual([['header 1 endHeaders end'], 0])
    const published = new ConnectorSide()
    published.request().response.head(OK, true)
    expect(published.peer.takeShort()).toEqual(['header 1 endHeaders', 'data 1 0 end'])
  })

  it('wait for the body before them when credit is short', () => {
    const side = new ConnectorSide({ capabilities: ALL })
    const { response } = side.request()
    response.head(OK, false)
    response.end(Buffer.alloc(100_000), ['a', 'b'])
    const before = side.peer.takeShort()
    expect(before.at(-1)).toMatch(/^data 1 \d+$/)
    side.peer.send(Buffer.from([8, 0, 0, 0, 0, 1, 0, 2, 0, 0]))
    expect(side.peer.takeShort().at(-1)).toBe('header 1 endHeaders end')
    expect(side.session.load).toBe(0)
  })
})

describe('informational', () => {
  it('carries 103 before the final head', () => {
    const both = new Both({
      capabilities: ALL,
      onRequest: ({ response }) => {
        response.info({ status: 103, reason: 'Early Hints', headers: ['link', '</a.css>'] })
        response.head(OK, true)
        response.info({ status: 103, reason: 'too late', headers: [] })
      },
    })
    const response = both.open()
    both.settle()
    expect(response.infos).toMatchObject([{ status: 103, headers: ['link', '</a.css>'] }])
    expect([response.head?.status, response.ends]).toEqual([200, 1])
  })

  it('is not sent to peers without it, and skipped when they send it', () => {
    const side = new ConnectorSide()
    const { response } = side.request()
    response.info({ status: 103, reason: '', headers: [] })
    response.head(OK, true)
    expect(side.peer.takeShort()).toEqual(['header 1 endHeaders', 'data 1 0 end'])
    const router = new RouterSide()
    const answer = router.open()
    router.settle()
    router.peer.send(header(1, 4, 'HTTP/1.1 103 Early Hints\n'), header(1, 4, HEAD), data(1, 'x', true))
    expect([answer.infos, answer.head?.status, answer.text, answer.ends]).toEqual([[], 200, 'x', 1])
  })

  it('never ends a stream', () => {
    const side = new RouterSide({ capabilities: ALL })
    const response = side.open()
    side.settle()
    side.peer.send(header(1, 5, 'HTTP/1.1 103 Early Hints\n'))
    expect([response.ends, response.codes]).toEqual([0, ['CRANKER_ERR_PROTOCOL']])
  })
})

describe('goaway', () => {
  it('from a connector ends what it has not taken, and lets the rest finish', () => {
    const side = new RouterSide({ capabilities: ALL })
    const taken = side.open()
    const late = side.open()
    side.settle()
    side.peer.send(goaway(1, '30 maintenance today'))
    expect(late.errors).toMatchObject([{ code: 'CRANKER_ERR_REFUSED', delivered: 'no' }])
    expect(side.session.accepting).toBe(false)
    expect(side.events.goaways).toEqual([{ reason: 'maintenance today', retryAfterMs: 30_000 }])
    expect(side.peer.closeCode).toBeUndefined()
    side.peer.send(header(1, 4, HEAD), data(1, 'x', true))
    expect([taken.text, taken.ends, side.peer.closeCode]).toEqual(['x', 1, 1001])
    expect(side.events.ended).toMatchObject([{ clean: true }])
  })

  it('is said by a draining connector, which closes when it is empty', () => {
    const both = new Both({ capabilities: ALL })
    const running = both.open()
    both.settle()
    both.connector.drain('stopping', 5_000)
    // This one crosses the goaway on the wire.
    const late = both.open()
    both.settle()
    expect(late.errors).toMatchObject([{ code: 'CRANKER_ERR_REFUSED', delivered: 'no' }])
    expect(both.routerEvents.goaways).toEqual([{ reason: 'stopping', retryAfterMs: 5_000 }])
    expect(both.requests).toHaveLength(1)
    expect(both.connectorEvents.ended).toEqual([])
    both.requests[0]?.response.head(OK, false)
    both.requests[0]?.response.end(Buffer.alloc(200_000))
    both.settle()
    expect([running.bytes, running.ends]).toEqual([200_000, 1])
    expect(both.connectorEvents.ended).toMatchObject([{ code: 1001, clean: true }])
    expect(both.routerEvents.ended).toMatchObject([{ code: 1001, clean: true }])
  })

  it('from a router asks for no replacement, and loses no request that was on its way', () => {
    const both = new Both({
      capabilities: ALL,
      onRequest: ({ response }) => {
        response.head(OK, false)
        response.end(Buffer.from('ok'))
      },
    })
    const response = both.open()
    both.router.drain('restarting', 30_000)
    expect(both.router.accepting).toBe(false)
    both.settle()
    expect([response.text, response.ends]).toEqual(['ok', 1])
    expect(both.connectorEvents.goaways).toEqual([{ reason: 'restarting', retryAfterMs: 30_000 }])
    expect(both.connector.accepting).toBe(false)
    expect(both.connectorEvents.ended).toMatchObject([{ code: 1001, clean: true }])
  })

  it('is ignored from a peer that did not say that it knows it', () => {
    const side = new RouterSide()
    const response = side.open()
    side.settle()
    side.peer.send(goaway(0, '5 x'), header(1, 5, HEAD))
    expect([response.ends, side.session.accepting, side.events.goaways]).toEqual([1, true, []])
  })

  it('takes no absurd pause, and a text without one', () => {
    for (const [text, retryAfterMs] of [
      ['999999 x', 3_600_000],
      ['what is', 0],
      ['', 0],
      ['-5 x', 0],
    ] as const) {
      const side = new RouterSide({ capabilities: ALL })
      side.peer.send(goaway(0, text))
      expect(side.events.goaways[0]?.retryAfterMs).toBe(retryAfterMs)
    }
  })
})

describe('drain without goaway', () => {
  it('closes an idle socket at once with 1001', () => {
    const side = new RouterSide()
    side.session.drain('stopping')
    expect(side.session.accepting).toBe(false)
    // No goaway frame: asgi-cc ends its socket with 1011 on a type that it does not know.
    expect(side.peer.takeShort()).toEqual([])
    expect(side.peer.closeCode).toBe(1001)
    expect(side.events.ended).toMatchObject([{ code: 1001, clean: true, error: undefined }])
  })

  it('lets a running exchange finish first, on either side', () => {
    const both = new Both()
    const response = both.open()
    both.settle()
    both.connector.drain('stopping')
    both.router.drain('stopping')
    both.settle()
    expect(both.connectorEvents.ended).toEqual([])
    both.requests[0]?.response.head(OK, false)
    both.requests[0]?.response.end(Buffer.from('x'))
    both.settle()
    expect([response.text, response.ends, response.errors]).toEqual(['x', 1, []])
    expect([both.connectorEvents.ended, both.routerEvents.ended]).toMatchObject([[{ code: 1001 }], [{ code: 1001 }]])
  })

  it('still serves what a published router had sent before it knew', () => {
    const side = new ConnectorSide()
    side.request(1)
    side.session.drain('stopping')
    side.request(2)
    expect(side.requests).toHaveLength(2)
  })

  it('has a barrier that passes when everything sent before has come', () => {
    const side = new ConnectorSide()
    const passed: number[] = []
    side.session.barrier(() => passed.push(side.requests.length))
    side.peer.link.sendBinary(header(1, 5, 'GET / HTTP/1.1\n'))
    side.settle()
    expect(passed).toEqual([1])
    side.peer.link.answerPings = false
    side.session.barrier(() => passed.push(-1))
    side.settle()
    expect(passed).toEqual([1])
    side.session.close(1001, 'bye')
    side.settle()
    expect(passed).toEqual([1, -1])
    side.session.barrier(() => passed.push(-2))
    expect(passed).toEqual([1, -1, -2])
  })
})

describe('the end of a 3.0 socket', () => {
  it('ends every exchange once, says what was delivered, then tells its owner once', () => {
    const side = new RouterSide()
    const answered = side.open()
    const sent = side.open()
    side.settle()
    side.peer.send(header(1, 4, HEAD))
    const unsent = side.open()
    side.peer.link.terminate()
    side.pair.router.finish(1006)
    side.settle()
    expect([answered, sent, unsent].map((r) => r.errors.map((e) => [e.code, e.delivered]))).toEqual([
      [['CRANKER_ERR_SOCKET_LOST', 'yes']],
      [['CRANKER_ERR_SOCKET_LOST', 'maybe']],
      [['CRANKER_ERR_SOCKET_LOST', 'no']],
    ])
    expect(side.events.ended).toMatchObject([{ code: 1006, clean: false, error: { code: 'CRANKER_ERR_SOCKET_LOST' } }])
    expect([side.session.load, side.session.accepting, side.clock.pending]).toEqual([0, false, 0])
  })

  it('acts on the Close frame at once, without waiting for the end of TCP', () => {
    const side = new RouterSide()
    const response = side.open()
    side.settle()
    side.peer.link.answerClose = false
    side.peer.link.close(1011, 'broken')
    side.settle()
    expect(response.codes).toEqual(['CRANKER_ERR_SOCKET_LOST'])
    expect(side.events.ended).toMatchObject([{ code: 1011, reason: 'broken', clean: false }])
  })

  it.each([1000, 1001, 1005])('is clean when the peer closes with %d', (code) => {
    const side = new ConnectorSide()
    side.peer.link.close(code, '')
    side.settle()
    expect(side.events.ended).toMatchObject([{ code, clean: true, error: undefined }])
  })

  it('tells the exchanges of a socket that is closed here', () => {
    const both = new Both()
    const response = both.open()
    both.settle()
    both.router.close(1001, 'bye')
    expect(response.codes).toEqual(['CRANKER_ERR_CLOSED'])
    both.settle()
    expect(both.requests[0]?.codes).toEqual(['CRANKER_ERR_SOCKET_LOST'])
    expect([both.routerEvents.ended, both.connectorEvents.ended]).toMatchObject([
      [{ code: 1001, clean: true }],
      [{ code: 1001, clean: true }],
    ])
  })

  it('cuts at once when asked', () => {
    const both = new Both()
    const response = both.open()
    both.settle()
    both.router.terminate()
    both.settle()
    expect(response.codes).toEqual(['CRANKER_ERR_CLOSED'])
    expect(both.connectorEvents.ended).toMatchObject([{ code: 1006, clean: false }])
    expect(both.routerEvents.ended).toHaveLength(1)
  })

  it('ends every exchange even when a handler throws', () => {
    const side = new RouterSide()
    const bad = side.open()
    const good = side.open()
    side.settle()
    bad.onError = () => {
      throw new Error('oops')
    }
    side.peer.link.close(1011, '')
    side.settle()
    expect(good.codes).toEqual(['CRANKER_ERR_SOCKET_LOST'])
    expect(side.events.ended).toHaveLength(1)
  })

  it('comes after 20 s without any inbound frame, and not while the peer answers pings', () => {
    const side = new RouterSide()
    const response = side.open()
    for (let i = 0; i < 60; i++) {
      side.clock.advance(1_000)
      side.settle()
    }
    expect(response.errors).toEqual([])
    side.peer.link.answerPings = false
    for (let i = 0; i < 26; i++) {
      side.clock.advance(1_000)
      side.settle()
    }
    expect(response.codes).toEqual(['CRANKER_ERR_SOCKET_LOST'])
    expect(side.events.ended).toMatchObject([{ clean: false }])
  })

  it('measures the round trip from its first ping on', () => {
    const both = new Both({ latency: 40 })
    expect(both.router.roundTrip).toBeUndefined()
    both.clock.advance(100)
    expect([both.router.roundTrip, both.connector.roundTrip]).toEqual([80, 80])
  })
})
