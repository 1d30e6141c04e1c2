/** WebSockets over HTTP/2 (RFC 8441): the service sees an upgrade as over HTTP/1.1. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { ClientHttp2Stream } from 'node:http2'
import { afterEach, describe, expect, it } from 'vitest'
import { Http2Client, head, response } from '../support/http2-client.js'
import {
  type HttpSide,
  type HttpSideOptions,
  type ScriptedExchange,
  startHttpSide,
} from '../support/scripted-session.js'

let side: HttpSide
let client: Http2Client
const start = async (options?: HttpSideOptions): Promise<void> => {
  side = await startHttpSide({ http2Cleartext: true, ...options })
  client = new Http2Client(side.port)
  await once(client.session, 'remoteSettings')
}
afterEach(() => side.close())

const ask = (fields: Record<string, string> = {}): ClientHttp2Stream =>
  client.open(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/chat?x', ...fields },
    false,
  )

const accept = (exchange: ScriptedExchange): string =>
  createHash('sha1')
    .update(`${exchange.field('sec-websocket-key') ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')

const grant = (exchange: ScriptedExchange, ...fields: readonly string[]): void => {
  exchange.handler.onHead(
    {
      status: 101,
      reason: '',
      headers: ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', accept(exchange), ...fields],
    },
    false,
  )
}

describe('an extended CONNECT', () => {
  it('is announced as possible, unless WebSockets are switched off', async () => {
    await start()
    expect(client.session.remoteSettings.enableConnectProtocol).toBe(true)
    await side.close()
    await start({ webSockets: false })
    expect(client.session.remoteSettings.enableConnectProtocol).toBe(false)
  })

  it('goes on as a GET with Upgrade, and its 101 comes back as 200', async () => {
    await start()
    const stream = ask({ 'sec-websocket-version': '13', 'sec-websocket-protocol': 'chat', 'sec-websocket-key': 'mine' })
    const exchange = await side.exchange()
    const { method, target, headers } = exchange.head
    expect([method, target, exchange.bodyless]).toEqual(['GET', '/chat?x', false])
    expect(exchange.field('sec-websocket-key')).toMatch(/^[A-Za-z0-9+/]{22}==$/)
    expect([exchange.field('upgrade'), exchange.field('connection')]).toEqual(['websocket', 'Upgrade'])
    expect(headers.slice(0, 6)).toEqual(['host', 'a', 'sec-websocket-version', '13', 'sec-websocket-protocol', 'chat'])
    grant(exchange, 'Sec-WebSocket-Protocol', 'chat')
    const answer = await head(stream)
    expect(answer).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'chat' })
    expect(Object.keys(answer).sort()).toEqual([':status', 'date', 'sec-websocket-protocol'])
    stream.close()
  })

  it('carries bytes both ways until each side has ended', async () => {
    await start()
    const stream = ask()
    const exchange = await side.exchange()
    // Early bytes wait for the 101.
    stream.write('early ')
    grant(exchange)
    exchange.data('from the service')
    await head(stream)
    const [first] = (await once(stream, 'data')) as [Buffer]
    expect(first.toString()).toBe('from the service')
    await exchange.until(() => exchange.body === 'early ')
    exchange.finish()
    await once(stream, 'end')
    stream.write('after the end')
    await exchange.until(() => exchange.body === 'early after the end')
    expect(exchange.ended).toBe(false)
    stream.end()
    await exchange.until(() => exchange.ended)
    expect(await side.entry()).toMatchObject({ status: 101, bytesIn: 19, bytesOut: 16, error: undefined })
    expect(side.proxy.running).toBe(0)
  })

  it('may be ended by the client first', async () => {
    await start()
    const stream = ask()
    const exchange = await side.exchange()
    grant(exchange)
    await head(stream)
    stream.end('bye')
    await exchange.until(() => exchange.ended)
    expect(exchange.body).toBe('bye')
    exchange.data('late').finish()
    const [last] = (await once(stream, 'data')) as [Buffer]
    expect(last.toString()).toBe('late')
    await once(stream, 'close')
    expect((await side.entry()).error).toBeUndefined()
  })

  it('that the client resets ends its exchange', async () => {
    await start()
    const stream = ask()
    const exchange = await side.exchange()
    grant(exchange)
    await head(stream)
    client.destroy()
    await exchange.until(() => exchange.resetError !== undefined)
    expect((await side.entry()).error).toBe('CRANKER_ERR_CLIENT_GONE')
  })

  it('that breaks behind the router is reset', async () => {
    await start()
    const stream = ask()
    const exchange = await side.exchange()
    grant(exchange)
    await head(stream)
    exchange.fail('CRANKER_ERR_SOCKET_LOST')
    await new Promise((resolve) => stream.once('close', resolve))
    expect(stream.rstCode).toBe(2)
  })

  it('may be answered with something else', async () => {
    await start()
    const stream = ask()
    ;(await side.exchange()).answer('no', 403)
    const { status, text } = await response(stream)
    expect([status, text]).toEqual([403, 'no'])
  })

  it.each([
    ['an ordinary success', (exchange: ScriptedExchange) => exchange.answer('page', 200)],
    [
      'a wrong Sec-WebSocket-Accept',
      (exchange: ScriptedExchange) =>
        exchange.respond(101, ['Upgrade', 'websocket', 'Connection', 'Upgrade', 'Sec-WebSocket-Accept', 'x']),
    ],
  ])('is not granted by %s', async (_name, play) => {
    await start()
    const stream = ask()
    play(await side.exchange())
    expect((await response(stream)).status).toBe(502)
  })

  it('for another protocol is refused', async () => {
    await start()
    expect((await response(ask({ ':protocol': 'connect-udp' }))).status).toBe(501)
    expect(side.session.opened).toBe(0)
  })

  it('with a content-length is refused', async () => {
    await start()
    expect((await response(ask({ 'content-length': '3' }))).status).toBe(400)
    expect(side.session.opened).toBe(0)
  })
})
