/** docs/protocol.md, sections 6 and 8: liveness, choosing a socket, what may be forwarded. */
import { check, CheckFailure, checkSame, shown, type Case } from '../case.js'
import { frameOf } from '../frames.js'
import type { RawSocket } from '../socket.js'
import { valuesOf } from './client.js'
import type { RouterContext } from './context.js'
import { fieldsOf } from './exchange.js'

const BOTH = ['3.0', '1.0'] as const
/** Sections 6.1 and 6.2: pings every 10 s at least, and dead after 20 s of silence; with room for slow timers. */
const PING_WITHIN_MS = 12_000
const DEAD_WITHIN_MS = 45_000

/** Whether a request has come over this socket. */
function isRequest(socket: RawSocket): (event: Parameters<typeof frameOf>[0]) => boolean {
  return (event) => (socket.version === '3.0' ? frameOf(event)?.kind === 'header' : event.kind === 'text')
}

/** The router answers by itself, with a status in the range, and nothing reaches the connector. */
async function turnedAway(
  context: RouterContext,
  send: (context: RouterContext) => Promise<number>,
  least = 400,
): Promise<void> {
  const socket = await context.register()
  const status = await send(context)
  check(status >= least && status < 600, `a status of ${String(least)} or more`, String(status))
  await socket.inbox.none('request at the connector', isRequest(socket), context.quiet)
}

/** A request line as given; the status of the answer. */
async function rawStatus(context: RouterContext, line: string): Promise<number> {
  const { host } = context.bench.public.url
  const answer = await context.raw(`${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer)?.[1]
  // A connection that is cut is an answer too: nothing was forwarded.
  return status === undefined ? 400 : Number(status)
}

const livenessCases: readonly Case<RouterContext>[] = [
  {
    id: 'R6.1',
    title: 'answers pings with their payload, in order',
    section: '6.1',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      const payloads = [Buffer.from([1]), Buffer.alloc(125, 7)]
      for (const payload of payloads) socket.ping(payload)
      const last = payloads.at(-1) ?? Buffer.alloc(0)
      // Of several pings only the newest need be answered (RFC 6455 §5.5.3).
      await context.pong(socket, last)
    },
  },
  {
    id: 'R6.2',
    title: 'sends pings of at most 125 bytes at least every 10 s',
    section: '6.1',
    level: 'should',
    versions: BOTH,
    alongside: true,
    run: async (context) => {
      const socket = await context.register()
      const ping = await socket.inbox.take(
        'a ping',
        (event) => (event.kind === 'ping' ? event : undefined),
        PING_WITHIN_MS,
      )
      check(ping.bytes.length <= 125, 'at most 125 bytes', String(ping.bytes.length))
    },
  },
  {
    id: 'R6.3',
    title: 'gives up a socket on which nothing has come for 20 s',
    section: '6.2',
    level: 'should',
    versions: BOTH,
    alongside: true,
    slow: true,
    run: async (context) => {
      const socket = await context.register()
      socket.autoPong = false
      await context.ended(socket, DEAD_WITHIN_MS)
    },
  },
]

const choiceCases: readonly Case<RouterContext>[] = [
  {
    id: 'R8.1',
    title: 'matches whole path segments: a route does not serve a longer name',
    section: '8.1',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      const client = context.client({ target: `/${context.route}longer/x` })
      await socket.inbox.none('request for another name', isRequest(socket), context.quiet)
      client.leave()
    },
  },
  {
    id: 'R8.2',
    title: 'prefers the longest route',
    section: '8.1',
    versions: BOTH,
    run: async (context) => {
      await context.register()
      const longer = await context.register({ route: `${context.route}/deep` })
      const client = context.client({ target: context.path('/deep/x') })
      const exchange = await context.take(longer)
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R8.3',
    title: 'spreads exchanges over the sockets of a route',
    section: '8.1',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const sockets = [await context.register(), await context.register()]
      const clients = [context.client(), context.client()]
      for (const socket of sockets) (await context.take(socket)).respond('200 OK', ['content-length:0'])
      for (const client of clients) await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R8.4',
    title: 'answers 404 or 503 for a route that nobody has registered',
    section: '8.1',
    versions: 'any',
    alongside: true,
    run: async (context) => {
      const response = await context.client({ target: `/${context.route}-nobody` }).response(20_000)
      check([404, 503].includes(response.status), '404 or 503', String(response.status))
    },
  },
  {
    id: 'R8.5',
    title: 'lets a request wait for a socket of a route that has just lost its last one',
    section: '8.1',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const first = await context.register()
      first.close(1000)
      await context.ended(first)
      const client = context.client()
      await context.rest()
      const exchange = await context.take(await context.register())
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
]

const fieldCases: readonly Case<RouterContext>[] = [
  {
    id: 'R8.10',
    title: 'does not forward hop-by-hop fields of requests, nor those that Connection names',
    section: '8.2',
    versions: BOTH,
    run: async (context) => {
      const fields = [
        ['Connection', 'keep-alive, X-Named, Authorization'],
        ['Keep-Alive', 'timeout=5'],
        ['Proxy-Connection', 'keep-alive'],
        ['TE', 'gzip'],
        ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
        ['Proxy-Authorization', 'Basic eDp5'],
        ['X-Named', 'yes'],
        ['Authorization', 'Basic eDp5'],
        ['X-Kept', 'yes'],
      ] as const
      const { client, exchange } = await context.start({ fields })
      const names = exchange.request.fields.map(([name]) => name.toLowerCase())
      const gone = [...fields.slice(0, 7).map(([name]) => name.toLowerCase()), 'transfer-encoding', 'upgrade', 'expect']
      const wrong = names.filter((name) => gone.includes(name))
      checkSame('hop-by-hop fields that arrive', wrong.join(), '')
      for (const name of ['authorization', 'x-kept', 'host']) check(names.includes(name), name, names.join())
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R8.11',
    title: 'does not forward hop-by-hop fields of responses, nor those that Connection names',
    section: '8.2',
    versions: BOTH,
    run: async (context) => {
      const fields = [
        'connection:x-named',
        'x-named:1',
        'keep-alive:timeout=5',
        'proxy-authenticate:Basic',
        'upgrade:h2c',
      ]
      const response = await context.answered(
        `HTTP/1.1 200 OK\n${fields.join('\n')}\ntrailer:x\nx-kept:1\ncontent-length:5\n`,
      )
      for (const name of ['x-named', 'proxy-authenticate', 'upgrade', 'trailer']) {
        checkSame(`values of ${name}`, valuesOf(response, name).join(), '')
      }
      check(!valuesOf(response, 'keep-alive').includes('timeout=5'), "no keep-alive of the service's", 'it came')
      checkSame('x-kept', valuesOf(response, 'x-kept').join(), '1')
    },
  },
  {
    id: 'R8.12',
    title: 'replaces what an unknown client claims in Forwarded, Via and X-Forwarded-*',
    section: '8.2',
    versions: BOTH,
    run: async (context) => {
      const claim = '203.0.113.77'
      const fields = [
        ['Forwarded', `for=${claim}`],
        ['Via', `1.1 ${claim}`],
        ['X-Forwarded-For', claim],
        ['X-Forwarded-Host', claim],
        ['X-Forwarded-Proto', claim],
      ] as const
      const { client, exchange } = await context.start({ fields })
      const claimed = exchange.request.fields.filter(([, value]) => value.includes(claim))
      checkSame('fields with the claim', claimed.map(([name]) => name).join(), '')
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R8.13',
    title: 'adds itself to Via',
    section: '8.2',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const { exchange } = await context.start()
      check(fieldsOf(exchange.request, 'via').length === 1, 'one Via', shown(exchange.request.text))
    },
  },
  {
    id: 'R8.14',
    title: 'joins several cookie fields with "; "',
    section: '8.2',
    versions: BOTH,
    run: async (context) => {
      const { exchange } = await context.start({
        fields: [
          ['Cookie', 'a=1'],
          ['Cookie', 'b=2'],
        ],
      })
      checkSame('cookie', fieldsOf(exchange.request, 'cookie').join(' | '), 'a=1; b=2')
    },
  },
  {
    id: 'R8.15',
    title: "drops the service's Server field",
    section: '8.2',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const response = await context.answered('HTTP/1.1 200 OK\nserver:internal-7.3\ncontent-length:5\n')
      check(!valuesOf(response, 'server').includes('internal-7.3'), 'no server field of the service', 'it came')
    },
  },
  {
    id: 'R8.16',
    title: 'answers Expect: 100-continue itself, and does not forward it',
    section: '8.5',
    versions: BOTH,
    run: async (context) => {
      const fields = [['Expect', '100-continue']] as const
      const { client, exchange } = await context.start({ method: 'POST', fields, body: 'follows' })
      checkSame('expect at the connector', fieldsOf(exchange.request, 'expect').join(), '')
      client.write(Buffer.from('body'))
      client.end()
      checkSame('the body', (await exchange.body()).toString('latin1'), 'body')
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
]

const targetCases: readonly Case<RouterContext>[] = [
  {
    id: 'R8.20',
    title: 'refuses TRACE and CONNECT',
    section: '8.3',
    versions: BOTH,
    run: async (context) => {
      await turnedAway(context, (c) => rawStatus(c, `TRACE ${c.path()}`))
      await turnedAway(context, (c) => rawStatus(c, `CONNECT ${c.bench.public.url.host}`))
    },
  },
  ...[
    ['R8.21', 'a "%" without two hexadecimal digits', '/100%zz'],
    ['R8.22', 'a "#"', '/x#y'],
  ].map(([id = '', what = '', rest = '']): Case<RouterContext> => ({
    id,
    title: `refuses a target with ${what}, and does not forward it`,
    section: '8.3',
    versions: BOTH,
    run: (context) => turnedAway(context, (c) => rawStatus(c, `GET ${c.path(rest)}`)),
  })),
  {
    id: 'R8.23',
    title: 'refuses a target that begins with //',
    section: '8.3',
    versions: BOTH,
    run: (context) => turnedAway(context, (c) => rawStatus(c, `GET //evil.example${c.path()}`)),
  },
  {
    id: 'R8.24',
    title: 'percent-encodes in targets what java.net.URI rejects, or refuses it',
    section: '8.3',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      const { host } = context.bench.public.url
      const target = context.path('/a[1]|^{}"<>\\`?q=a|b{c}"<>\\^`&f[x]=1')
      const answer = context.raw(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      const exchange = await context.take(socket).catch(async (error: unknown) => {
        const refusedWith = /^HTTP\/1\.[01] (4\d\d)/.exec(await answer)
        if (refusedWith === null) throw error
      })
      if (exchange === undefined) return
      const seen = exchange.request.text.split('\n', 1)[0] ?? ''
      check(!/[|^{}"<>\\`]/.test(seen), 'none of | ^ { } " < > \\ ` in the target', shown(seen))
      check(!/[[\]]/.test(seen.split('?', 1)[0] ?? ''), 'neither [ nor ] in the path', shown(seen))
      exchange.respond('200 OK', ['content-length:0'])
      await answer
    },
  },
  {
    id: 'R8.25',
    title: 'refuses paths with the segments . and .., also percent-encoded',
    section: '8.3',
    level: 'should',
    versions: 'any',
    run: async (context) => {
      for (const rest of ['/../x', '/./x', '/%2e%2e/x']) {
        await turnedAway(context, (c) => rawStatus(c, `GET ${c.path(rest)}`))
      }
    },
  },
]

const responseCases: readonly Case<RouterContext>[] = [
  {
    id: 'R8.30',
    title: 'answers HEAD without a body, and keeps content-length',
    section: '8.5',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start({ method: 'HEAD' })
      exchange.respond('200 OK', ['content-length:1234'])
      const { response } = await client.whole()
      checkSame('content-length', valuesOf(response, 'content-length').join(), '1234')
    },
  },
  {
    id: 'R8.31',
    title: 'passes 204 and 304 on without a body',
    section: '8.5',
    versions: BOTH,
    run: async (context) => {
      for (const status of [204, 304]) {
        const response = await context.answered(`HTTP/1.1 ${String(status)} X\netag:"1"\n`, '')
        checkSame('the status', response.status, status)
        checkSame('bytes of body', response.body.length, 0)
      }
    },
  },
  {
    id: 'R8.32',
    title: 'breaks off a response that is shorter than its content-length',
    section: '8.5',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start()
      exchange.respond('200 OK', ['content-length:10'], 'short')
      await client.broken()
    },
  },
  {
    id: 'R8.33',
    title: 'never forwards more than content-length: the rest would be another response',
    section: '8.5',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      const request = `GET ${context.path()} HTTP/1.1\r\nHost: ${context.bench.public.url.host}\r\n\r\n`
      const received = context.raw(request)
      const exchange = await context.take(socket)
      const surplus = 'HTTP/1.1 200 OK\r\nx-smuggled: yes\r\ncontent-length: 0\r\n\r\n'
      exchange.respond('200 OK', ['content-length:5'], `hello${surplus}`)
      check(!(await received).includes('x-smuggled'), 'no byte behind the announced ones', shown(await received))
    },
  },
  ...[
    ['R8.34', 'two content-length', 'content-length:5\ncontent-length:6'],
    ['R8.35', 'a malformed content-length', 'content-length:5x'],
    ['R8.36', 'content-length beside transfer-encoding', 'content-length:5\ntransfer-encoding:chunked'],
    ['R8.37', 'an unknown transfer coding', 'transfer-encoding:gzip'],
  ].map(([id = '', what = '', fields = '']): Case<RouterContext> => ({
    id,
    title: `answers 502 for a response head with ${what}`,
    section: '8.5',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start()
      exchange.head(`HTTP/1.1 200 OK\n${fields}\n`)
      exchange.send('hello')
      exchange.end()
      await context.expectStatus(client, 502)
    },
  })),
  {
    id: 'R8.38',
    title: 'passes a response on as it comes, the first byte before the second',
    section: '8.5',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start()
      exchange.head('HTTP/1.1 200 OK\ncontent-type:text/event-stream\n')
      exchange.send('data: 1\n\n')
      const { message } = await client.response()
      const first = await new Promise<string>((resolve, reject) => {
        const overdue = setTimeout(
          () => reject(new CheckFailure('the first event', 'it did not come')),
          context.timeout,
        )
        message.once('data', (chunk: Buffer) => {
          clearTimeout(overdue)
          resolve(chunk.toString('latin1'))
        })
      })
      checkSame('the first event', first, 'data: 1\n\n')
      exchange.end()
    },
  },
]

export const httpCases = [...livenessCases, ...choiceCases, ...fieldCases, ...targetCases, ...responseCases]
