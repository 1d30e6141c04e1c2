import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../protocol/errors.js'
import { capabilities, ConnectorSide, data, header, POST, RouterSide, windowUpdate } from '../unit/v3/harness.js'

const HEAD = 'HTTP/1.1 200 OK\n'

describe('what a 3.0 peer could make grow', () => {
  it('refuses streams above the capacity', () => {
    const side = new ConnectorSide({ capabilities: capabilities('refuse'), config: { maxStreams: 2 } })
    for (const id of [1, 2, 3]) side.request(id)
    expect([side.requests.length, side.session.load]).toEqual([2, 2])
    expect(side.peer.take()).toEqual([{ kind: 'rst', id: 3, code: 7, text: 'full' }])
  })

  it('gives a router that knows no refusal four times as many, then ends them', () => {
    const side = new ConnectorSide({ config: { maxStreams: 2 } })
    for (let id = 1; id <= 9; id++) side.request(id)
    expect([side.requests.length, side.peer.takeShort()]).toEqual([8, ['rst 9 1011']])
  })

  it('ends the stream of a peer that ignores flow control', () => {
    const side = new ConnectorSide()
    const request = side.request(1, false)
    request.consumes = false
    for (let i = 0; i < 19; i++) side.peer.send(data(1, Buffer.alloc(60_000)))
    expect(request.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
    expect(request.bytes).toBeLessThanOrEqual(65_536 + 1024 * 1024)
    expect(side.peer.takeShort()).toEqual(['rst 1 1011'])
  })

  it('ends the stream of a peer that acknowledges absurdly much', () => {
    const side = new RouterSide()
    const response = side.open(POST, false)
    side.peer.take()
    side.peer.send(windowUpdate(1, 2 ** 31 - 1), windowUpdate(1, 2 ** 31 - 1))
    expect(response.codes).toEqual(['CRANKER_ERR_PROTOCOL'])
  })

  it('ends the stream of a head without end', () => {
    const side = new RouterSide({ config: { maxHeadBytes: 20_000 } })
    const response = side.open()
    side.peer.take()
    side.peer.send(header(1, 0, 'x'.repeat(16_000)), header(1, 0, 'x'.repeat(16_000)))
    expect(response.codes).toEqual(['CRANKER_ERR_HEAD_TOO_LARGE'])
    const connector = new ConnectorSide({ config: { maxHeadBytes: 20_000 } })
    connector.peer.send(header(1, 0, 'x'.repeat(16_000)), header(1, 0, 'x'.repeat(16_000)))
    expect([connector.peer.takeShort(), connector.session.load]).toEqual([['rst 1 1011'], 0])
  })

  it('ends the stream of endless interim responses', () => {
    const side = new RouterSide({ capabilities: capabilities('informational') })
    const response = side.open()
    side.settle()
    for (let i = 0; i < 17; i++) side.peer.send(header(1, 4, 'HTTP/1.1 103 Early Hints\n'))
    expect([response.infos.length, response.codes]).toEqual([16, ['CRANKER_ERR_PROTOCOL']])
  })

  it('closes the socket of a peer that provokes answers without reading them', () => {
    const side = new ConnectorSide({ capabilities: capabilities('refuse'), config: { maxStreams: 0 }, record: false })
    side.pair.connector.hold()
    side.pair.connector.sendBinary(Buffer.alloc(300_000))
    for (let id = 1; id <= 5_000; id++) side.peer.link.sendBinary(header(id, 5, 'GET / HTTP/1.1\n'))
    side.settle()
    expect(side.session.load).toBe(0)
    side.pair.connector.release()
    side.settle()
    expect(side.peer.closeCode).toBe(1002)
    expect(side.events.ended).toMatchObject([{ code: 1002, clean: false }])
  })

  it('throws at open when the socket is full, and nothing happens to what runs', () => {
    const side = new RouterSide({ config: { maxStreams: 1 } })
    const first = side.open()
    expect(() => side.open()).toThrow(CrankerError)
    side.settle()
    side.peer.send(header(1, 5, HEAD))
    expect([first.ends, side.session.load]).toEqual([1, 0])
    side.open()
  })
})
