/** docs/protocol.md, section 9: extensions, in use only when both sides list them. */
import type { ServerResponse } from 'node:http'
import type { Frame } from '../../protocol/v3/frame.js'
import { check, checkSame, CheckFailure, NotApplicable, shown, type Case } from '../case.js'
import { frameOf, goaway, header } from '../frames.js'
import { barrier, begin } from './barrier.js'
import type { ConnectorContext } from './context.js'
import { expectResponse, finish } from './exchange.js'
import { ExchangeV3 } from './exchange-v3.js'
import { Lobby, type Attempt } from './lobby.js'

const BOTH = ['3.0', '1.0'] as const
/** Sections 9.3: RST_STREAM on 3.0, Close on 1.0. */
const REFUSED = { '3.0': 7, '1.0': 1013 } as const
const HINT = { link: '</a.css>; rel=preload' }
/** In GOAWAY: seconds without a replacement. */
const AWAY_S = 2
const RAW_QUERY = '?q=a|b{c}^"<d>`[e]'

/** Nothing but a head, DATA and its end, though the service had more to say. */
async function plainly(context: ConnectorContext, say: (res: ServerResponse) => void): Promise<void> {
  const tunnel = await context.tunnel()
  const { exchange, call } = await context.start({}, tunnel)
  say(call.res)
  await expectResponse(exchange, 200, 'body')
  if (!(exchange instanceof ExchangeV3)) return
  await barrier(context, tunnel)
  const extra = tunnel.socket.inbox.poll((event) => {
    const frame = frameOf(event)
    return (frame?.kind === 'header' && frame.id === exchange.id) || frame?.kind === 'goaway' ? frame : undefined
  })
  check(extra === undefined, 'no frame behind the response', `${String(extra?.kind)} came`)
}

export const extensionCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C9.1',
    title: 'lists extensions, if any, as tokens in Cranker-Extensions',
    section: '9.1',
    versions: 'any',
    run: async (context) => {
      const { attempt } = await context.tunnel()
      const value = attempt.req.headers['cranker-extensions']
      if (value === undefined) throw new NotApplicable('the connector announces no extension')
      const members = String(value).split(',').length
      const read = Lobby.announced(attempt).size
      if (read !== members) throw new CheckFailure(`${String(members)} members, each a token`, shown(String(value)))
    },
  },
  {
    id: 'C9.2',
    title: 'sends no trailers to a router that does not list them',
    section: '9.2',
    versions: BOTH,
    run: (context) =>
      plainly(context, (res) => {
        res.writeHead(200, ['trailer', 'x-end', 'transfer-encoding', 'chunked'])
        res.write('body')
        res.addTrailers({ 'x-end': '1' })
        res.end()
      }),
  },
  {
    id: 'C9.3',
    title: 'sends no interim heads to a router that does not list informational',
    section: '9.5',
    versions: BOTH,
    run: (context) =>
      plainly(context, (res) => {
        res.writeEarlyHints(HINT, () => {
          res.writeHead(200, ['content-length', '4'])
          res.end(Buffer.from('body'))
        })
      }),
  },
  {
    id: 'C9.4',
    title: 'sends trailers as HEADER with END_STREAM and END_HEADERS behind the body',
    section: '9.2',
    versions: ['3.0'],
    run: async (context) => {
      const { exchange, call } = await begin(context, await context.extended('trailers'))
      call.res.writeHead(200, ['trailer', 'x-end', 'transfer-encoding', 'chunked'])
      call.res.write('body')
      call.res.addTrailers({ 'x-end': '1' })
      call.res.end()
      await exchange.head()
      let frame: Frame = await exchange.next('DATA')
      while (frame.kind === 'data' && !frame.end) frame = await exchange.next('DATA, or HEADER with trailers')
      check(frame.kind === 'header' && frame.end && frame.endHeaders, 'HEADER with flags 5', `${frame.kind} came`)
      checkSame('the trailers', frame.payload.toString().toLowerCase(), 'x-end:1\n')
    },
  },
  {
    id: 'C9.5',
    title: 'takes trailers for the end of a request body',
    section: '9.2',
    versions: ['3.0'],
    run: async (context) => {
      const tunnel = await context.extended('trailers')
      const exchange = context.exchangeV3(tunnel)
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.sendData(Buffer.from('body'))
      tunnel.socket.sendBinary(header(exchange.id, 'x-end:1\n', { endStream: true }))
      const call = await context.call()
      checkSame('the body at the service', (await call.body(context.timeout)).toString(), 'body')
      await finish(exchange, call)
    },
  },
  {
    id: 'C9.6',
    title: 'refuses a request that it cannot give to its service',
    section: '9.3',
    versions: BOTH,
    run: async (context) => {
      const exchange = context.exchange(await context.extended('refuse'))
      const comeBack = await context.bench.service.goDown()
      try {
        exchange.send({ target: context.path })
        const { code, text } = await exchange.failure()
        checkSame('the code', code, REFUSED[context.version])
        checkSame('the text', text, 'target unreachable')
      } finally {
        await comeBack()
      }
    },
  },
  {
    id: 'C9.7',
    title: 'sends interim heads before the final one',
    section: '9.5',
    versions: BOTH,
    run: async (context) => {
      const { exchange, call } = await context.start({}, await context.extended('informational'))
      call.res.writeEarlyHints(HINT, () => {
        call.answer(200, ['content-length', '2'], 'ok')
      })
      const interim = await exchange.head()
      checkSame('the status of the first head', interim.status, 103)
      exchange.nextHead()
      await expectResponse(exchange, 200, 'ok')
    },
  },
  {
    id: 'C9.8',
    title: 'takes request targets byte for byte',
    section: '9.6',
    versions: BOTH,
    run: async (context) => {
      const target = `${context.path}${RAW_QUERY}`
      const { exchange, call } = await context.start({ target }, await context.extended('raw-target'))
      checkSame('the target at the service', call.target, target)
      call.answer(204)
      await exchange.head()
    },
  },
  {
    id: 'C9.9',
    title: 'finishes what runs after GOAWAY, and stays away for the time it names',
    section: '9.4',
    versions: ['3.0'],
    run: async (context) => {
      const tunnel = await context.extended('goaway')
      const { exchange, call } = await begin(context, tunnel)
      await context.settled()
      const watch = context.watch()
      const at = performance.now()
      tunnel.socket.sendBinary(goaway(exchange.id, 0, `${String(AWAY_S)} restarting`))
      await barrier(context, tunnel)
      await finish(exchange, call)
      tunnel.socket.close(1001, 'Going away')
      const registers = (attempt: Attempt): Attempt | undefined => (attempt.kind === 'register' ? attempt : undefined)
      const next = await watch.take('a registration when the time is over', registers, context.comeback)
      const waited = next.at - at
      const least = AWAY_S * 1000 - 100
      check(waited >= least, `no registration for ${String(AWAY_S)} s`, `one came after ${waited.toFixed(0)} ms`)
    },
  },
]
