/** docs/protocol.md, section 4: version 1.0. */
import { randomBytes } from 'node:crypto'
import { check, checkSame, CheckFailure, shown, type Case } from '../case.js'
import type { ConnectorContext } from './context.js'
import { failureOrAnswer, finish, parseHead } from './exchange.js'
import type { Tunnel } from './lobby.js'

const ONLY = ['1.0'] as const
/** Section 4.3. */
const MAX_MESSAGE = 16_384
const LARGE = 300_000
/** Longer than kernel buffers on loopback. */
const FLOOD_CHUNK = Buffer.alloc(256 * 1024, 'x')
const FLOOD_LIMIT = 64 * 1024 * 1024
/** A writer that nobody reads for so long has been stopped. */
const STALL_MS = 1_500
/** Between two pieces of a response. */
const TICK_MS = 200
/** While a peer delays its answer to a Close frame. */
const DELAY_MS = 700

const complete = (code: number): boolean => code === 1000 || code === 1005

/** Everything that the connector sends on this socket until its Close frame, which the kit leaves unanswered. */
async function rawResponse(
  context: ConnectorContext,
  tunnel: Tunnel,
): Promise<{ kinds: string[]; sizes: number[]; code: number }> {
  const kinds: string[] = []
  const sizes: number[] = []
  for (;;) {
    const event = await tunnel.socket.inbox.take('a Close frame behind the response', (e) => e, context.timeout)
    if (event.kind === 'close') return { kinds, sizes, code: event.code }
    if (event.kind === 'end') throw new CheckFailure('a Close frame behind the response', 'the TCP connection ended')
    if (event.kind === 'ping' || event.kind === 'pong') continue
    kinds.push(event.kind)
    sizes.push(event.bytes.length)
  }
}

export const v1Cases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C4.1',
    title: 'takes marker _2 for a request without a body',
    section: '4.1',
    versions: ONLY,
    run: async (context) => {
      const { exchange, call } = await context.start()
      checkSame('transfer-encoding at the service', call.values('transfer-encoding').join(), '')
      checkSame('bytes of body at the service', (await call.body(context.timeout)).length, 0)
      await finish(exchange, call)
    },
  },
  {
    id: 'C4.2',
    title: 'takes marker _1, binary messages and _3 for a body',
    section: '4.1',
    versions: ONLY,
    run: async (context) => {
      const body = randomBytes(LARGE)
      const exchange = context.exchange(await context.tunnel())
      const fields = ['host:service.example', `content-length:${String(body.length)}`]
      exchange.send({ method: 'POST', target: context.path, fields, body: 'follows' })
      // Some ask the service only when they have the first bytes, or all of them.
      await exchange.sendBody(body)
      exchange.endBody()
      const call = await context.call()
      check((await call.body(context.timeout)).equals(body), 'the body at the service byte for byte', 'it differs')
      checkSame('content-length at the service', call.values('content-length').join(), String(body.length))
      await finish(exchange, call)
    },
  },
  {
    id: 'C4.3',
    title: 'passes on a body of unknown length',
    section: '4.1',
    versions: ONLY,
    run: async (context) => {
      const exchange = context.exchange(await context.tunnel())
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      for (const piece of ['one ', 'two ', 'three']) await exchange.sendBody(Buffer.from(piece))
      exchange.endBody()
      const call = await context.call()
      checkSame('the body at the service', (await call.body(context.timeout)).toString(), 'one two three')
      await finish(exchange, call)
    },
  },
  {
    id: 'C4.4',
    title: 'takes _1 directly followed by _3 for an empty body',
    section: '4.1',
    versions: ONLY,
    run: async (context) => {
      const exchange = context.exchange(await context.tunnel())
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.endBody()
      const call = await context.call()
      checkSame('bytes of body at the service', (await call.body(context.timeout)).length, 0)
      await finish(exchange, call)
    },
  },
  {
    id: 'C4.5',
    title: 'answers with one text message, binary messages and Close 1000',
    section: '4.2',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { call } = await context.start({}, tunnel)
      call.answer(200, ['content-length', '5'], 'hello')
      const { kinds, code } = await rawResponse(context, tunnel)
      check(/^text( binary)+$/.test(kinds.join(' ')), 'one text message, then binary ones', kinds.join(', '))
      check(complete(code), 'Close 1000, or without a code', `Close ${String(code)}`)
    },
  },
  {
    id: 'C4.6',
    title: 'sends no message above 16,384 bytes',
    section: '4.3',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { call } = await context.start({}, tunnel)
      call.answer(200, ['content-length', String(LARGE)], Buffer.alloc(LARGE, 'x'))
      const { sizes, code } = await rawResponse(context, tunnel)
      const largest = Math.max(...sizes)
      check(largest <= MAX_MESSAGE, `messages of at most ${String(MAX_MESSAGE)} bytes`, `one has ${String(largest)}`)
      checkSame(
        'bytes of body',
        sizes.slice(1).reduce((sum, size) => sum + size, 0),
        LARGE,
      )
      check(complete(code), 'Close 1000, or without a code', `Close ${String(code)}`)
    },
  },
  {
    id: 'C4.7',
    title: 'answers 204, 304 and HEAD with a head and Close alone',
    section: '4.2',
    versions: ONLY,
    run: async (context) => {
      for (const [method, status] of [
        ['GET', 204],
        ['GET', 304],
        ['HEAD', 200],
      ] as const) {
        const tunnel = await context.tunnel()
        const { call } = await context.start({ method }, tunnel)
        call.answer(status, method === 'HEAD' ? ['content-length', '5'] : [])
        const { kinds, code } = await rawResponse(context, tunnel)
        checkSame(`the messages of ${method} → ${String(status)}`, kinds.join(', '), 'text')
        check(complete(code), 'Close 1000, or without a code', `Close ${String(code)}`)
      }
    },
  },
  {
    id: 'C4.8',
    title: 'keeps the connection until the close handshake is done',
    section: '4.2',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      tunnel.socket.autoClose = false
      const { call } = await context.start({}, tunnel)
      call.answer(200, ['content-length', '5'], 'hello')
      await rawResponse(context, tunnel)
      await tunnel.socket.inbox.none(
        'end of the TCP connection before the Close frame is answered',
        ({ kind }) => kind === 'end',
        DELAY_MS,
      )
      tunnel.socket.close(1000)
    },
  },
  {
    id: 'C4.9',
    title: 'sends a ping behind a long body, and Close when the pong has come',
    section: '4.2',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      tunnel.socket.autoPong = false
      const { call } = await context.start({}, tunnel)
      call.answer(200, ['content-length', String(LARGE)], Buffer.alloc(LARGE, 'x'))
      for (let bytes = 0; ;) {
        const what = bytes < LARGE ? 'the rest of the body' : 'a ping behind the last byte of the body'
        const event = await tunnel.socket.inbox.take(what, (e) => e, context.timeout)
        if (event.kind === 'binary') bytes += event.bytes.length
        check(event.kind !== 'close', 'a ping behind the body, and Close on its pong', 'Close came at once')
        check(event.kind !== 'end', 'a ping behind the body, and Close on its pong', 'the TCP connection ended')
        if (event.kind !== 'ping') continue
        tunnel.socket.pong(event.bytes)
        if (bytes === LARGE) break
      }
      const { code } = await rawResponse(context, tunnel)
      check(complete(code), 'Close 1000, or without a code', `Close ${String(code)}`)
    },
  },
  {
    id: 'C4.10',
    title: 'stops reading its service while the router does not read, and loses nothing',
    section: '4.3',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { exchange, call } = await context.start({}, tunnel)
      await tunnel.socket.inbox.none('response before the service has answered', ({ kind }) => kind === 'text', 1)
      tunnel.socket.pause()
      call.res.writeHead(200)
      const written = await flood(call.res)
      check(
        written < FLOOD_LIMIT,
        `the service to be stopped before ${String(FLOOD_LIMIT)} bytes`,
        `it wrote ${String(written)}`,
      )
      call.res.end()
      tunnel.socket.resume()
      await exchange.head()
      checkSame('bytes of body', (await exchange.body()).length, written)
    },
  },
  {
    id: 'C4.11',
    title: 'tells a service that cannot be reached by Close 1011, or by a 5xx of its own',
    section: '4.4',
    versions: ONLY,
    run: async (context) => {
      const exchange = context.exchange(await context.tunnel())
      const comeBack = await context.bench.service.goDown()
      try {
        exchange.send({ target: context.path })
        const outcome = await failureOrAnswer(exchange)
        if ('status' in outcome) check(outcome.status >= 500, 'a status of 500 or more', String(outcome.status))
        else checkSame('the close code', outcome.code, 1011)
      } finally {
        await comeBack()
      }
    },
  },
  {
    id: 'C4.12',
    title: 'tells a response that broke off by another code than 1000',
    section: '4.4',
    versions: ONLY,
    run: async (context) => {
      const { exchange, call } = await context.start()
      call.res.writeHead(200, ['content-length', '100'])
      call.res.write('only this')
      await exchange.head()
      call.destroy()
      await exchange.failure()
    },
  },
  {
    id: 'C4.13',
    title: 'ends the request to the service when the client leaves in the middle of the response',
    section: '4.5',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const { exchange, call } = await context.start()
      call.res.writeHead(200)
      call.res.write('the beginning')
      await exchange.head()
      exchange.abort()
      // Some notice it only when they have something to send.
      const ticking = setInterval(() => call.res.write('more'), TICK_MS)
      await call.ended(context.timeout).finally(() => {
        clearInterval(ticking)
      })
    },
  },
  {
    id: 'C4.14',
    title: 'ends the request to the service when the client leaves before the response',
    section: '4.5',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const { exchange, call } = await context.start()
      exchange.abort()
      await call.ended(context.timeout)
    },
  },
  {
    id: 'C4.15',
    title: 'closes a socket with an unreadable request, and goes on with others',
    section: '4.7',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const exchange = context.exchange(tunnel)
      exchange.sendHead('nonsense\n', false)
      const event = await tunnel.socket.inbox.take(
        'the socket to be closed, or a response with an error',
        (e) => (e.kind === 'close' || e.kind === 'end' || e.kind === 'text' ? e : undefined),
        context.timeout,
      )
      if (event.kind === 'text') {
        const { status } = parseHead(event.bytes.toString())
        check(status >= 400, 'an error', shown(event.bytes.toString()))
      }
      await context.stillServes(tunnel)
    },
  },
]

/** Writes until nobody takes any more; resolves with the bytes written. */
async function flood(res: {
  write(chunk: Buffer): boolean
  once(event: 'drain', listener: () => void): unknown
}): Promise<number> {
  let written = 0
  for (;;) {
    written += FLOOD_CHUNK.length
    if (res.write(FLOOD_CHUNK) || written >= FLOOD_LIMIT) {
      if (written >= FLOOD_LIMIT) return written
      continue
    }
    const drained = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(resolve, STALL_MS, false)
      res.once('drain', () => {
        clearTimeout(timer)
        resolve(true)
      })
    })
    if (!drained) return written
  }
}
