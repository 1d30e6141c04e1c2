import { describe, expect, it } from 'vitest'
import { ConnectorSide, data, GET, header, OK, POST, raw, RouterSide, rst, windowUpdate } from './harness.js'

const HEAD = 'HTTP/1.1 200 OK\n'

describe('frames that a router should not get', () => {
  function running(head = GET, end = true): { side: RouterSide; response: ReturnType<RouterSide['open']> } {
    const side = new RouterSide()
    const response = side.open(head, end)
    side.peer.take()
    return { side, response }
  }

  it('ignores text messages and unknown frame types', () => {
    const { side, response } = running()
    side.peer.link.sendText('hello')
    side.peer.send(raw(42, 0, 1, 'x'), raw(9, 0, 1), header(1, 4, HEAD), data(1, 'x', true))
    expect([response.text, response.ends, side.events.ended]).toEqual(['x', 1, []])
  })

  it('ignores frames for ids that are over, unknown, zero or negative', () => {
    const { side, response } = running()
    for (const id of [0, -1, 2, 2 ** 31 - 1]) {
      side.peer.send(header(id, 4, HEAD), data(id, 'x'), windowUpdate(id, 5), rst(id, 1), data(id, '', true))
    }
    side.peer.send(header(1, 4, HEAD), data(1, 'x', true))
    side.peer.send(data(1, 'late'), header(1, 4, HEAD), rst(1, 1011), windowUpdate(1, 100_000), data(1, '', true))
    expect([response.text, response.ends, response.errors, side.peer.takeShort()]).toEqual(['x', 1, [], []])
    expect(side.events.ended).toEqual([])
  })

  it.each([
    ['a body before its head', data(1, 'x')],
    ['an end before its head', data(1, '', true)],
    ['a window update that cannot be read', raw(8, 0, 1, 'abc')],
    ['a window update that takes credit away', windowUpdate(1, -1)],
  ])('ends only its stream on %s', (_what, frame) => {
    const { side, response } = running()
    const other = side.open()
    side.peer.take()
    side.peer.send(frame)
    expect(response.errors).toMatchObject([{ code: 'CRANKER_ERR_PROTOCOL', initiator: 'peer', delivered: 'maybe' }])
    expect(side.peer.takeShort()).toEqual(['rst 1 1'])
    side.peer.send(header(2, 4, HEAD), data(2, 'ok', true))
    expect([other.text, other.ends, side.session.load]).toEqual(['ok', 1, 0])
  })

  it('ends only its stream on a second head', () => {
    const { side, response } = running()
    side.peer.send(header(1, 4, HEAD), data(1, 'x'), header(1, 4, HEAD))
    expect(response.errors).toMatchObject([{ code: 'CRANKER_ERR_PROTOCOL', delivered: 'yes' }])
    expect(side.peer.takeShort()).toEqual(['rst 1 1'])
  })

  it('ends only its stream on a body between the parts of a head', () => {
    const { side, response } = running()
    side.peer.send(header(1, 0, 'HTTP/1.1 '), data(1, 'x'))
    expect(response.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
  })

  it('ends only its stream on a head that is no response', () => {
    const { side, response } = running()
    side.peer.send(header(1, 4, 'HTTP/1.1 99 Low\n'))
    expect(response.codes).toEqual(['CRANKER_ERR_BAD_RESPONSE'])
    expect([side.events.ended, side.peer.takeShort()]).toEqual([[], ['rst 1 1']])
  })

  it('ends only its stream on 101 where nobody asked for an upgrade', () => {
    const { side, response } = running()
    side.peer.send(header(1, 4, 'HTTP/1.1 101 Switching Protocols\n'))
    expect(response.codes).toEqual(['CRANKER_ERR_BAD_RESPONSE'])
  })

  it('acts on END_STREAM of a head only when the head is complete', () => {
    const { side, response } = running()
    side.peer.send(header(1, 1, 'HTTP/1.1 '))
    expect([response.head, response.ends]).toEqual([undefined, 0])
    side.peer.send(header(1, 5, '204 No Content\n'))
    expect([response.head?.status, response.ends]).toEqual([204, 1])
  })

  it('closes the socket on a frame that is shorter than its header', () => {
    const { side, response } = running()
    side.peer.send(Buffer.from([0, 0, 0, 0, 0]))
    expect(side.peer.closeCode).toBe(1002)
    expect(response.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
    expect(side.events.ended).toMatchObject([{ code: 1002, clean: false, error: { code: 'CRANKER_ERR_PROTOCOL' } }])
    side.peer.send(header(1, 4, HEAD))
    expect(response.head).toBeUndefined()
  })

  it('takes window updates of 0, and late ones', () => {
    const { side, response } = running(POST, false)
    side.peer.send(windowUpdate(1, 0))
    response.exchange?.end()
    side.settle()
    side.peer.send(windowUpdate(1, 5), header(1, 4, HEAD), data(1, 'x', true), windowUpdate(1, 7))
    expect([response.ends, response.errors]).toEqual([1, []])
  })
})

describe('frames that a connector should not get', () => {
  it('ignores late, unknown and wrong-direction frames', () => {
    const side = new ConnectorSide()
    side.peer.send(data(5, 'x'), data(5, '', true), rst(7, 1), windowUpdate(9, 5), header(0, 5, 'GET / HTTP/1.1\n'))
    side.peer.send(header(-3, 5, 'GET / HTTP/1.1\n'), raw(77, 1, 1, 'x'), raw(7, 0, 0, 'xxxxxxxxxxxx'))
    expect([side.requests, side.session.load, side.peer.takeShort(), side.events.ended]).toEqual([[], 0, [], []])
    expect(side.request().ends).toBe(1)
  })

  it('gives an id to one request only', () => {
    const side = new ConnectorSide()
    side.request().response.head(OK, true)
    side.settle()
    side.request()
    expect(side.requests).toHaveLength(1)
  })

  it('takes ids out of order, because mu-cranker-router allocates an id before another thread has sent the one before', () => {
    const side = new ConnectorSide()
    for (const id of [2, 1, 5, 3, 4]) side.request(id)
    expect(side.requests).toHaveLength(5)
  })

  it('takes END_STREAM on every part of a bodyless request, as mu-cranker-router sends it', () => {
    const side = new ConnectorSide()
    side.peer.send(header(1, 1, 'GET /a HTT'), header(1, 1, 'P/1.1\nhost:'))
    expect(side.requests).toEqual([])
    side.peer.send(header(1, 5, 'x\n'))
    expect(side.requests[0]?.head).toMatchObject({ target: '/a', headers: ['host', 'x'] })
    expect(side.requests[0]?.ends).toBe(1)
  })

  it('takes parts of a head that are split inside a code point', () => {
    const side = new ConnectorSide()
    const bytes = Buffer.from('GET /a HTTP/1.1\nx:é\n')
    const at = bytes.indexOf(0xa9)
    side.peer.send(raw(1, 0, 1, bytes.subarray(0, at)), raw(1, 5, 1, bytes.subarray(at)))
    expect(side.requests[0]?.head.headers).toEqual(['x', '\xe9'])
  })

  it('answers a head that is no request by ending its stream', () => {
    const side = new ConnectorSide()
    side.peer.send(header(1, 5, 'what\n'))
    expect([side.requests, side.session.load, side.peer.takeShort()]).toEqual([[], 0, ['rst 1 1011']])
    expect(side.events.ended).toEqual([])
  })

  it('ends only its stream on more body after the end of the request', () => {
    const side = new ConnectorSide()
    const request = side.request()
    side.peer.send(data(1, '', true))
    expect(request.errors).toEqual([])
    side.peer.send(data(1, 'x'))
    expect(request.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
    expect(side.peer.takeShort()).toEqual(['rst 1 1011'])
  })

  it('stops sending when the router resets a response that is complete but not sent', () => {
    const side = new ConnectorSide()
    const request = side.request()
    request.response.head(OK, false)
    request.response.end(Buffer.alloc(1_000_000))
    side.settle()
    expect(side.session.load).toBe(1)
    side.peer.take()
    side.peer.send(rst(1, 1))
    side.peer.send(windowUpdate(1, 1_000_000))
    expect([side.session.load, side.peer.takeShort(), request.errors]).toEqual([0, [], []])
  })
})

it('reads an RST_STREAM without a code', () => {
  const side = new RouterSide()
  const response = side.open()
  side.settle()
  side.peer.send(raw(3, 0, 1))
  expect(response.codes).toEqual(['CRANKER_ERR_PEER_RESET'])
})
