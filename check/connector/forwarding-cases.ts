/** docs/protocol.md, section 8: fields, targets, what a connector must not do by itself. */
import { gzipSync } from 'node:zlib'
import { check, checkSame, shown, type Case } from '../case.js'
import type { ConnectorContext } from './context.js'
import { expectResponse, finish, valuesOf } from './exchange.js'

const BOTH = ['3.0', '1.0'] as const
/** An odd but legal request target: nothing in it may be decoded, encoded or left out. */
const ODD_TARGET = '/a%2Fb/%7Btilde~/..;p=1/@scope%2fpkg?x=1&x=2&empty=&plus=a+b&enc=%C3%A4%20%26&q=%7B1%7D&last'
/** Section 8.2; what is not a connection's own business in HTTP/1.1 libraries is left out. */
const REQUEST_FIELDS = ['te', 'trailer', 'proxy-authorization', 'proxy-connection', 'http2-settings', 'x-named']
/** What general HTTP clients add (section 8.4). */
const ADDED = ['accept-encoding', 'user-agent', 'accept', 'cookie', 'referer']
/** Long enough that a request which should not be made would have been made. */
const QUIET_MS = 300

/** The service's first answer is a redirect to a place where nobody may come. */
async function nobodyCame(context: ConnectorContext): Promise<void> {
  await context.bench.trap.calls.none('request to another host', () => true, QUIET_MS)
}

export const forwardingCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C8.1',
    title: 'changes no byte of path and query',
    section: '8.4',
    versions: BOTH,
    run: async (context) => {
      const { exchange, call } = await context.start({ target: `${context.path}${ODD_TARGET}` })
      checkSame('the target at the service', call.target, `${context.path}${ODD_TARGET}`)
      await finish(exchange, call)
    },
  },
  {
    id: 'C8.2',
    title: 'forwards no hop-by-hop fields of requests',
    section: '8.2',
    versions: BOTH,
    run: async (context) => {
      const fields = [
        'host:service.example',
        'connection:x-named',
        'x-named:1',
        'te:trailers',
        'trailer:x-end',
        'proxy-authorization:Basic eDp5',
        'proxy-connection:keep-alive',
        'http2-settings:AAMAAABkAARAAAAAAAIAAAAA',
        'x-kept:1',
      ]
      const { exchange, call } = await context.start({ fields })
      const passed = REQUEST_FIELDS.filter((name) => call.values(name).length > 0)
      checkSame('fields that must not reach the service', passed.join(', '), '')
      checkSame('x-kept', call.values('x-kept').join(), '1')
      await finish(exchange, call)
    },
  },
  {
    id: 'C8.3',
    title: 'forwards no hop-by-hop fields of responses',
    section: '8.2',
    versions: BOTH,
    run: async (context) => {
      const { exchange, call } = await context.start()
      const fields = ['connection', 'keep-alive, x-named', 'keep-alive', 'timeout=5', 'x-named', '1', 'x-kept', '1']
      call.res.writeHead(200, [...fields, 'proxy-authenticate', 'Basic realm="x"', 'transfer-encoding', 'chunked'])
      call.res.end(Buffer.from('chunked'))
      const head = await expectResponse(exchange, 200, 'chunked')
      const names = ['connection', 'keep-alive', 'x-named', 'proxy-authenticate', 'transfer-encoding']
      const passed = names.filter((name) => valuesOf(head, name).length > 0)
      checkSame('fields that must not reach the router', passed.join(', '), '')
      checkSame('x-kept', valuesOf(head, 'x-kept').join(), '1')
    },
  },
  {
    id: 'C8.4',
    title: 'passes host on',
    section: '8.4',
    versions: BOTH,
    run: async (context) => {
      const { exchange, call } = await context.start({ fields: ['host:www.example.com'] })
      checkSame('host at the service', call.values('host').join(), 'www.example.com')
      call.answer(204)
      await exchange.head()
    },
  },
  {
    id: 'C8.5',
    title: 'adds no fields of its own to requests',
    section: '8.4',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const { exchange, call } = await context.start()
      const added = ADDED.filter((name) => call.values(name).length > 0)
      checkSame('fields that nobody has sent', added.join(', '), '')
      call.answer(204)
      await exchange.head()
    },
  },
  {
    id: 'C8.6',
    title: 'passes compressed bodies on as they are',
    section: '8.4',
    versions: BOTH,
    run: async (context) => {
      const body = gzipSync('the same again '.repeat(500))
      const fields = ['content-encoding', 'gzip', 'content-length', String(body.length)]
      const response = await context.get(fields, body)
      checkSame('content-encoding', valuesOf(response, 'content-encoding').join(), 'gzip')
      checkSame('content-length', valuesOf(response, 'content-length').join(), String(body.length))
      check(response.body.equals(body), 'the body byte for byte', `${String(response.body.length)} other bytes`)
    },
  },
  {
    id: 'C8.7',
    title: 'follows no redirects',
    section: '8.4',
    versions: BOTH,
    run: async (context) => {
      const location = `http://${context.bench.trap.authority}/`
      const { exchange, call } = await context.start()
      call.answer(302, ['location', location, 'content-length', '0'])
      await nobodyCame(context)
      const head = await expectResponse(exchange, 302, '')
      checkSame('location', valuesOf(head, 'location')[0], location)
    },
  },
  {
    id: 'C8.8',
    title: 'takes a target that begins with // for no other host',
    section: '8.4',
    versions: BOTH,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const exchange = context.exchange(tunnel)
      exchange.send({ target: `//${context.bench.trap.authority}${context.path}` })
      await nobodyCame(context)
      const strayed = context.bench.service.calls.poll((call) => (call.target.startsWith('//') ? call : undefined))
      strayed?.answer(404)
    },
  },
  {
    id: 'C8.9',
    title: 'streams: each piece of a response goes on before the next one comes',
    section: '8.4',
    versions: BOTH,
    run: async (context) => {
      const { exchange, call } = await context.start()
      call.res.writeHead(200, ['content-type', 'text/event-stream'])
      call.res.flushHeaders()
      await exchange.head()
      for (const piece of ['data: 1\n\n', 'data: 2\n\n']) {
        call.res.write(piece)
        await exchange.bytes(Buffer.byteLength(piece))
      }
      call.res.end()
      checkSame('bytes behind the last piece', (await exchange.body()).length, 0)
    },
  },
  {
    id: 'C8.10',
    title: 'streams: each piece of a request reaches the service before the next one comes',
    section: '8.4',
    versions: BOTH,
    run: async (context) => {
      const exchange = context.exchange(await context.tunnel())
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      const call = await context.call()
      for (const piece of ['one', 'two']) {
        const arrived = call.bytes(piece.length, context.timeout)
        await exchange.sendBody(Buffer.from(piece))
        checkSame('the piece at the service', (await arrived).toString(), piece)
      }
      exchange.endBody()
      await finish(exchange, call)
    },
  },
  {
    id: 'C8.11',
    title: 'survives a target with an incomplete escape, and serves other requests',
    section: '8.3',
    level: 'should',
    versions: ['3.0'],
    run: async (context) => {
      const tunnel = await context.tunnel()
      const running = await context.start({}, tunnel)
      const odd = context.exchange(tunnel)
      odd.send({ target: `${context.path}/odd?q=%zz|` })
      const call = await context.call(`${context.path}/odd`).catch(() => undefined)
      call?.answer(204)
      await finish(running.exchange, running.call)
      check(tunnel.socket.open, 'the socket to stay', shown('it was closed'))
    },
  },
]
