/** How connections become HTTP/2, and how they end. */
import { once } from 'node:events'
import tls from 'node:tls'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Http2Client, head, response } from '../support/http2-client.js'
import { certificate } from '../support/certificate.js'
import { RawClient } from '../support/raw-client.js'
import { CODE, FRAME, frame, PREFACE, RawHttp2, request } from '../support/raw-http2.js'
import { type HttpSide, type HttpSideOptions, startHttpSide } from '../support/scripted-session.js'

let side: HttpSide
const start = async (options?: HttpSideOptions): Promise<void> => {
  side = await startHttpSide({ play: (exchange) => exchange.answer('ok'), ...options })
}
afterEach(() => side.close())

/** What ALPN (RFC 7301) ends in; `` for nothing. */
async function negotiated(offered: readonly string[]): Promise<string> {
  const socket = tls.connect({
    ...{ port: side.port, host: '127.0.0.1', rejectUnauthorized: false },
    ...(offered.length === 0 ? {} : { ALPNProtocols: [...offered] }),
  })
  await once(socket, 'secureConnect')
  socket.destroy()
  return socket.alpnProtocol === false || socket.alpnProtocol === null ? '' : socket.alpnProtocol
}

describe('over TLS', () => {
  it.each([
    [['h2', 'http/1.1'], true, 'h2'],
    [['http/1.1', 'h2'], true, 'h2'],
    [['http/1.1'], true, 'http/1.1'],
    [[], true, ''],
    [['h2', 'http/1.1'], false, 'http/1.1'],
  ])('who offers %j (HTTP/2 allowed: %s) gets %j', async (offered, http2, chosen) => {
    await start({ tls: certificate, http2 })
    expect(await negotiated(offered)).toBe(chosen)
  })

  it('both versions are served on one port, and services are told https', async () => {
    const forwarded: (string | undefined)[] = []
    await start({
      tls: certificate,
      play: (exchange) => {
        forwarded.push(exchange.field('forwarded'), exchange.field('x-forwarded-proto'), exchange.field('via'))
        exchange.answer('ok')
      },
      xForwarded: true,
    })
    const two = new Http2Client(side.port, { tls: true })
    expect((await two.fetch({})).text).toBe('ok')
    const one = await RawClient.connect(side.port, { tls: true })
    one.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await one.response()).text).toBe('ok')
    const proto = ['for=127.0.0.1;host=a;proto=https', 'https']
    expect(forwarded).toEqual([...proto, '2.0 cranker', ...proto, '1.1 cranker'])
  })

  it('who offers HTTP/2 only, where it is switched off, gets no connection', async () => {
    await start({ tls: certificate, http2: false })
    await expect(negotiated(['h2'])).rejects.toThrow()
  })

  it('a client that leaves with its connection ends its exchange', async () => {
    await start({ tls: certificate, play: (exchange) => exchange.respond(200).data('x') })
    const client = new Http2Client(side.port, { tls: true })
    await head(client.open({}, true))
    expect(side.proxy.running).toBe(1)
    client.destroy()
    expect((await side.entry()).error).toBe('CRANKER_ERR_CLIENT_GONE')
  })
})

describe('without TLS', () => {
  it('HTTP/2 is not spoken unless it is asked for', async () => {
    await start()
    const raw = await RawHttp2.connect(side.port)
    raw.write(PREFACE, frame(FRAME.settings, 0, 0))
    expect((await raw.client.response()).status).toBe(400)
  })

  it('its preface may come in pieces', async () => {
    await start({ http2Cleartext: true })
    const raw = await RawHttp2.connect(side.port)
    for (const octet of PREFACE) {
      raw.write(Buffer.of(octet))
      await new Promise((resolve) => setImmediate(resolve))
    }
    raw.write(frame(FRAME.settings, 0, 0), request(1))
    await raw.frame(FRAME.data, 1)
  })
})

describe.each([
  ['without TLS', { http2Cleartext: true }],
  ['over TLS', { tls: certificate }],
])('draining %s', (_name, options) => {
  const connect = (): Http2Client => new Http2Client(side.port, { tls: 'tls' in options })

  it('closes idle connections, and lets what runs finish', async () => {
    side = await startHttpSide(options)
    const idle = connect()
    await once(idle.session, 'remoteSettings')
    const busy = connect()
    const stream = busy.open({}, true)
    const exchange = await side.exchange()
    const closed = side.server.close()
    await idle.closed
    exchange.respond(200).data('first ')
    await head(stream)
    const whole = response(stream)
    exchange.data('last').finish()
    expect((await whole).text).toContain('last')
    await busy.closed
    await closed
    await vi.waitUntil(() => side.server.connections === 0)
  })

  it('refuses the requests that were on their way, so that clients may repeat them', async () => {
    side = await startHttpSide(options)
    const client = connect()
    const first = client.open({}, true)
    const exchange = await side.exchange()
    const whole = response(first)
    const closed = side.server.close()
    // The client does not know yet.
    const late = client.open({}, true)
    await new Promise((resolve) => late.once('close', resolve))
    expect(late.rstCode).toBe(CODE.refused)
    exchange.answer('first')
    expect((await whole).text).toBe('first')
    await closed
    expect(side.session.opened).toBe(1)
  })

  it('at its end cuts what still runs', async () => {
    side = await startHttpSide(options)
    const client = connect()
    client.open({}, true)
    const exchange = await side.exchange()
    const closed = side.server.close()
    side.server.closeNow()
    await closed
    await client.closed
    await exchange.until(() => exchange.resetError !== undefined)
  })
})
