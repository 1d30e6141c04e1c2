/** Upgrades on 1.0 (docs/protocol.md §9.7), both sides by hand. */
import { describe, expect, it } from 'vitest'
import { bothSides, connectorSide, ResponseLog, routerSide, texts } from './setup.js'
import type { FakeLink } from '../../support/fake-link.js'

const binary = (link: FakeLink): Buffer[] => link.sent.flatMap((sent) => (sent.kind === 'binary' ? [sent.data] : []))

const ASKS = { method: 'GET', target: '/ws', headers: ['connection', 'Upgrade', 'upgrade', 'websocket'] }
const GRANTED = 'HTTP/1.1 101 Switching Protocols\nconnection:Upgrade\nupgrade:websocket\n'
const capabilities = { upgrade: true }

function asked(options: { readonly upgrade?: boolean } = {}) {
  const side = routerSide({ capabilities: { upgrade: options.upgrade ?? true } })
  const log = new ResponseLog()
  const exchange = side.session.open(ASKS, false, log)
  side.settle()
  const say = (text: string): void => {
    side.peer.sendText(text)
    side.settle()
  }
  return { ...side, log, exchange, say }
}

describe('a 1.0 router session with an upgrade', () => {
  it('keeps the fields, and does not say that the request has no body', () => {
    expect(texts(asked().link)).toEqual(['GET /ws HTTP/1.1\nconnection:Upgrade\nupgrade:websocket\n\n_1'])
  })

  it('carries bytes of at most 16,384 a message, until each side has ended with _3 and the connector closes', () => {
    const { session, link, peer, log, exchange, say, settle, events } = asked()
    say(GRANTED)
    exchange.write(Buffer.alloc(40_000))
    settle()
    expect(binary(link).map((message) => message.length)).toEqual([16_384, 16_384, 7_232])
    peer.sendBinary(Buffer.from('bytes'))
    say('_3')
    expect(log.calls).toEqual(['head', 'data', 'end'])
    expect(session.load).toBe(1)
    exchange.end(Buffer.from('last'))
    settle()
    expect([binary(link).at(-1)?.toString(), texts(link).at(-1)]).toEqual(['last', '_3'])
    peer.close(1000, '')
    settle()
    expect(log.calls).toEqual(['head', 'data', 'end'])
    expect(events.ends).toMatchObject([{ code: 1000, clean: true }])
  })

  it.each([1000, 1005])(
    'whose connector closes with %i has ended on both sides: the client is told of either',
    (code) => {
      const { log, say, peer, settle } = asked()
      say(GRANTED)
      peer.close(code, '')
      settle()
      expect(log.calls).toEqual(['head', 'end', 'error CRANKER_ERR_PEER_RESET'])
    },
  )

  it.each([1011, 1001])('whose connector closes with %i is cut', (code) => {
    const { log, say, peer, settle } = asked()
    say(GRANTED)
    peer.close(code, '')
    settle()
    expect(log.calls.slice(0, 1)).toEqual(['head'])
    expect(log.calls[1]).toMatch(/^error/)
  })

  it('takes no bytes and no second end after _3', () => {
    for (const after of ['_3', 'HTTP/1.1 200 OK\n']) {
      const { log, say } = asked()
      say(GRANTED)
      say('_3')
      say(after)
      expect(log.calls).toEqual(['head', 'end', 'error CRANKER_ERR_PROTOCOL'])
    }
    const { log, say, peer, settle } = asked()
    say(GRANTED)
    say('_3')
    peer.sendBinary(Buffer.from('late'))
    settle()
    expect(log.calls).toEqual(['head', 'end', 'error CRANKER_ERR_PROTOCOL'])
  })

  it('refuses a 101 that was not asked for, or without the extension', () => {
    const without = asked({ upgrade: false })
    without.say(GRANTED)
    expect(without.log.calls).toEqual(['error CRANKER_ERR_BAD_RESPONSE'])
    const side = routerSide({ capabilities })
    const log = new ResponseLog()
    side.session.open({ method: 'GET', target: '/', headers: [] }, true, log)
    side.peer.sendText(GRANTED)
    side.settle()
    expect(log.calls).toEqual(['error CRANKER_ERR_BAD_RESPONSE'])
  })

  it('is an ordinary exchange when it is declined', () => {
    const { log, say, peer, settle } = asked()
    say('HTTP/1.1 403 Forbidden\n')
    peer.sendBinary(Buffer.from('no'))
    peer.close(1000, '')
    settle()
    expect(log.calls).toEqual(['head', 'data', 'end'])
  })
})

describe('a 1.0 connector session with an upgrade', () => {
  it('says so only where the extension is agreed', () => {
    for (const upgrade of [true, false]) {
      const side = connectorSide({ capabilities: { upgrade } })
      side.peer.sendText('GET /ws HTTP/1.1\nconnection:Upgrade\nupgrade:websocket\n\n_1')
      side.settle()
      expect([side.service.exchange.upgrade, side.service.requestEnd]).toEqual([upgrade, false])
    }
  })

  it('closes with 1000 only when both sides have ended, whichever is first', () => {
    for (const first of ['client', 'service']) {
      const both = bothSides({ capabilities })
      const log = new ResponseLog()
      const up = both.router.open(ASKS, false, log)
      both.settle()
      const { exchange, body } = both.service
      exchange.head({ status: 101, reason: 'S', headers: ASKS.headers }, false)
      both.settle()
      up.write(Buffer.from('up'))
      exchange.write(Buffer.from('down'))
      if (first === 'client') up.end()
      else exchange.end()
      both.settle()
      expect([both.router.load, both.connector.load]).toEqual([1, 1])
      if (first === 'client') {
        exchange.write(Buffer.from(' more'))
        exchange.end()
      } else {
        up.write(Buffer.from(' more'))
        up.end()
      }
      both.settle()
      expect([body.body.toString(), log.body.toString()]).toEqual(
        first === 'client' ? ['up', 'down more'] : ['up more', 'down'],
      )
      expect([body.terminalCalls, log.terminalCalls]).toEqual([1, 1])
      expect([both.router.load, both.connector.load]).toEqual([0, 0])
    }
  })
})
