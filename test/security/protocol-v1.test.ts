import { describe, expect, it } from 'vitest'
import { V1_RECEIVE_WINDOW_BYTES } from '../../protocol/limits.js'
import { closes, connectorSide, GET, ResponseLog, routerSide } from '../unit/v1/setup.js'

describe('attacks by connectors on 1.0 sockets', () => {
  it('a response sent in advance does not answer the next client', () => {
    const side = routerSide()
    side.peer.sendText('HTTP/1.1 200 OK\nset-cookie:session=evil\n')
    side.settle()
    expect(side.session.accepting).toBe(false)
    expect(() => side.session.open(GET, true, new ResponseLog())).toThrow(
      expect.objectContaining({ code: 'CRANKER_ERR_CLOSED' }) as Error,
    )
  })

  it('a second response head does not follow the first to the client', () => {
    const side = routerSide()
    const response = new ResponseLog()
    side.session.open(GET, true, response)
    side.peer.sendText('HTTP/1.1 200 OK\n')
    side.peer.sendText('HTTP/1.1 200 OK\nset-cookie:session=evil\n')
    side.settle()
    expect(response.calls).toEqual(['head', 'error CRANKER_ERR_PROTOCOL'])
    expect(response.head?.headers).toEqual([])
  })

  it('endless interim responses are stopped', () => {
    const side = routerSide({ capabilities: { informational: true } })
    const response = new ResponseLog()
    side.session.open(GET, true, response)
    for (let i = 0; i < 100; i++) side.peer.sendText('HTTP/1.1 103 Early Hints\n')
    side.settle()
    expect(response.interim).toHaveLength(16)
    expect(response.calls.at(-1)).toBe('error CRANKER_ERR_BAD_RESPONSE')
  })

  it('a body that nobody reads is not collected', () => {
    const side = routerSide()
    const response = new ResponseLog()
    side.session.open(GET, true, response)
    side.peer.sendText('HTTP/1.1 200 OK\n')
    for (let i = 0; i < 1_000; i++) side.peer.sendBinary(Buffer.alloc(16_384))
    side.settle()
    expect(response.body.length).toBeLessThanOrEqual(V1_RECEIVE_WINDOW_BYTES + 16_384)
  })

  it('a refusal cannot make the router repeat what was answered already', () => {
    const side = routerSide({ capabilities: { refuse: true } })
    const response = new ResponseLog()
    side.session.open(GET, true, response)
    side.peer.sendText('HTTP/1.1 200 OK\n')
    side.peer.close(1013, 'again')
    side.settle()
    expect(response.error).toMatchObject({ code: 'CRANKER_ERR_SOCKET_LOST', delivered: 'yes', retryable: false })
  })
})

describe('attacks by routers on 1.0 sockets', () => {
  it('a second request does not reach the service beside the first', () => {
    const side = connectorSide()
    side.peer.sendText('GET /a HTTP/1.1\n\n_2')
    side.peer.sendText('GET /b HTTP/1.1\n\n_2')
    side.settle()
    expect(side.service.request?.target).toBe('/a')
    expect(side.service.body.calls).toEqual(['end', 'error CRANKER_ERR_PROTOCOL'])
  })

  it('a body after a bodyless request does not reach the service', () => {
    const side = connectorSide()
    side.peer.sendText('GET /a HTTP/1.1\n\n_2')
    side.peer.sendBinary(Buffer.from('GET /admin HTTP/1.1\r\n\r\n'))
    side.settle()
    expect(side.service.body.chunks).toEqual([])
    expect(closes(side.link)[0]?.code).toBe(1002)
  })
})
