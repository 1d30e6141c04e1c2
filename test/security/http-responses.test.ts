/** Attacks and faults from the other end of a tunnel: no client may take them for a good response, or for two. */
import { afterEach, describe, expect, it } from 'vitest'
import type { RawHeaders } from '../../protocol/head.js'
import { RawClient } from '../support/raw-client.js'
import { type HttpSide, type ScriptedExchange, startHttpSide } from '../support/scripted-session.js'

let side: HttpSide
afterEach(() => side.close())

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

async function request(method = 'GET'): Promise<{ client: RawClient; exchange: ScriptedExchange }> {
  side = await startHttpSide()
  const client = await RawClient.connect(side.port)
  client.write(GET.replace('GET', method))
  return { client, exchange: await side.exchange() }
}

describe('a response head', () => {
  it.each<[string, number, RawHeaders, string]>([
    ['status 99', 99, [], ''],
    ['status 0', 0, [], ''],
    ['status 1000', 1000, [], ''],
    ['status NaN', NaN, [], ''],
    ['100 as the final status', 100, [], ''],
    ['101 as the final status', 101, ['Upgrade', 'websocket'], ''],
    ['a CR LF in a value', 200, ['X', 'a\r\nSet-Cookie: evil=1'], ''],
    ['a CR in a value', 200, ['X', 'a\rb'], ''],
    ['a NUL in a value', 200, ['X', 'a\0b'], ''],
    ['a character that is no octet', 200, ['X', '\u{1F600}'], ''],
    ['a CR LF in a name', 200, ['X\r\nSet-Cookie', 'a'], ''],
    ['an empty name', 200, ['', 'a'], ''],
    ['a CR LF in the reason', 200, [], 'OK\r\nSet-Cookie: evil=1'],
    ['two content-lengths', 200, ['Content-Length', '1', 'content-length', '2'], ''],
    ['the same content-length twice', 200, ['Content-Length', '1', 'content-length', '1'], ''],
    ['a list of content-lengths', 200, ['Content-Length', '1, 1'], ''],
    ['a negative content-length', 200, ['Content-Length', '-1'], ''],
    ['a huge content-length', 200, ['Content-Length', '99999999999999999999'], ''],
    ['a content-length that is no number', 200, ['Content-Length', '1e3'], ''],
    ['content-length beside transfer-encoding', 200, ['Content-Length', '1', 'Transfer-Encoding', 'chunked'], ''],
    ['an unknown transfer coding', 200, ['Transfer-Encoding', 'gzip, chunked'], ''],
  ])('with %s is answered with 502', async (_name, status, headers, reason) => {
    const { client, exchange } = await request()
    exchange.handler.onHead({ status, reason, headers }, false)
    expect(exchange.resetError?.code).toBe('CRANKER_ERR_BAD_RESPONSE')
    const response = await client.response()
    expect([response.status, response.field('set-cookie')]).toEqual([502, undefined])
    client.write(GET)
    ;(await side.exchange()).answer('next')
    expect((await client.response()).text).toBe('next')
  })

  it('that announces a body and ends is answered with 502', async () => {
    const { client, exchange } = await request()
    exchange.handler.onHead({ status: 200, reason: '', headers: ['Content-Length', '3'] }, true)
    expect((await client.response()).status).toBe(502)
  })

  it('that never comes is answered with 502', async () => {
    const { client, exchange } = await request()
    exchange.finish()
    expect((await client.response()).status).toBe(502)
  })

  it('that comes after its body is answered with 502', async () => {
    const { client, exchange } = await request()
    exchange.data('early')
    expect(exchange.resetError?.code).toBe('CRANKER_ERR_BAD_RESPONSE')
    expect((await client.response()).status).toBe(502)
  })

  it('that comes twice is ignored', async () => {
    const { client, exchange } = await request()
    exchange.respond(200, ['Content-Length', '2']).respond(500).data('ok').finish()
    expect((await client.response()).text).toBe('ok')
  })

  it('of interim responses without end is not passed on without end', async () => {
    const { client, exchange } = await request()
    for (let i = 0; i < 1_000; i++) exchange.handler.onInfo({ status: 103, reason: '', headers: ['X', 'y'] })
    exchange.answer('ok')
    let interim = 0
    while ((await client.head()).status === 103) interim++
    expect(interim).toBeLessThanOrEqual(16)
  })
})

describe('a response body', () => {
  const SMUGGLED = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'

  it('longer than its content-length never becomes the next response', async () => {
    const { client, exchange } = await request()
    client.write(GET)
    exchange.respond(200, ['Content-Length', '2']).data('ok')
    await client.until('ok')
    exchange.data(SMUGGLED)
    expect(exchange.resetError?.code).toBe('CRANKER_ERR_BAD_RESPONSE')
    await client.closed()
    expect(client.received.includes('evil')).toBe(false)
  })

  it('longer than its content-length in one piece is not passed on at all', async () => {
    const { client, exchange } = await request()
    exchange.respond(200, ['Content-Length', '2']).data(`ok${SMUGGLED}`)
    await client.closed()
    expect(client.received.includes('evil')).toBe(false)
  })

  it('shorter than its content-length does not hang, and does not look complete', async () => {
    const { client, exchange } = await request()
    exchange.respond(200, ['Content-Length', '10']).data('short')
    await client.until('short')
    exchange.finish()
    await expect(client.response()).rejects.toThrow('cut')
    expect(await side.entry()).toMatchObject({ error: 'CRANKER_ERR_BAD_RESPONSE' })
  })

  it.each(['HEAD', 'GET'])('where none may be (%s, 204) never becomes the next response', async (method) => {
    const { client, exchange } = await request(method)
    exchange.respond(method === 'HEAD' ? 200 : 204).data(SMUGGLED)
    expect(exchange.consumedBytes).toBe(SMUGGLED.length)
    exchange.finish()
    await client.response('HEAD')
    client.write(GET)
    ;(await side.exchange()).answer('next')
    expect((await client.response()).text).toBe('next')
  })
})
