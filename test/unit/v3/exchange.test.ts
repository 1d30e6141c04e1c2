import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { Both, capabilities, ConnectorSide, data, GET, header, OK, POST, RouterSide } from './harness.js'

describe('a 3.0 exchange', () => {
  it('sends a bodyless request as one HEADER frame with END_STREAM and END_HEADERS', () => {
    const side = new RouterSide()
    side.open()
    expect(side.peer.takeShort()).toEqual(['header 1 endHeaders end'])
  })

  it('sends head and small pieces together, the last with the end', () => {
    const side = new ConnectorSide()
    const { response } = side.request()
    response.head(OK, false)
    response.write(Buffer.from('hel'))
    response.end(Buffer.from('lo'))
    expect(side.peer.takeShort()).toEqual(['header 1 endHeaders', 'data 1 5 end'])
  })

  it('costs a small exchange three frames and no WINDOW_UPDATE', () => {
    const both = new Both({
      onRequest: ({ response }) => {
        response.head(OK, false)
        response.end(Buffer.from('hello'))
      },
    })
    const response = both.open()
    both.settle()
    expect(response.text).toBe('hello')
    expect(both.pair.router.binary).toHaveLength(1)
    expect(both.pair.connector.binary).toHaveLength(2)
  })

  it('ends a response without a body by an empty DATA frame, as cranker-connector (Java) does', () => {
    const side = new ConnectorSide()
    side.request().response.head({ status: 204, reason: 'No Content', headers: [] }, true)
    expect(side.peer.takeShort()).toEqual(['header 1 endHeaders', 'data 1 0 end'])
  })

  it('carries both bodies and tells each handler once', () => {
    const both = new Both()
    const response = both.open(POST, false)
    response.exchange?.write(Buffer.from('ping '))
    both.settle()
    const request = both.requests[0]
    expect(request?.head).toMatchObject({ method: 'POST', target: '/a', headers: ['host', 'example.org'] })
    expect(request?.bodyless).toBe(false)
    response.exchange?.end(Buffer.from('pong'))
    both.settle()
    expect([request?.text, request?.ends]).toEqual(['ping pong', 1])
    request?.response.head(OK, false)
    request?.response.write(Buffer.from('answer'))
    both.settle()
    expect([response.head?.status, response.headEnded, response.text, response.ends]).toEqual([200, false, 'answer', 0])
    request?.response.end()
    both.settle()
    expect([response.ends, response.errors, both.router.load, both.connector.load]).toEqual([1, [], 0, 0])
    expect([both.router.bytesIn, both.router.bytesOut]).toEqual([6, 9])
    expect([both.connector.bytesIn, both.connector.bytesOut]).toEqual([9, 6])
  })

  it('calls onEnd of a bodyless request after onRequest returned', () => {
    const seen: number[] = []
    const side = new ConnectorSide({ onRequest: (request) => seen.push(request.ends) })
    const request = side.request()
    expect([seen, request.ends, request.bodyless]).toEqual([[0], 1, true])
  })

  it('accepts a response head that ends the stream', () => {
    const side = new RouterSide()
    const response = side.open()
    side.settle()
    side.peer.send(header(1, 5, 'HTTP/1.1 204 No Content\n'))
    expect([response.head?.status, response.headEnded, response.ends]).toEqual([204, true, 1])
  })

  it('tells the connector to stop when the response ends before the request', () => {
    const side = new RouterSide()
    const response = side.open(POST, false)
    side.settle()
    side.peer.take()
    side.peer.send(header(1, 4, 'HTTP/1.1 413 Too Large\n'), data(1, '', true))
    expect(side.peer.takeShort()).toEqual(['rst 1 1'])
    expect([response.ends, side.session.load]).toEqual([1, 0])
    expect(response.exchange?.write(Buffer.from('more'))).toBe(false)
    expect(side.peer.takeShort()).toEqual([])
  })

  it('drops what still comes of a request whose response has ended', () => {
    const side = new ConnectorSide()
    const request = side.request(1, false)
    request.response.head({ status: 413, reason: '', headers: [] }, true)
    side.peer.take()
    side.peer.send(data(1, Buffer.alloc(30_000)), data(1, '', true))
    expect([request.bytes, request.ends, request.errors, side.session.load]).toEqual([0, 0, [], 0])
    expect(side.peer.takeShort()).toEqual([])
  })

  it('makes every call after the end a no-op', () => {
    const both = new Both()
    const response = both.open()
    both.settle()
    const request = both.requests[0]
    request?.response.head(OK, true)
    both.settle()
    const frames = both.pair.connector.binary.length + both.pair.router.binary.length
    for (const exchange of [request?.response, response.exchange]) {
      expect(exchange?.write(Buffer.from('x'))).toBe(false)
      exchange?.end(Buffer.from('x'))
      exchange?.consumed(5)
      exchange?.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'gone'))
    }
    request?.response.head(OK, true)
    request?.response.info(OK)
    both.settle()
    expect(both.pair.connector.binary.length + both.pair.router.binary.length).toBe(frames)
    expect([response.ends, response.errors, request?.errors]).toEqual([1, [], []])
  })

  it('resets in both directions without a further call to the handler that did it', () => {
    const both = new Both()
    const response = both.open(POST, false)
    both.settle()
    response.exchange?.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'The client left 10.1.2.3'))
    both.settle()
    const request = both.requests[0]
    expect(request?.codes).toEqual(['CRANKER_ERR_PEER_RESET'])
    expect(request?.errors[0]?.message).not.toContain('10.1.2.3')
    expect([response.errors, response.ends, both.router.load, both.connector.load]).toEqual([[], 0, 0, 0])
  })

  it('never bothers the peer with a request that is reset in the turn in which it was opened', () => {
    const side = new RouterSide()
    side.open().exchange?.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'gone'))
    expect(side.peer.takeShort()).toEqual([])
    expect(side.session.load).toBe(0)
  })

  it('sends RST code 1011 from the connector, and code 1 from the router', () => {
    const connector = new ConnectorSide()
    connector
      .request()
      .response.reset(new CrankerError('CRANKER_ERR_TARGET_FAILED', 'connect ECONNREFUSED 10.0.0.1:80'))
    const frame = connector.peer.take()[0]
    expect(frame).toEqual({ kind: 'rst', id: 1, code: 1011, text: 'CRANKER_ERR_TARGET_FAILED' })
    const router = new RouterSide()
    const response = router.open()
    router.settle()
    router.peer.take()
    response.exchange?.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'gone'))
    expect(router.peer.takeShort()).toEqual(['rst 1 1'])
  })

  it('says whether the request may have been delivered when the peer resets it', () => {
    const before = new RouterSide()
    const first = before.open()
    before.settle()
    before.peer.send(Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 1, 0, 0, 3, 243]), Buffer.from('target failed')]))
    expect(first.errors[0]).toMatchObject({ code: 'CRANKER_ERR_PEER_RESET', delivered: 'maybe', initiator: 'peer' })
    const after = new RouterSide()
    const second = after.open()
    after.settle()
    after.peer.send(header(1, 4, 'HTTP/1.1 200 OK\n'), Buffer.from([3, 0, 0, 0, 0, 1]))
    expect(second.errors[0]).toMatchObject({ code: 'CRANKER_ERR_PEER_RESET', delivered: 'yes' })
  })

  it('survives a handler that throws: only its own exchange ends', () => {
    const side = new RouterSide()
    const bad = side.open()
    const good = side.open()
    side.settle()
    side.peer.take()
    bad.onData = () => {
      throw new Error('oops')
    }
    side.peer.send(
      header(1, 4, 'HTTP/1.1 200 OK\n'),
      data(1, 'x'),
      header(2, 4, 'HTTP/1.1 200 OK\n'),
      data(2, 'y', true),
    )
    expect([bad.codes, good.text, good.ends]).toEqual([['CRANKER_ERR_INTERNAL'], 'y', 1])
    expect(side.peer.takeShort()).toEqual(['rst 1 1'])
  })

  it('ends an exchange whose own side writes a body before its head', () => {
    const side = new ConnectorSide()
    const request = side.request()
    request.response.write(Buffer.from('x'))
    expect(request.codes).toEqual(['CRANKER_ERR_INTERNAL'])
    expect(side.peer.takeShort()).toEqual(['rst 1 1011'])
  })

  it('percent-encodes targets for peers that do not take them raw', () => {
    const strict = new Both()
    strict.open({ ...GET, target: '/a?x={1}|[2]' })
    strict.settle()
    expect(strict.requests[0]?.head.target).toBe('/a?x=%7B1%7D%7C[2]')
    const own = new Both({ capabilities: capabilities('rawTarget') })
    own.open({ ...GET, target: '/a?x={1}|[2]' })
    own.settle()
    expect(own.requests[0]?.head.target).toBe('/a?x={1}|[2]')
  })

  it('asks a writer to wait above 64 KiB and calls it back when there is room', () => {
    const side = new ConnectorSide()
    const request = side.request()
    request.response.head(OK, false)
    expect(request.response.write(Buffer.alloc(60_000))).toBe(true)
    expect(request.response.write(Buffer.alloc(60_000))).toBe(true)
    expect(request.response.write(Buffer.alloc(60_000))).toBe(false)
    side.settle()
    // 64 KiB and a frame have gone; the peer has acknowledged nothing.
    expect(request.drains).toBe(0)
    side.peer.send(Buffer.from([8, 0, 0, 0, 0, 1, 0, 2, 0, 0]))
    expect(request.drains).toBe(1)
  })
})
