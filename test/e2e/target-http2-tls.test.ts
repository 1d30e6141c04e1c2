/** A service over TLS, which says itself what it speaks (ALPN, RFC 7301). */
import { createServer as createHttpsServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import type { TargetOptions } from '../../connector/targets/index.js'
import { certificate } from '../support/certificate.js'
import { http2Server } from '../support/http2-server.js'
import { startPair } from '../support/pair.js'
import { type ScriptedExchange, sendBody } from '../support/scripted-exchange.js'
import { makeTarget, rawServer, request, send } from '../support/target-fixtures.js'

const identity = { cert: certificate.cert, key: certificate.key }
const strict = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
beforeAll(() => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
})
afterAll(() => {
  if (strict === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
  else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = strict
})

let https: Server | undefined
afterEach(() => {
  https?.closeAllConnections()
  https?.close()
  https = undefined
})

/** Speaks HTTP/1.1 only; its body says so. */
async function http1Server(port = 0): Promise<string> {
  const server = createHttpsServer(identity, (req, res) => {
    req.resume().on('end', () => res.end('1.1'))
  })
  https = server
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Speaks HTTP/2 only, or HTTP/1.1 to those who ask for it. */
const http2Service = (allowHTTP1 = false) =>
  http2Server(
    (stream) => {
      stream.resume().on('end', () => {
        stream.respond({ ':status': 200 })
        stream.end('2')
      })
    },
    { ...identity, allowHTTP1 },
  )

async function answer(url: string, targetProtocol: TargetOptions['targetProtocol']): Promise<ScriptedExchange> {
  const { exchange } = send(makeTarget(url, { targetProtocol }), request('GET', '/'))
  await exchange.ended()
  return exchange
}

const unreachable = { code: 'CRANKER_ERR_REFUSED', message: 'target unreachable', delivered: 'no' }

describe('targetProtocol over TLS', () => {
  it('auto is HTTP/2 for a service that prefers it, and HTTP/1.1 for one that does not know it', async () => {
    const { url } = await http2Service()
    expect((await answer(url, 'auto')).body.toString()).toBe('2')
    const old = await http1Server()
    for (const protocol of ['auto', 'http1'] as const) expect((await answer(old, protocol)).body.toString()).toBe('1.1')
  })

  it('http2 is offered alone: a service without it is out of reach', async () => {
    const { url } = await http2Service(true)
    expect((await answer(url, 'http2')).body.toString()).toBe('2')
    expect((await answer(await http1Server(), 'http2')).error).toMatchObject(unreachable)
  })

  it('auto loses nothing of the requests that wait for the answer', async () => {
    const { url } = await http2Server((stream) => {
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    }, identity)
    const target = makeTarget(url)
    const body = Buffer.alloc(200_000, 'b')
    const all = Array.from({ length: 10 }, () => send(target, request('POST', '/'), false))
    for (const { handler } of all) sendBody(handler, body.subarray(0, 100_000), body.subarray(100_000))
    for (const { exchange } of all) {
      await exchange.ended()
      expect([exchange.body.equals(body), exchange.consumedBytes]).toEqual([true, body.length])
    }
  })

  it('auto asks once, and again when the service has changed its mind', async () => {
    const first = await http2Service()
    const target = makeTarget(first.url)
    const get = async (): Promise<ScriptedExchange> => {
      const { exchange } = send(target, request('GET', '/'))
      await exchange.ended()
      return exchange
    }
    expect((await get()).body.toString()).toBe('2')
    const asked = first.connections()
    expect((await get()).body.toString()).toBe('2')
    expect(first.connections()).toBe(asked)
    await first.stop()
    await http1Server(Number(new URL(first.url).port))
    // The first finds out, and is refused so that it may be sent again.
    expect((await get()).error).toMatchObject(unreachable)
    expect((await get()).body.toString()).toBe('1.1')
  })

  it('auto refuses what waits for a service that is out of reach, and asks again for the next request', async () => {
    const gone = await http1Server()
    https?.close()
    const target = makeTarget(gone)
    const waiting = [1, 2].map(() => send(target, request('GET', '/')).exchange)
    for (const exchange of waiting) {
      await exchange.ended()
      expect(exchange.error).toMatchObject(unreachable)
    }
    await http1Server(Number(new URL(gone).port))
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.body.toString()).toBe('1.1')
  })

  it('auto does not send a request whose client has left while it waited', async () => {
    let requests = 0
    const { url } = await http2Server((stream) => {
      requests++
      stream.respond({ ':status': 204 }, { endStream: true })
    }, identity)
    const target = makeTarget(url)
    send(target, request('GET', '/')).handler?.onError({} as never)
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(requests).toBe(1)
  })

  it('auto refuses in time what waits for a TLS handshake that does not come', async () => {
    const url = await rawServer(() => undefined)
    const target = makeTarget(url.replace('http:', 'https:'), { targetConnectTimeout: 100 })
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject(unreachable)
  })

  it('carries WebSockets to a service that prefers HTTP/2, over HTTP/1.1', async () => {
    const sockets = new WebSocketServer({ noServer: true })
    const { url } = await http2Server(
      () => undefined,
      { ...identity, allowHTTP1: true },
      (server) => {
        server.on('upgrade', (req, socket, head) => {
          sockets.handleUpgrade(req as never, socket as never, head as never, (ws) =>
            ws.on('message', (m) => ws.send(m)),
          )
        })
      },
    )
    await using pair = await startPair({ version: '3.0', target: url })
    const socket = new WebSocket(`ws://127.0.0.1:${pair.port}/`)
    const echoed = new Promise((resolve) => socket.on('message', (m: Buffer) => resolve(m.toString())))
    socket.on('open', () => socket.send('hello'))
    expect(await echoed).toBe('hello')
    socket.terminate()
    sockets.close()
  })
})
