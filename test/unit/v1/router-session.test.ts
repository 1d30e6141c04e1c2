import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { V1_ABORT_TERMINATE_MS, V1_MAX_MESSAGE_BYTES } from '../../../protocol/limits.js'
import { closes, GET, POST, ResponseLog, routerSide, type RouterSide, texts } from './setup.js'

const HEAD = 'HTTP/1.1 200 OK\nx-a:1\n'
const clientGone = new CrankerError('CRANKER_ERR_CLIENT_GONE', 'the client went away')

function open(side: RouterSide, end = true): ResponseLog {
  const response = new ResponseLog()
  side.session.open(end ? GET : POST, end, response)
  side.settle()
  return response
}

describe('a request on 1.0', () => {
  it('without a body is one text: head, blank line, marker _2', () => {
    const side = routerSide()
    open(side)
    expect(texts(side.link)).toEqual(['GET /x HTTP/1.1\nhost:a\n\n_2'])
  })

  it('with a body is a text with marker _1, binary messages and the text _3', () => {
    const side = routerSide()
    const exchange = side.session.open(POST, false, new ResponseLog())
    expect(exchange.write(Buffer.from('hello '))).toBe(true)
    exchange.end(Buffer.from('world'))
    expect(
      side.link.sent.map((m) => (m.kind === 'text' ? m.text : m.kind === 'binary' ? m.data.toString() : m.kind)),
    ).toEqual(['POST /x HTTP/1.1\nhost:a\n\n_1', 'hello ', 'world', '_3'])
    expect(side.session.bytesOut).toBe(11)
  })

  it('may have an empty body: _1 is followed by _3', () => {
    const side = routerSide()
    side.session.open(POST, false, new ResponseLog()).end()
    expect(texts(side.link)).toEqual(['POST /x HTTP/1.1\nhost:a\n\n_1', '_3'])
    expect(side.link.binary).toEqual([])
  })

  it('has messages of at most 16,384 bytes (crank4go reads no more)', () => {
    const side = routerSide()
    const exchange = side.session.open(POST, false, new ResponseLog())
    const body = Buffer.alloc(50_000, 'x')
    exchange.end(body)
    expect(side.link.binary.map((m) => m.length)).toEqual([16_384, 16_384, 16_384, 848])
    expect(Buffer.concat(side.link.binary)).toEqual(body)
    expect(V1_MAX_MESSAGE_BYTES).toBe(16_384)
  })

  it('drops trailers', () => {
    const side = routerSide()
    const exchange = side.session.open(POST, false, new ResponseLog())
    exchange.end(undefined, ['x', '1'])
    expect(texts(side.link).at(-1)).toBe('_3')
  })

  it('has its target percent-encoded for peers that did not say that they take raw ones', () => {
    const strict = routerSide()
    strict.session.open({ ...GET, target: '/a|b?c[]={}' }, true, new ResponseLog())
    expect(texts(strict.link)[0]).toMatch(/^GET \/a%7Cb\?c\[\]=%7B%7D HTTP/)
    const raw = routerSide({ capabilities: { rawTarget: true } })
    raw.session.open({ ...GET, target: '/a|b?c[]={}' }, true, new ResponseLog())
    expect(texts(raw.link)[0]).toMatch(/^GET \/a\|b\?c\[\]=\{\} HTTP/)
  })

  it('that cannot be sent throws and leaves the socket as it was', () => {
    const side = routerSide({ maxHeadBytes: 200 })
    const log = new ResponseLog()
    expect(() => side.session.open({ ...GET, headers: ['a', 'b\nc'] }, true, log)).toThrow(
      expect.objectContaining({ code: 'CRANKER_ERR_BAD_REQUEST', delivered: 'no' }) as Error,
    )
    expect(() => side.session.open({ ...GET, headers: ['a', 'x'.repeat(200)] }, true, log)).toThrow(
      expect.objectContaining({ code: 'CRANKER_ERR_HEAD_TOO_LARGE', delivered: 'no' }) as Error,
    )
    expect(side.session.accepting).toBe(true)
    expect(log.calls).toEqual([])
  })

  it('uses its socket up', () => {
    const side = routerSide()
    expect(side.session).toMatchObject({ accepting: true, load: 0, capacity: 1 })
    open(side)
    expect(side.session).toMatchObject({ accepting: false, load: 1 })
    expect(side.events.changes).toBe(1)
    expect(() => side.session.open(GET, true, new ResponseLog())).toThrow(
      expect.objectContaining({ code: 'CRANKER_ERR_CLOSED', delivered: 'no' }) as Error,
    )
  })
})

describe('a response on 1.0', () => {
  it('is a head, binary messages and a Close frame', () => {
    const side = routerSide()
    const response = open(side)
    side.peer.sendText(HEAD)
    side.peer.sendBinary(Buffer.from('a'))
    side.peer.sendBinary(Buffer.alloc(0))
    side.peer.sendBinary(Buffer.from('b'))
    side.peer.close(1000, '')
    side.settle()
    expect(response.head).toEqual({ status: 200, reason: 'OK', headers: ['x-a', '1'] })
    expect(response.calls).toEqual(['head', 'data', 'data', 'end'])
    expect(response.body.toString()).toBe('ab')
    expect(side.session.bytesIn).toBe(2)
    expect(side.events.ends).toMatchObject([{ code: 1000, clean: true, error: undefined }])
  })

  it('ends with the Close frame, not with the connection: a peer may never close TCP', () => {
    const side = routerSide()
    const response = open(side)
    side.peer.sendText(HEAD)
    side.peer.answerClose = false
    side.peer.close(1000, '')
    side.pair.deliver()
    expect(response.calls).toEqual(['head', 'end'])
  })

  it('ends well with a bare close (1005, npm-cranker-connector)', () => {
    const side = routerSide()
    const response = open(side)
    side.peer.sendText(HEAD)
    side.peer.close(1005, '')
    side.settle()
    expect(response.calls).toEqual(['head', 'end'])
  })

  it('may come before the request body has ended', () => {
    const side = routerSide()
    const response = open(side, false)
    side.peer.sendText('HTTP/1.1 413 Too large\n')
    side.peer.close(1000, '')
    side.settle()
    expect(response.calls).toEqual(['head', 'end'])
  })

  it.each([
    [1000, 'CRANKER_ERR_PEER_RESET', 'maybe'],
    [1005, 'CRANKER_ERR_PEER_RESET', 'maybe'],
    [1001, 'CRANKER_ERR_SOCKET_LOST', 'maybe'],
    [1008, 'CRANKER_ERR_PEER_REJECTED', 'maybe'],
    [1009, 'CRANKER_ERR_SOCKET_LOST', 'maybe'],
    [1011, 'CRANKER_ERR_PEER_RESET', 'maybe'],
    [1013, 'CRANKER_ERR_SOCKET_LOST', 'maybe'],
    [4000, 'CRANKER_ERR_SOCKET_LOST', 'maybe'],
  ])('that ends with %i before its head is an error: %s', (code, expected, delivered) => {
    const side = routerSide()
    const response = open(side)
    side.peer.close(code, 'why')
    side.settle()
    expect(response.calls).toEqual([`error ${expected}`])
    expect(response.error).toMatchObject({ delivered, initiator: 'peer' })
    expect(side.events.ends).toHaveLength(1)
  })

  it.each([
    [1001, 'CRANKER_ERR_SOCKET_LOST'],
    [1008, 'CRANKER_ERR_PEER_REJECTED'],
    [1011, 'CRANKER_ERR_PEER_RESET'],
    [1013, 'CRANKER_ERR_SOCKET_LOST'],
  ])('that ends with %i after its head is cut: %s', (code, expected) => {
    const side = routerSide({ capabilities: { refuse: true } })
    const response = open(side)
    side.peer.sendText(HEAD)
    side.peer.close(code, '')
    side.settle()
    expect(response.calls).toEqual(['head', `error ${expected}`])
    expect(response.error?.delivered).toBe('yes')
  })

  it.each([
    ['full', 'CRANKER_ERR_REFUSED'],
    ['target unreachable', 'CRANKER_ERR_TARGET_UNREACHABLE'],
  ])('that is a refusal (1013, with the extension) may be tried elsewhere: %s', (reason, code) => {
    const side = routerSide({ capabilities: { refuse: true } })
    const response = open(side)
    side.peer.close(1013, reason)
    side.settle()
    expect(response.calls).toEqual([`error ${code}`])
    expect(response.error).toMatchObject({ delivered: 'no', retryable: true })
    expect(response.error?.message).toContain(reason)
  })

  it('is lost with its connection', () => {
    const side = routerSide()
    const response = open(side)
    side.peer.sendText(HEAD)
    side.settle()
    side.peer.terminate()
    side.settle()
    expect(response.calls).toEqual(['head', 'error CRANKER_ERR_SOCKET_LOST'])
    expect(side.events.ends).toMatchObject([{ code: 1006, clean: false }])
  })

  it('may have interim responses before it, with the extension', () => {
    const side = routerSide({ capabilities: { informational: true } })
    const response = open(side)
    side.peer.sendText('HTTP/1.1 103 Early Hints\nlink:</a>\n')
    side.peer.sendText('HTTP/1.1 103 Early Hints\n')
    side.peer.sendText(HEAD)
    side.peer.close(1000, '')
    side.settle()
    expect(response.calls).toEqual(['info', 'info', 'head', 'end'])
    expect(response.interim[0]).toEqual({ status: 103, reason: 'Early Hints', headers: ['link', '</a>'] })
  })
})

describe('a connector that breaks 1.0', () => {
  const bad: [string, (side: RouterSide) => void, string[]][] = [
    ['sends a body before a head', (s) => s.peer.sendBinary(Buffer.from('x')), ['error CRANKER_ERR_PROTOCOL']],
    ['sends a malformed head', (s) => s.peer.sendText('nonsense'), ['error CRANKER_ERR_BAD_RESPONSE']],
    ['sends status 99', (s) => s.peer.sendText('HTTP/1.1 99 X\n'), ['error CRANKER_ERR_BAD_RESPONSE']],
    ['sends an interim head unasked', (s) => s.peer.sendText('HTTP/1.1 100 C\n'), ['error CRANKER_ERR_BAD_RESPONSE']],
    ['sends 101', (s) => s.peer.sendText('HTTP/1.1 101 S\n'), ['error CRANKER_ERR_BAD_RESPONSE']],
    [
      'sends a head above the limit',
      (s) => s.peer.sendText(`HTTP/1.1 200 OK\na:${'x'.repeat(70_000)}\n`),
      ['error CRANKER_ERR_BAD_RESPONSE'],
    ],
    [
      'sends two heads',
      (s) => {
        s.peer.sendText(HEAD)
        s.peer.sendText(HEAD)
      },
      ['head', 'error CRANKER_ERR_PROTOCOL'],
    ],
  ]

  it.each(bad)('and %s loses its exchange and its socket, nothing more', (_what, misbehave, calls) => {
    const side = routerSide()
    const response = open(side)
    misbehave(side)
    side.peer.sendBinary(Buffer.from('more'))
    side.settle()
    expect(response.calls).toEqual(calls)
    expect(closes(side.link)[0]?.code).toBe(1002)
    expect(side.events.ends).toMatchObject([{ clean: false }])
    expect(side.session.load).toBe(0)
  })
})

describe('the end of an exchange from the router', () => {
  it('closes with 1001 and cuts TCP soon after (crank4py and rust-cranker-connector cancel only then)', () => {
    const side = routerSide()
    const response = open(side)
    side.peer.answerClose = false
    const exchange = side.session
    exchange.reset(clientGone)
    side.settle()
    expect(closes(side.link)).toEqual([{ code: 1001, reason: 'Client gone' }])
    expect(side.events.ends).toEqual([])
    side.clock.advance(V1_ABORT_TERMINATE_MS)
    side.settle()
    expect(side.events.ends).toMatchObject([{ code: 1006 }])
    expect(response.calls).toEqual([])
    expect(side.clock.pending).toBe(0)
  })

  it('makes every later call a no-op', () => {
    const side = routerSide()
    const response = open(side, false)
    side.session.reset(clientGone)
    const sent = side.link.sent.length
    expect(side.session.write(Buffer.from('x'))).toBe(true)
    side.session.end(Buffer.from('x'))
    side.session.consumed(100)
    side.session.reset(clientGone)
    side.peer.sendText(HEAD)
    side.settle()
    expect(side.link.sent.length).toBe(sent)
    expect(response.calls).toEqual([])
  })
})

describe('the end of a 1.0 socket at the router', () => {
  it('drains at once when idle, with 1001 Going away', () => {
    const side = routerSide()
    side.session.drain()
    side.settle()
    expect(closes(side.link)).toEqual([{ code: 1001, reason: 'Going away' }])
    expect(side.session.accepting).toBe(false)
    expect(side.events.ends).toMatchObject([{ clean: true, error: undefined }])
  })

  it('drains when its exchange has ended', () => {
    const side = routerSide()
    const response = open(side)
    side.session.drain()
    side.settle()
    expect(closes(side.link)).toEqual([])
    side.peer.sendText(HEAD)
    side.peer.close(1000, '')
    side.settle()
    expect(response.calls).toEqual(['head', 'end'])
    expect(side.events.ends).toHaveLength(1)
  })

  it('closes with an error for what runs', () => {
    const side = routerSide()
    const response = open(side)
    side.session.close(1001, 'Stopping')
    side.settle()
    expect(response.calls).toEqual(['error CRANKER_ERR_SOCKET_LOST'])
    expect(closes(side.link)[0]?.code).toBe(1001)
    expect(side.events.ends).toHaveLength(1)
  })

  it('cuts with an error for what runs', () => {
    const side = routerSide()
    const response = open(side)
    side.session.terminate()
    side.settle()
    expect(response.calls).toEqual(['error CRANKER_ERR_SOCKET_LOST'])
    expect(side.events.ends).toMatchObject([{ code: 1006 }])
  })

  it('takes an idle close of the connector for clean, also the one that means refuse', () => {
    for (const code of [1000, 1001, 1005, 1013]) {
      const side = routerSide()
      side.peer.close(code, '')
      side.settle()
      expect(side.events.ends).toMatchObject([{ code, clean: true }])
      expect(side.session.accepting).toBe(false)
    }
  })

  it('leaves no timer', () => {
    const side = routerSide()
    open(side)
    side.peer.sendText(HEAD)
    side.peer.close(1000, '')
    side.settle()
    expect(side.clock.pending).toBe(0)
  })
})
