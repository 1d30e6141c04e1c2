/** Upgrades on 3.0 (docs/protocol.md §9.7), both sides by hand. */
import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { Both, capabilities, ConnectorSide, data, header, RouterSide, rst } from './harness.js'

const FIELDS = ['connection', 'Upgrade', 'upgrade', 'websocket']
const ASKS = { method: 'GET', target: '/ws', headers: FIELDS }
const SWITCHES = { status: 101, reason: 'Switching Protocols', headers: FIELDS }
const GRANTED = 'HTTP/1.1 101 Switching Protocols\nconnection:Upgrade\nupgrade:websocket\n'
const able = { capabilities: capabilities('upgrade') }

describe('a 3.0 upgrade', () => {
  it('is asked for with a head that does not end the stream, and nothing behind it', () => {
    const side = new RouterSide(able)
    side.open(ASKS, false)
    expect(side.peer.takeShort()).toEqual(['header 1 endHeaders'])
  })

  it('is announced as one only where the extension is agreed, and the head does not end the stream', () => {
    const text = 'GET /ws HTTP/1.1\nconnection:Upgrade\nupgrade:websocket\n'
    expect(new ConnectorSide(able).request(1, false, text).response.upgrade).toBe(true)
    expect(new ConnectorSide(able).request(1, true, text).response.upgrade).toBe(false)
    expect(new ConnectorSide().request(1, false, text).response.upgrade).toBe(false)
    expect(new ConnectorSide(able).request(1, false).response.upgrade).toBe(false)
  })

  it.each(['client', 'service'])('ends when both sides have; the %s first, the other speaks on', (first) => {
    const both = new Both(able)
    const response = both.open(ASKS, false)
    both.settle()
    const request = both.requests[0]
    request?.response.head(SWITCHES, false)
    both.settle()
    expect([response.head?.status, response.headEnded]).toEqual([101, false])
    const client = response.exchange
    const service = request?.response
    const [one, other] = first === 'client' ? [client, service] : [service, client]
    const [atOther, atOne] = first === 'client' ? [request, response] : [response, request]
    one?.end(Buffer.from('all'))
    both.settle()
    expect([atOther?.text, atOther?.ends, both.router.load, both.connector.load]).toEqual(['all', 1, 1, 1])
    other?.write(Buffer.from('and '))
    other?.end(Buffer.from('more'))
    both.settle()
    expect([atOne?.text, atOne?.ends]).toEqual(['and more', 1])
    expect([both.router.load, both.connector.load]).toEqual([0, 0])
    expect([response.errors, request?.errors]).toEqual([[], []])
  })

  it('stays until what both have said is sent, and then no frame follows', () => {
    const both = new Both(able)
    const response = both.open(ASKS, false)
    both.settle()
    const request = both.requests[0]
    if (request === undefined) throw new Error('no request')
    request.response.head(SWITCHES, false)
    // More than the peer has given credit for.
    request.consumes = response.consumes = false
    both.settle()
    response.exchange?.write(Buffer.alloc(100_000))
    response.exchange?.end()
    request.response.end()
    both.settle()
    expect([response.ends, request.ends, both.router.load]).toEqual([1, 0, 1])
    request.exchange?.consumed(request.bytes)
    both.settle()
    expect([request.bytes, request.ends, both.router.load, both.connector.load]).toEqual([100_000, 1, 0, 0])
  })

  it('is aborted by either side with RST_STREAM, also after one has ended', () => {
    const both = new Both(able)
    const response = both.open(ASKS, false)
    both.settle()
    const request = both.requests[0]
    request?.response.head(SWITCHES, false)
    request?.response.end()
    both.settle()
    response.exchange?.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'gone'))
    both.settle()
    expect([request?.codes, both.router.load, both.connector.load]).toEqual([['CRANKER_ERR_PEER_RESET'], 0, 0])

    const side = new RouterSide(able)
    const other = side.open(ASKS, false)
    side.peer.send(header(1, 4, GRANTED), data(1, 'x', true), rst(1, 1011, 'lost'))
    expect([other.text, other.ends, other.codes]).toEqual(['x', 1, ['CRANKER_ERR_PEER_RESET']])
  })

  it('is refused as an invalid response where it was not asked for', () => {
    for (const head of [
      { ...ASKS, headers: ['upgrade', 'websocket'] },
      { ...ASKS, headers: ['connection', 'upgrade'] },
    ]) {
      const side = new RouterSide(able)
      const response = side.open(head, false)
      side.peer.send(header(1, 4, GRANTED))
      expect(response.codes).toEqual(['CRANKER_ERR_BAD_RESPONSE'])
    }
    const bodyless = new RouterSide(able)
    const response = bodyless.open(ASKS, true)
    bodyless.peer.send(header(1, 4, GRANTED))
    expect(response.codes).toEqual(['CRANKER_ERR_BAD_RESPONSE'])
  })

  it('that is declined is an ordinary exchange; the request body that never came is reset', () => {
    const side = new RouterSide(able)
    const response = side.open(ASKS, false)
    side.peer.takeShort()
    side.peer.send(header(1, 4, 'HTTP/1.1 403 Forbidden\n'), data(1, 'no', true))
    expect([response.head?.status, response.text, response.ends, response.errors]).toEqual([403, 'no', 1, []])
    expect([side.peer.takeShort(), side.session.load]).toEqual([['rst 1 1'], 0])
  })
})
