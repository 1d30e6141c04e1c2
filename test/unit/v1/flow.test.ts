import { describe, expect, it, vi } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { V1_RECEIVE_WINDOW_BYTES, V1_SEND_QUEUE_BYTES } from '../../../protocol/limits.js'
import { seeded } from '../../support/random.js'
import { bothSides, type BodyLog, connectorSide, GET, OK, POST, ResponseLog, routerSide } from './setup.js'

const CHUNK = Buffer.alloc(16_384)
const HEAD = 'HTTP/1.1 200 OK\n'

describe('backpressure on 1.0', () => {
  it('stops reading above the window, and reads on below half of it', () => {
    const side = routerSide()
    const response = new ResponseLog()
    const exchange = side.session.open(GET, true, response)
    side.peer.sendText(HEAD)
    for (let i = 0; i < 100; i++) side.peer.sendBinary(Buffer.from(CHUNK))
    side.settle()
    expect(side.link.paused).toBe(true)
    expect(response.body.length).toBe(V1_RECEIVE_WINDOW_BYTES + CHUNK.length)
    exchange.consumed(2 * CHUNK.length)
    expect(side.link.paused).toBe(true)
    exchange.consumed(CHUNK.length + 1)
    expect(side.link.paused).toBe(false)
    side.settle()
    expect(side.link.paused).toBe(true)
  })

  it('delivers everything to a consumer that keeps up', () => {
    const side = routerSide()
    const response = new ResponseLog()
    const exchange = side.session.open(GET, true, response)
    side.peer.sendText(HEAD)
    for (let i = 0; i < 100; i++) side.peer.sendBinary(Buffer.from(CHUNK))
    side.peer.close(1000, '')
    let taken = 0
    while (response.terminalCalls === 0) {
      side.settle()
      exchange.consumed(response.body.length - taken)
      taken = response.body.length
    }
    expect(response.body.length).toBe(100 * CHUNK.length)
    expect(response.calls.at(-1)).toBe('end')
  })
  it('reads on when the exchange is over, so that the Close frame is seen', () => {
    const side = connectorSide()
    side.peer.sendText('POST /x HTTP/1.1\n\n_1')
    for (let i = 0; i < 100; i++) side.peer.sendBinary(Buffer.from(CHUNK))
    side.settle()
    expect(side.link.paused).toBe(true)
    side.service.exchange.head({ status: 413, reason: '', headers: [] }, true)
    expect(side.link.paused).toBe(false)
    side.settle()
    expect(side.service.ends).toHaveLength(1)
  })

  it('says false above the send queue, and drains once when the socket has room', () => {
    const side = connectorSide()
    side.peer.sendText('GET /x HTTP/1.1\n\n_2')
    side.settle()
    const { exchange, body } = side.service
    side.link.hold()
    exchange.head(OK, false)
    let writes = 0
    while (exchange.write(Buffer.from(CHUNK))) writes++
    expect(writes).toBe(3)
    expect(side.link.queued).toBeGreaterThan(V1_SEND_QUEUE_BYTES)
    side.settle()
    expect(body.drained).toBe(0)
    side.link.release()
    side.settle()
    expect(body.drained).toBe(1)
    expect(exchange.write(Buffer.from(CHUNK))).toBe(true)
  })

  it('drains also when the queue was only that of this turn', () => {
    const side = connectorSide()
    side.peer.sendText('GET /x HTTP/1.1\n\n_2')
    side.settle()
    const { exchange, body } = side.service
    exchange.head(OK, false)
    expect(exchange.write(Buffer.alloc(V1_SEND_QUEUE_BYTES + 1))).toBe(false)
    side.settle()
    expect(body.drained).toBe(1)
  })

  it('drains also when the queue empties within the turn, which no link reports', () => {
    const side = connectorSide()
    vi.spyOn(side.session, 'onDrain').mockImplementation(() => {})
    side.peer.sendText('GET /x HTTP/1.1\n\n_2')
    side.settle()
    const { exchange, body } = side.service
    exchange.head(OK, false)
    side.link.hold()
    expect(exchange.write(Buffer.alloc(V1_SEND_QUEUE_BYTES + 1))).toBe(false)
    side.link.release()
    side.settle()
    expect(body.drained).toBe(1)
  })

  it('does not drain an exchange that is over', () => {
    const side = routerSide()
    const response = new ResponseLog()
    const exchange = side.session.open(POST, false, response)
    side.link.hold()
    exchange.write(Buffer.alloc(2 * V1_SEND_QUEUE_BYTES))
    exchange.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'the client went away'))
    side.link.release()
    side.settle()
    expect(response.calls).toEqual([])
  })
})

describe('liveness on 1.0', () => {
  const deadAfter = 20_000

  it('declares a silent idle peer dead', () => {
    const side = routerSide()
    side.peer.answerPings = false
    side.clock.advance(deadAfter)
    side.settle()
    expect(side.events.ends).toMatchObject([{ code: 1006, clean: false, error: { code: 'CRANKER_ERR_SOCKET_LOST' } }])
    expect(side.clock.pending).toBe(0)
  })

  it('takes any frame for life, also a ping', () => {
    const side = routerSide()
    side.peer.answerPings = false
    for (let i = 0; i < 20; i++) {
      side.clock.advance(deadAfter / 2)
      side.peer.ping()
      side.settle()
    }
    expect(side.events.ends).toEqual([])
  })

  it('measures the round trip', () => {
    const side = routerSide()
    expect(side.session.roundTrip).toBeUndefined()
    side.peer.answerPings = false
    side.clock.advance(5_000)
    side.settle()
    side.clock.advance(40)
    const pings = side.link.sent.flatMap((m) => (m.kind === 'ping' ? [m.data] : []))
    side.peer.pong(pings[0])
    side.settle()
    expect(side.session.roundTrip).toBe(40)
  })

  it('lets a peer be silent that waits for its target (rust-cranker-connector, crank4py, go-cranker-connector)', () => {
    const side = routerSide()
    side.peer.answerPings = false
    const response = new ResponseLog()
    side.session.open(GET, true, response)
    side.clock.advance(600_000)
    side.settle()
    expect(response.calls).toEqual([])
    side.peer.sendText(HEAD)
    side.settle()
    side.clock.advance(deadAfter + 5_000)
    expect(response.calls).toEqual(['head', 'error CRANKER_ERR_SOCKET_LOST'])
  })

  it('sends unsolicited pongs while it does not read (cranker-node-connector counts only pongs), and pings', () => {
    const side = routerSide()
    const response = new ResponseLog()
    side.session.open(GET, true, response)
    side.peer.sendText(HEAD)
    for (let i = 0; i < 10; i++) side.peer.sendBinary(Buffer.from(CHUNK))
    side.settle()
    const before = side.link.sent.length
    side.clock.advance(deadAfter * 5)
    const kinds = side.link.sent.slice(before).map((m) => m.kind)
    expect(kinds.filter((kind) => kind === 'pong')).toHaveLength(20)
    expect(kinds.filter((kind) => kind === 'ping')).toHaveLength(20)
    expect(response.terminalCalls).toBe(0)
  })

  it('notices death again after it has read on', () => {
    const side = routerSide()
    side.peer.answerPings = false
    const response = new ResponseLog()
    const exchange = side.session.open(GET, true, response)
    side.peer.sendText(HEAD)
    for (let i = 0; i < 5; i++) side.peer.sendBinary(Buffer.from(CHUNK))
    side.settle()
    side.clock.advance(deadAfter * 5)
    exchange.consumed(5 * CHUNK.length)
    side.settle()
    side.clock.advance(deadAfter + 5_000)
    expect(response.calls.at(-1)).toBe('error CRANKER_ERR_SOCKET_LOST')
  })

  it('lets a peer be silent that does not read what we send', () => {
    const side = connectorSide()
    side.peer.sendText('GET /x HTTP/1.1\n\n_2')
    side.settle()
    side.peer.answerPings = false
    const { exchange, body } = side.service
    side.link.hold()
    exchange.head(OK, false)
    exchange.write(Buffer.alloc(2 * V1_SEND_QUEUE_BYTES))
    side.settle()
    side.clock.advance(deadAfter * 5)
    expect(body.calls).toEqual(['end'])
    side.link.release()
    side.settle()
    side.clock.advance(deadAfter + 5_000)
    expect(body.calls.at(-1)).toBe('error CRANKER_ERR_SOCKET_LOST')
  })

  it('declares nobody dead because our own event loop stood still', () => {
    const side = routerSide()
    side.clock.advance(5_000)
    side.settle()
    side.clock.leap(120_000)
    side.settle()
    expect(side.events.ends).toEqual([])
  })
})

describe('a router and a connector on 1.0', () => {
  it('carry a request and its response', () => {
    const both = bothSides()
    const response = new ResponseLog()
    const exchange = both.router.open(POST, false, response)
    exchange.write(Buffer.from('ping '))
    exchange.end(Buffer.from('pong'))
    both.settle()
    expect(both.service.request).toEqual(POST)
    expect(both.service.body.body.toString()).toBe('ping pong')
    both.service.exchange.head({ status: 201, reason: 'Made', headers: ['x', '\xff'] }, false)
    both.service.exchange.end(Buffer.from('done'))
    both.settle()
    expect(response.head).toEqual({ status: 201, reason: 'Made', headers: ['x', '\xff'] })
    expect(response.body.toString()).toBe('done')
    expect(response.calls).toEqual(['head', 'data', 'end'])
    expect(both.routerEvents.ends).toMatchObject([{ code: 1000, clean: true }])
    expect(both.service.ends).toMatchObject([{ code: 1000, clean: true }])
    expect(both.clock.pending).toBe(0)
  })

  it('agree that a request which crosses the close of an idle socket was not delivered', () => {
    const both = bothSides({ capabilities: { refuse: true } })
    const response = new ResponseLog()
    both.connector.drain()
    both.router.open(GET, true, response)
    both.settle()
    expect(both.service.request).toBeUndefined()
    expect(response.error).toMatchObject({ code: 'CRANKER_ERR_REFUSED', delivered: 'no' })
  })

  it('carry bodies both ways at once, whatever the sizes and the pace', () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seeded(seed)
      const both = bothSides()
      const response = new ResponseLog()
      const request = both.router.open(POST, false, response)
      both.settle()
      const answer = both.service.exchange
      answer.head(OK, false)
      const sent = { up: [] as Buffer[], down: [] as Buffer[] }
      const taken = { up: 0, down: 0 }
      const ended = { up: false, down: false }
      const take = (way: 'up' | 'down', log: BodyLog, consume: (bytes: number) => void): void => {
        const bytes = random(2) === 0 ? log.body.length - taken[way] : random(log.body.length - taken[way] + 1)
        taken[way] += bytes
        consume(bytes)
      }
      for (let step = 0; step < 10_000 && !(response.terminalCalls > 0 && ended.up); step++) {
        switch (random(5)) {
          case 0:
          case 1: {
            const chunk = Buffer.alloc(random(40_000), random(256))
            const way = random(2) === 0 ? 'up' : 'down'
            if (ended[way]) break
            // The response ends last: its Close frame ends the exchange.
            ended[way] = sent[way].length > 20 && (way === 'up' || both.service.body.terminalCalls > 0)
            sent[way].push(chunk)
            const exchange = way === 'up' ? request : answer
            if (ended[way]) exchange.end(Buffer.from(chunk))
            else exchange.write(Buffer.from(chunk))
            break
          }
          case 2:
            take('up', both.service.body, (bytes) => answer.consumed(bytes))
            break
          case 3:
            take('down', response, (bytes) => request.consumed(bytes))
            break
          default:
            both.pair.deliver()
        }
      }
      expect(response.calls.at(-1), `seed ${seed}`).toBe('end')
      expect(response.body.equals(Buffer.concat(sent.down)), `seed ${seed}`).toBe(true)
      expect(both.service.body.body.equals(Buffer.concat(sent.up)), `seed ${seed}`).toBe(true)
      expect(response.terminalCalls).toBe(1)
      expect(both.service.body.terminalCalls).toBe(1)
    }
  })
})
