/** docs/protocol.md, section 5: version 3.0. */
import { check, CheckFailure, checkSame, NotApplicable, shown, type Case } from '../case.js'
import { frameOf, rawFrame, windowUpdate } from '../frames.js'
import type { RouterContext } from './context.js'
import { ExchangeV3, PAUSE_ABOVE } from './exchange.js'

const V3 = ['3.0'] as const
/** RFC 9113's PING is nothing here. */
const UNKNOWN_TYPE = 6
const MAX_FRAME = 65_536

/** One exchange runs while something odd happens to another; it must not notice. */
async function unharmed(context: RouterContext, odd: (exchange: ExchangeV3) => Promise<void>): Promise<void> {
  const first = await context.startV3()
  const bystander = context.client({ target: context.path('/bystander') })
  const other = await ExchangeV3.take(first.socket, context.timeout)
  await odd(first.exchange)
  check(first.socket.open, 'the socket to stay open', 'it was closed')
  other.respond('200 OK', ['content-length:4'], 'fine')
  const { body } = await bystander.whole()
  checkSame('the body of the other exchange', body.toString('latin1'), 'fine')
}

export const v3Cases: readonly Case<RouterContext>[] = [
  {
    id: 'R5.1',
    title: 'counts request ids up from 1 on each socket',
    section: '5.6',
    versions: V3,
    run: async (context) => {
      const socket = await context.register()
      for (const id of [1, 2, 3]) {
        const client = context.client()
        const exchange = await ExchangeV3.take(socket, context.timeout)
        checkSame('the request id', exchange.id, id)
        exchange.respond('200 OK', ['content-length:0'])
        await context.expectStatus(client, 200)
      }
    },
  },
  {
    id: 'R5.2',
    title: 'sends a request without a body as HEADER with END_STREAM and END_HEADERS',
    section: '5.2',
    versions: V3,
    run: async (context) => {
      const { exchange } = await context.startV3()
      check(!exchange.request.hasBody, 'END_STREAM on the HEADER frame', 'it is not set')
    },
  },
  {
    id: 'R5.3',
    title: 'sends a body as DATA of at most 65,536 bytes a frame, the last one with END_STREAM',
    section: '5.2',
    versions: V3,
    run: async (context) => {
      const sent = Buffer.alloc(300_000, 'abcdefg')
      const { client, exchange } = await context.startV3({ method: 'POST', body: sent })
      check(exchange.request.hasBody, 'no END_STREAM on the HEADER frame', 'it is set')
      const pieces: Buffer[] = []
      for (let end = false; !end;) {
        const frame = await exchange.next('DATA, the last one with END_STREAM')
        if (frame.kind !== 'data') throw new CheckFailure('DATA', `${frame.kind} came`)
        check(frame.payload.length + 6 <= MAX_FRAME, 'frames of at most 65,536 bytes', String(frame.payload.length + 6))
        pieces.push(frame.payload)
        end = frame.end
      }
      check(Buffer.concat(pieces).equals(sent), 'the body that the client sent', 'other bytes')
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R5.4',
    title: 'sends every frame as one unfragmented binary message',
    section: '5.1',
    versions: V3,
    run: async (context) => {
      const socket = await context.register()
      const client = context.client({ method: 'POST', body: Buffer.alloc(60_000, 'x') })
      for (let end = false; !end;) {
        const { event, frame } = await socket.inbox.take(
          'frames of the request, to its END_STREAM',
          (each) =>
            each.kind === 'binary' || each.kind === 'text' ? { event: each, frame: frameOf(each) } : undefined,
          context.timeout,
        )
        checkSame('the kind of message', event.kind, 'binary')
        checkSame('WebSocket fragments per frame', event.fragments, 1)
        end = frame?.kind === 'data' && frame.end
      }
      checkSame('broken rules of RFC 6455', socket.faults.join('; '), '')
      client.leave()
    },
  },
  {
    id: 'R5.5',
    title: 'takes a last DATA that carries bytes, and an empty one',
    section: '5.2',
    versions: V3,
    run: async (context) => {
      for (const last of ['llo', '']) {
        const { client, exchange } = await context.startV3()
        exchange.head('HTTP/1.1 200 OK\n')
        exchange.frame(last === '' ? 'hello' : 'he')
        exchange.frame(last, true)
        const { body } = await client.whole()
        checkSame('the body', body.toString('latin1'), 'hello')
      }
    },
  },
  {
    id: 'R5.6',
    title: 'takes HEADER with END_STREAM for a complete response',
    section: '5.2',
    versions: V3,
    run: async (context) => {
      const { client, exchange } = await context.startV3()
      exchange.head('HTTP/1.1 204 No Content\n', { endStream: true })
      const { response } = await client.whole()
      checkSame('the status', response.status, 204)
    },
  },
  {
    id: 'R5.7',
    title: 'splits a long head into HEADER frames between code points, END_HEADERS on the last one only',
    section: '5.2',
    versions: V3,
    run: async (context) => {
      const socket = await context.register()
      const value = '\xe9'.repeat(4_000)
      const fields = ['a', 'b', 'c'].map((name) => [`X-${name}`, value] as const)
      const client = context.client({ fields })
      const exchange = await ExchangeV3.take(socket, context.timeout).catch(async (error: unknown) => {
        const response = await client.response().catch(() => undefined)
        if (response === undefined || response.status >= 500) throw error
        throw new NotApplicable(`the router takes no heads of 12 KB: ${String(response.status)}`)
      })
      check(exchange.headFrames.length > 1, 'several HEADER frames', 'one of more than 16,000 bytes')
      for (const { payload } of exchange.headFrames) {
        const text = payload.toString('utf8')
        check(Buffer.from(text, 'utf8').equals(payload), 'parts that are UTF-8 each', 'a code point is split')
      }
      check(exchange.request.text.includes(value), 'the value that the client sent', 'another one')
    },
  },
  {
    id: 'R5.8',
    title: 'joins the parts of a response head, also within a code point',
    section: '5.2',
    level: 'should',
    versions: V3,
    run: async (context) => {
      const { client, exchange } = await context.startV3()
      const head = Buffer.from('HTTP/1.1 200 OK\nx-a:caf\xe9\ncontent-length:0\n', 'utf8')
      const cut = head.indexOf(0xc3) + 1
      exchange.head(head.subarray(0, cut), { endHeaders: false })
      exchange.head(head.subarray(cut))
      exchange.end()
      const response = await context.expectStatus(client, 200)
      const value = response.fields.find(([name]) => name.toLowerCase() === 'x-a')?.[1]
      checkSame('x-a', value, 'caf\xe9')
    },
  },
  {
    id: 'R5.9',
    title: 'answers 502 for RST_STREAM before the head, with a code, and without one',
    section: '5.3',
    versions: V3,
    run: async (context) => {
      const coded = await context.startV3()
      coded.exchange.reset(1011, 'failed')
      await context.expectStatus(coded.client, 502)
      const bare = context.client()
      const exchange = await ExchangeV3.take(coded.socket, context.timeout)
      coded.socket.sendBinary(rawFrame(3, 0, exchange.id))
      await context.expectStatus(bare, 502)
    },
  },
  {
    id: 'R5.10',
    title: 'breaks the response off for RST_STREAM after the head',
    section: '5.3',
    versions: V3,
    run: async (context) => {
      const { client, exchange } = await context.startV3()
      exchange.head('HTTP/1.1 200 OK\n')
      exchange.frame('part')
      await client.response()
      exchange.reset(1011, 'failed')
      await client.broken()
    },
  },
  {
    id: 'R5.11',
    title: 'does not show the text of RST_STREAM to clients',
    section: '5.3',
    versions: V3,
    run: async (context) => {
      const { client, exchange } = await context.startV3()
      const secret = 'secret-10.1.2.3:8080'
      exchange.reset(1011, secret)
      const { response, body } = await client.whole()
      const shownToClient = JSON.stringify(response.fields) + body.toString('latin1')
      check(!shownToClient.includes(secret), 'an answer without the text', shown(body.toString('latin1')))
    },
  },
  {
    id: 'R5.12',
    title: 'sends RST_STREAM when the client leaves, and keeps the socket',
    section: '5.3',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3()
      client.leave()
      await exchange.aborted()
      await context.stillServes(socket)
    },
  },
  {
    id: 'R5.13',
    title: 'carries exchanges side by side on one socket, answered in any order',
    section: '5.2',
    versions: V3,
    run: async (context) => {
      const socket = await context.register()
      const clients = Array.from({ length: 10 }, (_, i) => context.client({ target: context.path(`/${String(i)}`) }))
      const exchanges: ExchangeV3[] = []
      for (let i = 0; i < clients.length; i++) exchanges.push(await ExchangeV3.take(socket, context.timeout))
      for (const exchange of exchanges.toReversed()) exchange.respond('200 OK', [], exchange.request.target)
      for (const [i, client] of clients.entries()) {
        const { body } = await client.whole()
        checkSame('the body', body.toString('latin1'), context.path(`/${String(i)}`))
      }
    },
  },
  {
    id: 'R5.14',
    title: 'takes a response that is complete before its request, and keeps the socket',
    section: '5.2',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3({ method: 'POST', body: 'follows' })
      client.write(Buffer.from('begun'))
      exchange.respond('413 Too Large', ['content-length:0'])
      await context.expectStatus(client, 413)
      await context.stillServes(socket)
    },
  },
  {
    id: 'R5.20',
    title: 'pauses above 65,536 unacknowledged bytes, and goes on when they are acknowledged',
    section: '5.4',
    versions: V3,
    run: async (context) => {
      const sent = Buffer.alloc(400_000, 'abcdefg')
      const { client, exchange } = await context.startV3({ method: 'POST', body: sent }, false)
      const pieces: Buffer[] = []
      const read = async (): Promise<boolean> => {
        const frame = await exchange.next('DATA')
        if (frame.kind !== 'data') throw new CheckFailure('DATA', `${frame.kind} came`)
        pieces.push(frame.payload)
        return frame.end
      }
      while (exchange.owed <= PAUSE_ABOVE) await read()
      // It may overshoot by one frame.
      const overshoot = await exchange.drain(context.quiet, (payload) => pieces.push(payload))
      const most = PAUSE_ABOVE + MAX_FRAME
      check(overshoot <= most, `a pause above ${String(PAUSE_ABOVE)} bytes`, `${String(overshoot)} bytes came`)
      exchange.acknowledges = true
      exchange.acknowledge(exchange.owed)
      while (!(await read()));
      check(Buffer.concat(pieces).equals(sent), 'the body that the client sent', 'other bytes')
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R5.21',
    title: 'lets the count go below zero: bytes acknowledged ahead widen the window',
    section: '5.4',
    level: 'should',
    versions: V3,
    run: async (context) => {
      const sent = Buffer.alloc(300_000, 'abcdefg')
      const { exchange } = await context.startV3({ method: 'POST', body: sent }, false)
      exchange.acknowledge(1_000_000)
      const body = await exchange.body()
      check(body.equals(sent), 'the whole body without a further acknowledgement', `${String(body.length)} bytes`)
    },
  },
  {
    id: 'R5.22',
    title: 'never holds back 16,384 bytes or more of acknowledgements, HEADER bytes included',
    section: '5.4',
    versions: V3,
    run: async (context) => {
      for (const piece of [16_384, 500]) {
        const { client, exchange } = await context.startV3()
        exchange.head(`HTTP/1.1 200 OK\nx-padding:${'p'.repeat(8_000)}\n`)
        const whole = client.whole()
        // The kit may fail before it waits for it.
        whole.catch(() => {})
        const bytes = Buffer.alloc(200_000, 'abcdefg')
        await exchange.sendWindowed(bytes, piece)
        exchange.collect()
        while (exchange.sent - exchange.acknowledged >= 16_384) await exchange.acknowledgement()
        exchange.end()
        const { body } = await whole
        check(body.equals(bytes), 'the body that was sent', `${String(body.length)} other bytes`)
      }
    },
  },
  {
    id: 'R5.23',
    title: 'does not let a client that reads nothing hold up another one on the same socket',
    section: '5.4',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3()
      exchange.head('HTTP/1.1 200 OK\n')
      // Some routers pass a head on together with the first bytes.
      exchange.frame('first')
      const response = await client.response()
      response.message.pause()
      const piece = Buffer.alloc(16_384)
      // As much as the window allows, until it allows no more.
      for (let sent = 0; sent < 16 * 1024 * 1024; sent += piece.length) {
        exchange.collect()
        if (exchange.sent - exchange.acknowledged > PAUSE_ABOVE) {
          const more = await Promise.race([
            exchange.acknowledgement().then(() => true),
            context.rest().then(() => false),
          ])
          if (!more) break
        }
        exchange.frame(piece)
      }
      await context.stillServes(socket)
    },
  },
  {
    id: 'R5.24',
    title: 'ignores WINDOW_UPDATE of nothing, and for exchanges that are over or unknown',
    section: '5.4',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3()
      socket.sendBinary(windowUpdate(exchange.id, 0))
      socket.sendBinary(windowUpdate(77_777, 5))
      exchange.respond('200 OK', ['content-length:0'])
      socket.sendBinary(windowUpdate(exchange.id, 15))
      await context.expectStatus(client, 200)
      await context.stillServes(socket)
    },
  },
  {
    id: 'R5.25',
    title: 'resets an exchange that sends far more than its window allows, or closes the socket',
    section: '5.5',
    level: 'should',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3()
      exchange.head('HTTP/1.1 200 OK\n')
      // Some routers pass a head on together with the first bytes.
      exchange.frame('first')
      const response = await client.response()
      response.message.pause()
      const piece = Buffer.alloc(16_384)
      for (let sent = 0; sent < 24 * 1024 * 1024; sent += piece.length) exchange.frame(piece)
      await socket.inbox.take(
        'RST_STREAM for an exchange that overran its window by 24 MiB',
        (event) => {
          const frame = frameOf(event)
          if (event.kind === 'close' || event.kind === 'end') return true
          return frame?.kind === 'rst' && frame.id === exchange.id ? true : undefined
        },
        context.timeout,
      )
    },
  },
  {
    id: 'R5.30',
    title: 'ignores unknown types and unknown ids',
    section: '5.5',
    versions: V3,
    run: (context) =>
      unharmed(context, async (exchange) => {
        exchange.socket.sendBinary(rawFrame(UNKNOWN_TYPE, 0xff, exchange.id, Buffer.from('?')))
        exchange.socket.sendBinary(rawFrame(0, 1, 77_777, Buffer.from('nobody')))
        exchange.socket.sendBinary(rawFrame(3, 0, 77_777))
        exchange.respond('200 OK', ['content-length:0'])
        await context.rest()
      }),
  },
  {
    id: 'R5.31',
    title: 'ignores text messages',
    section: '5.5',
    versions: V3,
    run: (context) =>
      unharmed(context, async (exchange) => {
        exchange.socket.sendText('HTTP/1.1 500 Not a frame\n')
        exchange.respond('200 OK', ['content-length:0'])
        await context.rest()
      }),
  },
  {
    id: 'R5.32',
    title: 'closes the socket for a frame of fewer than 6 bytes',
    section: '5.5',
    versions: V3,
    run: async (context) => {
      const socket = await context.register()
      socket.sendBinary(Buffer.from([0, 1, 0, 0, 0]))
      await context.ended(socket)
    },
  },
  {
    id: 'R5.33',
    title: 'ends only its exchange for an unreadable head',
    section: '5.5',
    level: 'should',
    versions: V3,
    run: (context) =>
      unharmed(context, async (exchange) => {
        exchange.head('HELLO\n')
        await context.rest()
      }),
  },
  {
    id: 'R5.34',
    title: 'answers 502 for DATA before HEADER, and ends only that exchange',
    section: '5.5',
    level: 'should',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3()
      exchange.frame('too early', true)
      await context.expectStatus(client, 502)
      await context.stillServes(socket)
    },
  },
  {
    id: 'R5.35',
    title: 'ends only its exchange for a WINDOW_UPDATE without an increment',
    section: '5.5',
    level: 'should',
    versions: V3,
    run: (context) =>
      unharmed(context, async (exchange) => {
        exchange.socket.sendBinary(rawFrame(8, 0, exchange.id, Buffer.from([0, 0])))
        await context.rest()
      }),
  },
  {
    id: 'R5.36',
    title: 'does not let frames after the end of a response disturb the next one',
    section: '5.5',
    versions: V3,
    run: async (context) => {
      const { client, exchange, socket } = await context.startV3()
      exchange.respond('200 OK', ['content-length:2'], 'ok')
      exchange.frame('late')
      exchange.end()
      exchange.reset(1011, 'late')
      const { body } = await client.whole()
      checkSame('the body', body.toString('latin1'), 'ok')
      await context.stillServes(socket)
    },
  },
]
