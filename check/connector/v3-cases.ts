/** docs/protocol.md, sections 5.1 to 5.3: frames, exchanges, their early end. */
import { randomBytes } from 'node:crypto'
import type { Frame } from '../../protocol/v3/frame.js'
import { check, checkSame, shown, type Case } from '../case.js'
import { data, frameOf, header, rawFrame } from '../frames.js'
import { barrier, begin } from './barrier.js'
import type { ConnectorContext } from './context.js'
import { type Answer, expectResponse, type Failure, failureOrAnswer, finish, headText, valuesOf } from './exchange.js'
import type { ExchangeV3 } from './exchange-v3.js'
import type { Tunnel } from './lobby.js'
import type { ServiceCall } from './service.js'

const ONLY = ['3.0'] as const
/** Heads from so many bytes on come in parts (section 5.2). */
const PART = 16_000
/** The largest message that mu-cranker-router takes (section 10). */
const MAX_MESSAGE = 65_536
const LARGE = 300_000
const PARALLEL = 20
/** Of RST_STREAM (section 13.3). */
const MAX_TEXT = 200
const INTERNAL = ['/home/', '/usr/', '.java:', 'Traceback', '    at ']
/** RST_STREAM from a connector: the service failed (section 5.3). */
const SERVICE_FAILED = 1011
/** Long enough for a request that must not come to have come, ms. */
const QUIET_MS = 500
/** Section 9.3. */
const REFUSED = 7

type StreamFrame = Extract<Frame, { kind: 'header' | 'data' | 'rst' }>

/** Reads an exchange to its end and then a ping's pong, so that nothing that follows the end is missed. */
async function framesOf(context: ConnectorContext, exchange: ExchangeV3): Promise<StreamFrame[]> {
  const frames: StreamFrame[] = []
  for (let ended = false; !ended;) {
    const frame = await exchange.next('a frame of the response')
    frames.push(frame)
    ended = frame.kind === 'rst' || (frame.kind === 'data' ? frame.end : frame.end && frame.endHeaders)
  }
  await barrier(context, exchange.tunnel)
  const { inbox } = exchange.tunnel.socket
  const late = (): StreamFrame | undefined =>
    inbox.poll((event) => {
      const frame = frameOf(event)
      return frame !== undefined && (frame.kind === 'header' || frame.kind === 'data') && frame.id === exchange.id
        ? frame
        : undefined
    })
  for (let frame = late(); frame !== undefined; frame = late()) frames.push(frame)
  return frames
}

export const v3Cases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C5.1',
    title: 'sends every frame as one unfragmented binary message of at most 65,536 bytes',
    section: '5.1',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { exchange, call } = await begin(context, tunnel)
      call.answer(200, ['content-length', String(LARGE)], Buffer.alloc(LARGE, 'x'))
      let left = LARGE
      while (left > 0) {
        const bytes = await tunnel.socket.inbox.take(
          `the response, of which ${String(left)} bytes are missing`,
          (event) => {
            if (event.kind === 'text') return `a text message came`
            if (event.kind !== 'binary')
              return event.kind === 'close' || event.kind === 'end' ? 'the socket was closed' : undefined
            if (event.fragments > 1) return `a message came in ${String(event.fragments)} fragments`
            if (event.bytes.length > MAX_MESSAGE) return `a message of ${String(event.bytes.length)} bytes came`
            const frame = frameOf(event)
            if (frame === undefined || (frame.kind !== 'data' && frame.kind !== 'header')) return 0
            exchange.acknowledge(frame.payload.length)
            return frame.kind === 'data' ? frame.payload.length : 0
          },
          context.timeout,
        )
        check(typeof bytes === 'number', 'unfragmented binary messages of at most 65,536 bytes', String(bytes))
        left -= bytes
      }
    },
  },
  {
    id: 'C5.2',
    title: 'answers with HEADER, DATA and one END_STREAM, and sends nothing behind it',
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const { exchange, call } = await begin(context, await context.tunnel())
      call.answer(200, ['content-length', '5'], 'hello')
      const frames = await framesOf(context, exchange)
      const shape = frames.map((frame) => frame.kind).join(' ')
      check(/^header( data)+$/.test(shape), 'one HEADER and DATA, the last with END_STREAM', shape)
      const [head] = frames
      check(
        head?.kind === 'header' && head.endHeaders && !head.end,
        'END_HEADERS, and not END_STREAM, on HEADER',
        'it was otherwise',
      )
      const ends = frames.filter((frame) => frame.kind === 'data' && frame.end).length
      checkSame('frames with END_STREAM', ends, 1)
    },
  },
  {
    id: 'C5.3',
    title: 'ends responses without a body: 204, 304, HEAD',
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      for (const [method, status] of [
        ['GET', 204],
        ['GET', 304],
        ['HEAD', 200],
      ] as const) {
        const { exchange, call } = await begin(context, tunnel, method)
        call.answer(status, method === 'HEAD' ? ['content-length', '5'] : [])
        const head = await exchange.head()
        checkSame(`the status of ${method}`, head.status, status)
        checkSame(`bytes of body of ${method} → ${String(status)}`, (await exchange.body()).length, 0)
        await barrier(context, tunnel)
      }
    },
  },
  {
    id: 'C5.4',
    title: 'takes DATA up to an empty one with END_STREAM for the request body',
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const body = randomBytes(LARGE)
      const exchange = context.exchangeV3(await context.tunnel())
      const fields = ['host:service.example', `content-length:${String(body.length)}`]
      exchange.send({ method: 'POST', target: context.path, fields, body: 'follows' })
      // Some ask the service only when they have the first bytes, or all of them.
      const received = context.call().then(async (call) => ({ call, bytes: await call.body(context.timeout) }))
      await Promise.all([received, exchange.sendBody(body).then(() => exchange.endBody())])
      const { call, bytes } = await received
      check(bytes.equals(body), 'the body at the service byte for byte', 'it differs')
      await finish(exchange, call)
    },
  },
  {
    id: 'C5.5',
    title: 'accepts bytes and END_STREAM in one DATA',
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const exchange = context.exchangeV3(await context.tunnel())
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.sendData(Buffer.from('one '))
      exchange.sendData(Buffer.from('two'), true)
      const call = await context.call()
      checkSame('the body at the service', (await call.body(context.timeout)).toString(), 'one two')
      await finish(exchange, call)
    },
  },
  {
    id: 'C5.6',
    title: 'accepts an empty DATA with END_STREAM as an empty body',
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const exchange = context.exchangeV3(await context.tunnel())
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.endBody()
      const call = await context.call()
      checkSame('bytes of body at the service', (await call.body(context.timeout)).length, 0)
      await finish(exchange, call)
    },
  },
  {
    id: 'C5.7',
    title: 'joins a request head that comes in parts',
    section: '5.2',
    versions: ONLY,
    run: (context) => splitHead(context, 'x'.repeat(20_000), [PART, 18_000], [false, false, true]),
  },
  {
    id: 'C5.8',
    title: 'heeds END_STREAM on HEADER only together with END_HEADERS',
    section: '5.2',
    versions: ONLY,
    run: (context) => splitHead(context, 'x'.repeat(20_000), [PART], [true, true]),
  },
  {
    id: 'C5.9',
    title: 'joins parts of a head that were cut inside a code point',
    section: '5.2',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const before = Buffer.from(
        headText({ target: context.path, fields: ['host:service.example'] }) + 'x-long:',
      ).length
      // Two octets each: one byte further is inside.
      await splitHead(context, '\u00e9'.repeat(200), [before + 101], [false, true])
    },
  },
  {
    id: 'C5.10',
    title: 'sends a head of 16,000 bytes or more in parts, END_HEADERS on the last one only',
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const value = '\u00e9'.repeat(5_000)
      const { exchange, call } = await begin(context, await context.tunnel())
      // 10,000 bytes each on the wire.
      call.answer(200, ['x-a', value, 'x-b', value, 'content-length', '2'], 'ok')
      const head = await exchange.head()
      checkSame('x-b', valuesOf(head, 'x-b')[0], value)
      const parts = exchange.headFrames
      check(parts.length > 1, 'several HEADER frames', `one of ${String(parts[0]?.payload.length)} bytes`)
      const broken = parts.find(({ payload }) => payload.toString('utf8').includes('\ufffd'))
      check(broken === undefined, 'parts that end between code points', 'one ends inside a code point')
      check(!parts.slice(0, -1).some(({ end }) => end), 'END_STREAM on no part but the last', 'an earlier one has it')
      checkSame('the body', (await exchange.body()).toString(), 'ok')
    },
  },
  {
    id: 'C5.11',
    title: `serves ${String(PARALLEL)} exchanges at once, and one that is held up delays no other`,
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const held = await begin(context, tunnel)
      const exchanges = Array.from({ length: PARALLEL }, (_, index) => {
        const exchange = context.exchangeV3(tunnel)
        exchange.send({ target: `${context.path}/n${String(index)}.` })
        return exchange
      })
      const bodies = exchanges.map((_, index) => `${String(index)} `.repeat(5_000))
      await Promise.all(
        exchanges.map(async (exchange, index) => {
          const call = await context.call(`${context.path}/n${String(index)}.`)
          call.answer(200, [], bodies[index])
          await expectResponse(exchange, 200, bodies[index] ?? '')
        }),
      )
      held.call.answer(200, ['content-length', '4'], 'held')
      await expectResponse(held.exchange, 200, 'held')
    },
  },
  {
    id: 'C5.12',
    title: 'takes request ids out of order',
    section: '5.6',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const first = context.exchangeV3(tunnel)
      const second = context.exchangeV3(tunnel)
      for (const exchange of [second, first]) exchange.send({ target: `${context.path}/id-${String(exchange.id)}.` })
      for (const exchange of [second, first]) {
        const call = await context.call(`${context.path}/id-${String(exchange.id)}.`)
        call.answer(200, [], String(exchange.id))
        await expectResponse(exchange, 200, String(exchange.id))
      }
    },
  },
  {
    id: 'C5.13',
    title: 'answers before the request has ended, and survives the rest of it',
    section: '5.2',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const exchange = context.exchangeV3(tunnel)
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.sendData(Buffer.from('the beginning'))
      const call = await context.call()
      call.answer(413, ['content-length', '9'], 'too large')
      await expectResponse(exchange, 413, 'too large')
      exchange.sendData(Buffer.from('the rest'), true)
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.14',
    title: 'ends the request to the service on RST_STREAM, with or without a code',
    section: '5.3',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const coded = await begin(context, tunnel)
      coded.exchange.abort()
      await coded.call.ended(context.timeout)
      const bare = await begin(context, tunnel)
      tunnel.socket.sendBinary(rawFrame(3, 0, bare.exchange.id))
      await bare.call.ended(context.timeout)
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.15',
    title: 'tells a service that cannot be reached by RST_STREAM 1011, or by a 5xx of its own, and keeps the socket',
    section: '5.3',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const outcome = await unreachable(context, tunnel)
      if ('status' in outcome) check(outcome.status >= 500, 'a status of 500 or more', String(outcome.status))
      else checkSame('the code of RST_STREAM', outcome.code, SERVICE_FAILED)
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.16',
    title: 'names nothing internal when its service cannot be reached',
    section: '5.3',
    versions: ONLY,
    run: async (context) => {
      const outcome = await unreachable(context, await context.tunnel())
      const address = [`:${String(context.bench.service.port)}`, context.bench.service.authority]
      const found = [...address, ...INTERNAL].find((word) => outcome.text.includes(word))
      check(found === undefined, 'a text without addresses and stack traces (section 13.3)', shown(outcome.text))
      if ('status' in outcome) return
      const length = Buffer.byteLength(outcome.text)
      check(length < MAX_TEXT, `a text below ${String(MAX_TEXT)} bytes`, `${String(length)} bytes`)
    },
  },
  {
    id: 'C5.17',
    title: 'tells a response that broke off by RST_STREAM, and keeps the socket',
    section: '5.3',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { exchange, call } = await begin(context, tunnel)
      call.res.writeHead(200, ['content-length', '100'])
      call.res.write('only this')
      await exchange.head()
      call.destroy()
      const { code } = await exchange.failure()
      check(code !== REFUSED, 'a code other than 7, which says that the service has not seen the request', '7')
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.18',
    title: 'ignores what comes for an exchange that is over',
    section: '5.6',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { exchange, call } = await begin(context, tunnel)
      await finish(exchange, call)
      tunnel.socket.sendBinary(data(exchange.id, 'late'))
      exchange.acknowledge(5)
      exchange.abort()
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.33',
    title: 'takes no HEADER with the id of an exchange that is over for a new request',
    section: '5.6',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { exchange, call } = await begin(context, tunnel)
      await finish(exchange, call)
      const target = `${context.path}/again`
      tunnel.socket.sendBinary(header(exchange.id, headText({ target }), { endStream: true }))
      await context.stillServes(tunnel)
      const { calls } = context.bench.service
      const same = (other: ServiceCall): ServiceCall | undefined => (other.target === target ? other : undefined)
      const again = await calls.take('a second request', same, QUIET_MS).catch(() => undefined)
      again?.answer(204)
      check(again === undefined, 'no second request for a finished id', 'it was given to the service')
    },
  },
]

/** A request whose head, with `value` in a field, is cut at these bytes; `ends`: END_STREAM of each part. */
async function splitHead(
  context: ConnectorContext,
  value: string,
  cuts: readonly number[],
  ends: readonly boolean[],
): Promise<void> {
  const tunnel = await context.tunnel()
  const exchange = context.exchangeV3(tunnel)
  const text = Buffer.from(headText({ target: context.path, fields: ['host:service.example', `x-long:${value}`] }))
  const edges = [0, ...cuts, text.length]
  ends.forEach((endStream, index) => {
    const part = text.subarray(edges[index], edges[index + 1])
    exchange.sendHeader(part, { endStream, endHeaders: index === ends.length - 1 })
  })
  const call = await context.call()
  checkSame('x-long at the service', call.values('x-long')[0], value)
  await finish(exchange, call)
}

/** A request while the service is down. */
async function unreachable(context: ConnectorContext, tunnel: Tunnel): Promise<Failure | Answer> {
  const exchange = context.exchangeV3(tunnel)
  const comeBack = await context.bench.service.goDown()
  try {
    exchange.send({ target: context.path })
    return await failureOrAnswer(exchange)
  } finally {
    await comeBack()
  }
}
