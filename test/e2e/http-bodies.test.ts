import { afterEach, describe, expect, it } from 'vitest'
import { RawClient } from '../support/raw-client.js'
import { type HttpSide, type HttpSideOptions, startHttpSide } from '../support/scripted-session.js'

let side: HttpSide
const start = async (options?: HttpSideOptions): Promise<RawClient> => {
  side = await startHttpSide(options)
  return RawClient.connect(side.port)
}
afterEach(() => side.close())

describe('a request body', () => {
  it('arrives with its content-length as sent', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
    const exchange = await side.exchange()
    expect([exchange.bodyless, exchange.field('content-length')]).toEqual([false, '6'])
    await exchange.until(() => exchange.body === 'abc')
    expect(exchange.ended).toBe(false)
    client.write('def')
    await exchange.until(() => exchange.ended)
    expect(exchange.body).toBe('abcdef')
  })

  it('arrives chunked without content-length, trailers dropped', async () => {
    const client = await start()
    client.write(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n3;ext=1\r\nabc\r\n0\r\nX: y\r\n\r\n',
    )
    const exchange = await side.exchange()
    await exchange.until(() => exchange.ended)
    expect(exchange.body).toBe('abc')
    expect(exchange.head.headers.filter((_, i) => i % 2 === 0)).toEqual(['Host', 'Via', 'Forwarded'])
    exchange.answer('ok')
    expect((await client.response()).text).toBe('ok')
  })

  it('of content-length 0 is no body', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
    const exchange = await side.exchange()
    expect([exchange.bodyless, exchange.field('content-length')]).toEqual([true, '0'])
  })

  it('is held back while the tunnel has no room, and costs no memory meanwhile', async () => {
    const client = await start()
    const total = 64 * 1024 * 1024
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${total}\r\n\r\n`)
    const exchange = await side.exchange()
    exchange.room = false
    const piece = Buffer.alloc(1024 * 1024, 120)
    let sent = 0
    const pump = (): void => {
      while (sent < total) {
        sent += piece.length
        if (!client.socket.write(piece)) {
          client.socket.once('drain', pump)
          return
        }
      }
    }
    pump()
    await exchange.until(() => exchange.chunks.length > 0)
    // Everything that can arrive while paused has done so after some turns: one piece.
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    expect(exchange.chunks).toHaveLength(1)
    let received = 0
    const take = (): void => {
      for (const chunk of exchange.chunks.splice(0)) received += chunk.length
    }
    take()
    exchange.drain()
    await exchange.until(() => (take(), exchange.ended))
    expect(received).toBe(total)
  })

  it('is asked for with 100 (Continue) only once an exchange is open', async () => {
    const client = await start({ session: false })
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n')
    await side.source.until(() => side.source.waiters.size === 1)
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(client.received).toHaveLength(0)
    side.source.next().onSession({ ...registeredSession(), session: side.session })
    expect((await client.head()).status).toBe(100)
    client.write('abc')
    const exchange = await side.exchange()
    expect(exchange.field('expect')).toBeUndefined()
    await exchange.until(() => exchange.ended)
    exchange.answer('ok')
    expect((await client.response()).text).toBe('ok')
  })

  it('that was announced with Expect is not asked for when the answer is no', async () => {
    const client = await start({ session: false })
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n')
    await side.source.until(() => side.source.waiters.size === 1)
    const { CrankerError } = await import('../../protocol/errors.js')
    side.source.next().onFailed(new CrankerError('CRANKER_ERR_NO_ROUTE', 'no'))
    expect((await client.head()).status).toBe(404)
  })

  it('overlaps with the response', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    const exchange = await side.exchange()
    await exchange.until(() => exchange.body === 'abc')
    exchange.respond(200).data('ABC')
    await client.until('ABC')
    client.write('3\r\ndef\r\n0\r\n\r\n')
    await exchange.until(() => exchange.ended)
    exchange.data('DEF').finish()
    expect((await client.response()).text).toBe('ABCDEF')
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).answer('next')
    expect((await client.response()).text).toBe('next')
  })
})

describe('a response that is complete before its request', () => {
  it('reaches the client whole, although the client only reads after its upload', async () => {
    const client = await start()
    client.socket.pause()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    const exchange = await side.exchange()
    exchange.answer('too large', 413)
    await side.entry()
    client.write(Buffer.alloc(128 * 1024))
    client.socket.resume()
    const response = await client.response()
    expect([response.status, response.text]).toEqual([413, 'too large'])
    await client.closed()
  })

  it('keeps the connection if the rest of the request is small', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n')
    ;(await side.exchange()).answer('early')
    expect((await client.response()).text).toBe('early')
    client.write('abcGET / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).answer('next')
    expect((await client.response()).text).toBe('next')
  })

  it('ends the connection if the rest is large', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    ;(await side.exchange()).answer('early')
    expect((await client.response()).text).toBe('early')
    const piece = Buffer.alloc(64 * 1024)
    const pump = (): void => {
      while (client.socket.writable && client.socket.write(piece));
      if (client.socket.writable) client.socket.once('drain', pump)
    }
    pump()
    await client.closed()
    expect(client.socket.bytesWritten).toBeLessThan(100_000_000)
  })

  it('ends the connection if the rest does not come within a second', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    ;(await side.exchange()).answer('early')
    expect((await client.response()).text).toBe('early')
    await client.closed()
  })

  it('says Connection: close if it is the router that answers, and reaches the client too', async () => {
    const client = await start()
    client.socket.pause()
    client.write('POST /.. HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
    await side.entry()
    client.write(Buffer.alloc(128 * 1024))
    client.socket.resume()
    const response = await client.response()
    expect([response.status, response.fields('connection')]).toEqual([400, ['close']])
    // A client that still sends must not be reset before it has read the answer.
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    expect(side.server.connections).toBe(1)
    await client.closed()
  })
})

describe('a response body', () => {
  it('returns credit to the tunnel only as the client takes it', async () => {
    const client = await start()
    client.socket.pause()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200)
    const piece = Buffer.alloc(256 * 1024)
    let sent = 0
    // As long as the kernel takes it, all of it is acknowledged; then it stops.
    do {
      exchange.data(piece)
      sent += piece.length
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    } while (exchange.consumedBytes === sent)
    expect(exchange.consumedBytes).toBeLessThan(sent)
    client.socket.resume()
    await exchange.until(() => exchange.consumedBytes === sent)
    exchange.finish()
    expect((await client.response()).body.length).toBe(sent)
  })

  it('that is cut shows as cut in chunked framing', async () => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200).data('half')
    await client.until('half')
    exchange.fail('CRANKER_ERR_TARGET_FAILED')
    await expect(client.response()).rejects.toThrow('cut')
  })

  it('that is cut shows as cut with a content-length', async () => {
    const client = await start()
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200, ['Content-Length', '10']).data('half')
    await client.until('half')
    exchange.fail('CRANKER_ERR_SOCKET_LOST')
    await expect(client.response()).rejects.toThrow('cut')
  })

  it('that is cut is reset where the end of the connection is the end of the body', async () => {
    const client = await start()
    client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200).data('half')
    await client.until('half')
    exchange.fail('CRANKER_ERR_TARGET_FAILED')
    await expect(client.response()).rejects.toThrow('reset')
  })
})

function registeredSession(): Parameters<ReturnType<HttpSide['source']['next']>['onSession']>[0] {
  return {
    session: side.session,
    route: 'r',
    domain: '*',
    connectorInstanceID: 'i',
    componentName: 'c',
    remoteAddress: '127.0.0.1',
    remotePort: 1,
    socketID: 's',
  }
}
