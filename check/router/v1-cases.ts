/** docs/protocol.md, section 4: version 1.0. */
import { check, CheckFailure, checkSame, type Case } from '../case.js'
import type { RouterContext } from './context.js'
import { ExchangeV1, type Exchange } from './exchange.js'

const V1 = ['1.0'] as const

interface Ending {
  readonly id: string
  readonly title: string
  readonly section: string
  /** Whether the head was sent before. */
  readonly head: boolean
  /** Undefined: the connection is cut. */
  readonly code: number | undefined
  /** What the client gets: a status, or a response that breaks off. */
  readonly client: number | 'broken' | 'complete'
}

const ENDINGS: readonly Ending[] = [
  {
    id: 'R4.5',
    title: 'takes Close 1000 for the end of the response',
    section: '4.2',
    head: true,
    code: 1000,
    client: 'complete',
  },
  {
    id: 'R4.6',
    title: 'takes a Close frame without a code for the end of the response',
    section: '4.2',
    head: true,
    code: 1005,
    client: 'complete',
  },
  {
    id: 'R4.7',
    title: 'answers 502 for Close 1011 before the head',
    section: '4.2',
    head: false,
    code: 1011,
    client: 502,
  },
  {
    id: 'R4.8',
    title: 'breaks the response off for Close 1011 after the head',
    section: '4.2',
    head: true,
    code: 1011,
    client: 'broken',
  },
  {
    id: 'R4.9',
    title: 'answers 400 for Close 1008 before the head',
    section: '4.2',
    head: false,
    code: 1008,
    client: 400,
  },
  {
    id: 'R4.10',
    title: 'answers 502 for any other code before the head',
    section: '4.2',
    head: false,
    code: 4000,
    client: 502,
  },
  {
    id: 'R4.11',
    title: 'breaks the response off for any other code after the head',
    section: '4.2',
    head: true,
    code: 4000,
    client: 'broken',
  },
  {
    id: 'R4.12',
    title: 'answers 502 when the socket is lost before the head',
    section: '4.2',
    head: false,
    code: undefined,
    client: 502,
  },
  {
    id: 'R4.13',
    title: 'breaks the response off when the socket is lost after the head',
    section: '4.2',
    head: true,
    code: undefined,
    client: 'broken',
  },
]

function close(exchange: Exchange, code: number | undefined): void {
  if (code === undefined) exchange.socket.destroy()
  else exchange.socket.close(code)
}

export const v1Cases: readonly Case<RouterContext>[] = [
  {
    id: 'R4.1',
    title: 'ends a request without a body with an empty line and _2',
    section: '4.1',
    versions: V1,
    run: async (context) => {
      const { exchange } = await context.start()
      check(!exchange.request.hasBody, 'the marker _2', 'the marker is _1')
      check(exchange.request.text.endsWith('\n\n'), 'an empty line before the marker', 'there is none')
    },
  },
  {
    id: 'R4.2',
    title: 'sends a body of known length after _1, in messages of at most 16,384 bytes, and _3',
    section: '4.3',
    versions: V1,
    run: async (context) => {
      const sent = Buffer.alloc(100_000, 'abcdefg')
      const { client, exchange } = await context.start({ method: 'POST', body: sent })
      check(exchange.request.text.endsWith('\n\n'), 'an empty line before the marker', 'there is none')
      const body = await exchange.body()
      check(body.equals(sent), 'the body that the client sent', `${String(body.length)} other bytes`)
      const largest = exchange instanceof ExchangeV1 ? Math.max(...exchange.sizes) : 0
      check(largest <= 16_384, 'messages of at most 16,384 bytes', `one of ${String(largest)} bytes`)
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R4.3',
    title: 'sends a body of unknown length as it comes, and _3 at its end',
    section: '4.1',
    versions: V1,
    run: async (context) => {
      const { client, exchange } = await context.start({ method: 'POST', body: 'follows' })
      check(exchange.request.hasBody, 'the marker _1', 'the marker is _2')
      client.write(Buffer.from('first'))
      const first = await exchange.socket.inbox.take(
        'the first piece of the body before the second is there',
        (event) => (event.kind === 'binary' ? event.bytes : undefined),
        context.timeout,
      )
      client.write(Buffer.from(' second'))
      client.end()
      const body = Buffer.concat([first, await exchange.body()])
      checkSame('the body', body.toString('latin1'), 'first second')
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R4.4',
    title: 'gives a socket one request, and the next one to another socket',
    section: '4',
    versions: V1,
    run: async (context) => {
      const { client, exchange, socket } = await context.start()
      exchange.head('HTTP/1.1 200 OK\ncontent-length:2\n')
      exchange.send('ok')
      const response = await client.response()
      response.message.resume()
      const second = await context.register()
      const other = context.client()
      const next = await ExchangeV1.take(second, context.timeout)
      next.respond('200 OK', ['content-length:0'])
      await context.expectStatus(other, 200)
      await socket.inbox.none('second request on a used socket', ({ kind }) => kind === 'text', context.quiet)
      exchange.end()
    },
  },
  ...ENDINGS.map(({ id, title, section, head, code, client: outcome }): Case<RouterContext> => ({
    id,
    title,
    section,
    versions: V1,
    run: async (context) => {
      const { client, exchange } = await context.start()
      if (head) {
        exchange.head('HTTP/1.1 200 OK\ncontent-type:text/plain\n')
        exchange.send('part')
        // The head must have reached the client, or nothing could break.
        if (outcome === 'broken') await client.response()
      }
      close(exchange, code)
      if (outcome === 'broken') await client.broken()
      else if (outcome === 'complete') {
        const { body } = await client.whole()
        checkSame('the body', body.toString('latin1'), 'part')
      } else await context.expectStatus(client, outcome)
    },
  })),
  {
    id: 'R4.14',
    title: 'closes the socket with 1001 when the client leaves',
    section: '4.5',
    versions: V1,
    run: async (context) => {
      const { client, exchange } = await context.start()
      client.leave()
      checkSame('the close code', (await exchange.aborted()).code, 1001)
    },
  },
  {
    id: 'R4.15',
    title: 'ends the TCP connection soon after it, answered or not',
    section: '4.5',
    level: 'should',
    versions: V1,
    run: async (context) => {
      const { client, exchange, socket } = await context.start()
      socket.autoClose = false
      client.leave()
      await exchange.aborted()
      await socket.inbox.take(
        'the end of the TCP connection',
        (event) => (event.kind === 'end' ? true : undefined),
        Math.max(context.timeout, 3_000),
      )
    },
  },
  {
    id: 'R4.16',
    title: 'joins a fragmented response head',
    section: '2.6',
    versions: V1,
    run: async (context) => {
      const { client, exchange, socket } = await context.start()
      const head = Buffer.from('HTTP/1.1 200 OK\ncontent-length:2\n')
      socket.sendFragments('text', [head.subarray(0, 5), head.subarray(5, 20), head.subarray(20)])
      exchange.send('ok')
      exchange.end()
      const { body } = await client.whole()
      checkSame('the body', body.toString('latin1'), 'ok')
    },
  },
  {
    id: 'R4.17',
    title: 'answers a response that is complete before its request',
    section: '4.2',
    versions: V1,
    run: async (context) => {
      const { client, exchange } = await context.start({ method: 'POST', body: 'follows' })
      client.write(Buffer.from('begun'))
      exchange.respond('413 Too Large', ['content-length:0'])
      await context.expectStatus(client, 413)
    },
  },
  {
    id: 'R4.18',
    title: 'brings a response of 1 MiB whole to a client that reads it late',
    section: '4.3',
    versions: V1,
    run: async (context) => {
      const { client, exchange } = await context.start()
      const bytes = Buffer.alloc(1024 * 1024, '0123456789')
      exchange.respond('200 OK', [`content-length:${String(bytes.length)}`], bytes)
      const { body } = await client.whole()
      if (!body.equals(bytes)) throw new CheckFailure('the body that was sent', `${String(body.length)} other bytes`)
    },
  },
]
