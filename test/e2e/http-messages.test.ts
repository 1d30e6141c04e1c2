import { afterEach, describe, expect, it } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import {
  type HttpSide,
  type HttpSideOptions,
  type ScriptedExchange,
  startHttpSide,
} from '../support/scripted-session.js'

let side: HttpSide
const start = async (options?: HttpSideOptions): Promise<RawClient> => {
  side = await startHttpSide(options)
  return RawClient.connect(side.port)
}
afterEach(() => side.close())

const answerOk = (exchange: ScriptedExchange): void => exchange.answer('ok')

describe('requests', () => {
  it('go on with method, target, fields in order and case, and who the client is', async () => {
    const client = await start()
    client.write(
      'GET /a/b?c=%7Bd%7D|e HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-One: 1\r\nx-two:  2 \r\nX-One: \xe9\r\n\r\n',
    )
    const exchange = await side.exchange()
    expect(exchange.bodyless).toBe(true)
    expect(exchange.head).toEqual({
      method: 'GET',
      target: '/a/b?c=%7Bd%7D|e',
      headers: [
        ...['Host', 'Shop.Example:8080', 'X-One', '1', 'x-two', '2', 'X-One', '\xe9'],
        ...['Via', '1.1 cranker', 'Forwarded', 'for=127.0.0.1;host="Shop.Example:8080";proto=http'],
      ],
    })
    expect(side.source.asked).toEqual([{ host: 'shop.example', path: '/a/b' }])
    exchange.answer('hello', 200, ['X-A', 'b', 'set-cookie', 'a=1', 'Set-Cookie', 'b=2'])
    const response = await client.response()
    expect(response.text).toBe('hello')
    expect(response.headers.slice(0, 6)).toEqual(['X-A', 'b', 'set-cookie', 'a=1', 'Set-Cookie', 'b=2'])
  })

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'QUERY'])(
    'pass as %s',
    async (method) => {
      const client = await start()
      client.write(`${method} /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc`)
      if (method === 'QUERY' && !(await knows(method))) {
        expect((await client.response()).status).toBe(400)
        return
      }
      const exchange = await side.exchange()
      await exchange.until(() => exchange.ended)
      expect([exchange.head.method, exchange.body, exchange.field('content-length')]).toEqual([method, 'abc', '3'])
      exchange.answer('ok')
      expect((await client.response(method)).status).toBe(200)
    },
  )

  it('have several cookie fields joined to one', async () => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nX: y\r\ncookie: b=2\r\n\r\n')
    expect((await side.exchange()).head.headers.slice(0, 6)).toEqual(['Host', 'a', 'Cookie', 'a=1; b=2', 'X', 'y'])
  })

  it('do not pass on fields about the connection, nor what Connection names, but never lose what routing needs', async () => {
    const client = await start()
    client.write(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine, Host, Cookie\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nCookie: c=1\r\n' +
        'Proxy-Authorization: x\r\nUpgrade: h2c\r\n\r\n',
    )
    const { head } = await side.exchange()
    expect(head.headers.slice(0, -4)).toEqual(['Host', 'a', 'Cookie', 'c=1'])
  })

  it('in absolute-form go on in origin-form', async () => {
    const client = await start()
    client.write('GET http://Shop.example/x?y HTTP/1.1\r\nHost: shop.example\r\n\r\n')
    expect((await side.exchange()).head.target).toBe('/x?y')
    expect(side.source.asked).toEqual([{ host: 'shop.example', path: '/x' }])
  })

  it('in absolute-form say the host that an HTTP/1.0 client left out', async () => {
    const client = await start()
    client.write('GET http://shop.example/x HTTP/1.0\r\n\r\n')
    expect((await side.exchange()).field('host')).toBe('shop.example')
  })

  it('OPTIONS * asks for the catch-all', async () => {
    const client = await start({ play: answerOk })
    client.write('OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await client.response()).status).toBe(200)
    expect(side.source.asked).toEqual([{ host: 'a', path: '*' }])
  })

  it('keep an escaped slash, and other raw bytes of the path', async () => {
    const client = await start()
    client.write('GET /@scope%2fpkg/%E2%82%AC;v=1/a//b HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await side.exchange()).head.target).toBe('/@scope%2fpkg/%E2%82%AC;v=1/a//b')
  })

  it('with Upgrade: h2c are ordinary requests, with their body, keep-alive and what is pipelined behind them', async () => {
    const seen: string[] = []
    const client = await start({
      play: (exchange) => {
        void exchange
          .until(() => exchange.bodyless || exchange.ended)
          .then(() => {
            seen.push(
              `${exchange.head.method} ${exchange.head.target} ${exchange.body} ${exchange.field('upgrade') ?? '-'}`,
            )
            exchange.answer(exchange.head.target)
          })
      },
    })
    const upgrade = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
    client.write(
      `GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n` +
        `POST /3 HTTP/1.1\r\nHost: a\r\n${upgrade}Content-Length: 3\r\n\r\nabcGET /4 HTTP/1.1\r\nHost: a\r\n\r\n`,
    )
    for (const path of ['/1', '/2', '/3', '/4']) expect((await client.response()).text).toBe(path)
    client.write(`GET /5 HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`)
    expect((await client.response()).text).toBe('/5')
    expect(seen).toEqual(['GET /1  -', 'GET /2  -', 'POST /3 abc -', 'GET /4  -', 'GET /5  -'])
  })

  it('for a WebSocket are answered 501 where those are switched off, in their turn, and the connection goes on', async () => {
    const client = await start({ play: answerOk, webSockets: false })
    client.write(
      'GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n' +
        'GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    )
    expect((await client.response()).status).toBe(200)
    expect((await client.response()).status).toBe(501)
    expect((await client.response()).status).toBe(200)
    expect(await client.closed()).toBe('fin')
  })
})

describe('responses', () => {
  it('without content-length are chunked for HTTP/1.1, and the connection goes on', async () => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200).data('one').data('two').finish()
    const response = await client.response()
    expect([response.text, response.field('transfer-encoding')]).toEqual(['onetwo', 'chunked'])
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).answer('again')
    expect((await client.response()).text).toBe('again')
  })

  it('without content-length end with the connection for HTTP/1.0, whatever its TE says', async () => {
    const client = await start()
    client.write('GET / HTTP/1.0\r\nHost: a\r\nTE: chunked\r\nConnection: keep-alive\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200).data('one').data('two').finish()
    const response = await client.response()
    expect([response.text, response.field('transfer-encoding')]).toEqual(['onetwo', undefined])
    expect(client.ending).toBe('fin')
  })

  it('keep an HTTP/1.0 connection only on request', async () => {
    const client = await start({ play: answerOk })
    client.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    expect((await client.response()).field('connection')).toBe('keep-alive')
    client.write('GET / HTTP/1.0\r\n\r\n')
    await client.response()
    expect(await client.closed()).toBe('fin')
  })

  it.each([204, 304])('%d have no body and no chunked framing, even if one is sent', async (status) => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(status, ['Content-Length', '5', 'ETag', '"x"']).data('wrong').finish()
    const response = await client.response()
    expect(response.field('transfer-encoding')).toBeUndefined()
    // RFC 9110 §8.6: not on 204; on 304 it says how long the 200 would be.
    expect(response.field('content-length')).toBe(status === 204 ? undefined : '5')
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).answer('next')
    expect((await client.response()).text).toBe('next')
  })

  it('205 say that nothing follows', async () => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(205, ['Content-Length', '5']).data('wrong').finish()
    expect((await client.response()).fields('content-length')).toEqual(['0'])
  })

  it('to HEAD keep their content-length and have no body', async () => {
    const client = await start()
    client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).respond(200, ['Content-Length', '1000']).finish()
    expect((await client.response('HEAD')).field('content-length')).toBe('1000')
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).answer('next')
    expect((await client.response()).text).toBe('next')
  })

  it('whose head is all there is say content-length 0', async () => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.handler.onHead({ status: 200, reason: 'Fine', headers: [] }, true)
    exchange.finish()
    const response = await client.response()
    expect([response.reason, response.field('content-length'), response.text]).toEqual(['Fine', '0', ''])
  })

  it("keep the service's date, and get one if there is none", async () => {
    const client = await start()
    for (const headers of [['Date', 'Tue, 15 Nov 1994 08:12:31 GMT'], []]) {
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      ;(await side.exchange()).answer('x', 200, headers)
      const dates = (await client.response()).fields('date')
      expect(dates).toHaveLength(1)
      if (headers[1] !== undefined) expect(dates).toEqual([headers[1]])
    }
  })

  it('do not pass on fields about the connection, nor server', async () => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).answer('x', 200, [
      'Server',
      'inside/1',
      'Connection',
      'X-Mine',
      'X-Mine',
      '1',
      'Keep-Alive',
      '3',
      'X-Yours',
      '2',
    ])
    const { headers } = await client.response()
    expect(headers.filter((_, i) => i % 2 === 0)).toEqual([
      'X-Yours',
      'content-length',
      'Date',
      'Connection',
      'Keep-Alive',
    ])
  })

  it('may be preceded by 103, for HTTP/1.1 only', async () => {
    const client = await start({
      play: (exchange) => {
        exchange.handler.onInfo({
          status: 103,
          reason: 'Early Hints',
          headers: ['Link', '</a.css>', 'X-Bad', 'a\r\nb'],
        })
        exchange.answer('x')
      },
    })
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await client.head()).toMatchObject({ status: 103, reason: 'Early Hints', headers: ['Link', '</a.css>'] })
    expect((await client.response()).text).toBe('x')
    client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    expect((await client.head()).status).toBe(200)
  })

  it('reach the client event by event', async () => {
    const client = await start()
    client.write('GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200, ['Content-Type', 'text/event-stream'])
    expect((await client.head()).status).toBe(200)
    exchange.data('data: 1\n\n')
    await client.until('data: 1\n\n')
    exchange.data('data: 2\n\n')
    await client.until('data: 2\n\n')
  })

  it('that come whole in one turn leave in one packet', async () => {
    const client = await start()
    const packets: string[] = []
    client.socket.on('data', (packet) => packets.push(packet.toString('latin1')))
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).answer('hello')
    await client.response()
    expect(packets).toHaveLength(1)
  })
})

/** Whether this version of node's parser knows the method at all. */
async function knows(method: string): Promise<boolean> {
  return (await import('node:http')).METHODS.includes(method)
}
