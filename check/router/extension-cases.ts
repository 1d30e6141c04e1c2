/** docs/protocol.md, section 9: extensions, each only where the router announces it, and none where it does not. */
import { check, checkSame, type Case } from '../case.js'
import { goaway, header } from '../frames.js'
import type { RouterContext } from './context.js'
import { ExchangeV3, type Exchange } from './exchange.js'

const BOTH = ['3.0', '1.0'] as const
const V3 = ['3.0'] as const
/** REFUSED_STREAM, and Try Again Later. */
const REFUSED = 7
const TRY_AGAIN = 1013

function refuse(exchange: Exchange, why: string): void {
  if (exchange instanceof ExchangeV3) exchange.reset(REFUSED, why)
  else exchange.socket.close(TRY_AGAIN, why)
}

export const extensionCases: readonly Case<RouterContext>[] = [
  {
    id: 'R9.1',
    title: 'lists no extension that was not asked for by the header itself',
    section: '9.1',
    versions: BOTH,
    run: async (context) => {
      const answer = await context.handshake()
      checkSame('Cranker-Extensions', answer.header('Cranker-Extensions') ?? 'none', 'none')
    },
  },
  {
    id: 'R9.2',
    title: 'takes a refusal for any failure where refuse is not agreed',
    section: '9.3',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start({ method: 'POST', body: 'follows' })
      refuse(exchange, 'full')
      await context.expectStatus(client, 502)
    },
  },
  {
    id: 'R9.3',
    title: 'gives a refused request to another socket',
    section: '9.3',
    versions: BOTH,
    run: async (context) => {
      const first = await context.extended('refuse')
      const client = context.client()
      const exchange = await context.take(first)
      const second = await context.extended('refuse')
      refuse(exchange, 'full')
      const again = await context.take(second)
      again.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R9.4',
    title: 'answers 503 when nobody takes a request because all are full',
    section: '9.3',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.extended('refuse')
      const client = context.client()
      const refuseAll = async (): Promise<void> => {
        for (;;) refuse(await context.take(socket), 'full')
      }
      // Ends with the socket, or when nothing comes any more.
      refuseAll().catch(() => {})
      const response = await client.response(Math.max(context.timeout, 20_000))
      checkSame("the client's status", response.status, 503)
    },
  },
  {
    id: 'R9.5',
    title: 'takes trailers for the end of a response',
    section: '9.2',
    versions: V3,
    run: async (context) => {
      const socket = await context.extended('trailers')
      const client = context.client({ fields: [['TE', 'trailers']] })
      const exchange = await ExchangeV3.take(socket, context.timeout)
      exchange.head('HTTP/1.1 200 OK\n')
      exchange.frame('hello')
      exchange.head('grpc-status:0\n', { endStream: true })
      const { body } = await client.whole()
      checkSame('the body', body.toString('latin1'), 'hello')
      await context.stillServes(socket)
    },
  },
  {
    id: 'R9.6',
    title: 'gives what goaway says was not processed to another socket, and lets the rest finish',
    section: '9.4',
    versions: V3,
    run: async (context) => {
      const first = await context.extended('goaway')
      const clients = [context.client(), context.client()]
      const kept = await ExchangeV3.take(first, context.timeout)
      const given = await ExchangeV3.take(first, context.timeout)
      const second = await context.extended('goaway')
      first.sendBinary(goaway(kept.id, 0, '0 draining'))
      const again = await ExchangeV3.take(second, context.timeout)
      check(given.id > kept.id, 'ids that count up', `${String(given.id)} after ${String(kept.id)}`)
      again.respond('200 OK', ['content-length:0'])
      kept.respond('200 OK', ['content-length:0'])
      for (const client of clients) await context.expectStatus(client, 200)
      await context.ended(first)
    },
  },
  {
    id: 'R9.7',
    title: 'passes interim heads on, and the final one after them',
    section: '9.5',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.extended('informational')
      const client = context.client()
      const exchange = await context.take(socket)
      exchange.head('HTTP/1.1 103 Early Hints\nlink:</style.css>; rel=preload\n')
      exchange.respond('200 OK', ['content-length:5'], 'hello')
      const { response, body } = await client.whole()
      checkSame('the status', response.status, 200)
      checkSame('the body', body.toString('latin1'), 'hello')
      checkSame('interim responses', client.interim.join(), '103')
    },
  },
  {
    id: 'R9.8',
    title: 'passes targets on byte for byte to a connector that announced raw-target',
    section: '9.6',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.extended('raw-target')
      const target = context.path('/x?q=a|b{c}')
      const { host } = context.bench.public.url
      const answer = context.raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      const exchange = await context.take(socket)
      checkSame('the target', exchange.request.target, target)
      exchange.respond('200 OK', ['content-length:0'])
      await answer
    },
  },
  {
    id: 'R9.9',
    title: 'never takes a second HEADER block for another response, and keeps the socket',
    section: '5.2',
    level: 'should',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3()
      exchange.head('HTTP/1.1 200 OK\n')
      exchange.frame('hello')
      socket.sendBinary(header(exchange.id, 'HTTP/1.1 500 Smuggled\nx-smuggled:yes\n'))
      exchange.end()
      // What a router makes of it is its own business: the end of the exchange, or nothing.
      const response = await client.response().catch(() => undefined)
      const seen = response?.status ?? 200
      checkSame("the client's status, if it gets one", [200, 502].includes(seen) ? 200 : seen, 200)
      response?.message.resume()
      await context.stillServes(socket)
    },
  },
]
