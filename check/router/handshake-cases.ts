/** docs/protocol.md, section 2: registration, refusals, deregistration. */
import { check, CheckFailure, checkSame, NotApplicable, shown, type Case } from '../case.js'
import type { DialAnswer } from '../dial.js'
import type { HandshakeOptions, RouterContext } from './context.js'
import { fieldsOf } from './exchange.js'

const BOTH = ['3.0', '1.0'] as const

/** The router refuses in its answer to the handshake; undefined: any status of 400 and more. */
async function refused(context: RouterContext, options: HandshakeOptions, statuses: readonly number[]): Promise<void> {
  const { status } = await context.handshake(options)
  const expected = statuses.length === 0 ? 'a refusal in the answer to the handshake' : statuses.join(' or ')
  const fine = statuses.length === 0 ? status >= 400 : statuses.includes(status)
  check(fine, `${expected} for ${JSON.stringify(options)}`, String(status))
}

function accepted(answer: DialAnswer): void {
  checkSame('the status of the handshake', answer.status, 101)
}

/** Sockets of one instance and route, one of which is to be deregistered. */
function deregistration(context: RouterContext, options: HandshakeOptions = {}): HandshakeOptions {
  const query = `?connectorInstanceID=${context.instance}&componentName=cranker-check`
  return { path: `/deregister/${query}`, offer: null, legacy: false, ...options }
}

const BAD_ROUTES = ['..', 'a//b', ':id', 'a.', 'a*', 'a/../b'] as const

export const handshakeCases: readonly Case<RouterContext>[] = [
  {
    id: 'R2.1',
    title: 'accepts a registration and echoes exactly the subprotocol that was offered',
    section: '2.2',
    versions: BOTH,
    run: async (context) => {
      const answer = await context.handshake()
      accepted(answer)
      const echoed = answer.header('Sec-WebSocket-Protocol')
      // The oldest routers know only the legacy field, and must not invent an echo.
      if (context.version === '1.0' && echoed === undefined) return
      checkSame('Sec-WebSocket-Protocol', echoed, `cranker_${context.version}`)
    },
  },
  {
    id: 'R2.2',
    title: 'takes the first offered subprotocol that it supports and skips those that it does not know',
    section: '2.2',
    versions: BOTH,
    run: async (context) => {
      const answer = await context.handshake({ offer: `cranker_9.9, chat, cranker_${context.version}` })
      accepted(answer)
      checkSame('Sec-WebSocket-Protocol', answer.header('Sec-WebSocket-Protocol'), `cranker_${context.version}`)
    },
  },
  {
    id: 'R2.3',
    title: 'follows the order of the offer, not its own',
    section: '2.2',
    versions: BOTH,
    run: async (context) => {
      const other = context.version === '3.0' ? '1.0' : '3.0'
      const lone = await context.handshake({ offer: `cranker_${other}`, legacy: false })
      if (lone.status !== 101) throw new NotApplicable('the router speaks only one version')
      const answer = await context.handshake({ offer: `cranker_${context.version}, cranker_${other}`, legacy: true })
      checkSame('Sec-WebSocket-Protocol', answer.header('Sec-WebSocket-Protocol'), `cranker_${context.version}`)
    },
  },
  {
    id: 'R2.4',
    title: 'takes CrankerProtocol: 1.0 alone for version 1.0, and echoes no subprotocol then',
    section: '2.2',
    versions: ['1.0'],
    run: async (context) => {
      const answer = await context.handshake({ offer: null })
      accepted(answer)
      checkSame('Sec-WebSocket-Protocol', answer.header('Sec-WebSocket-Protocol') ?? 'none', 'none')
    },
  },
  {
    id: 'R2.5',
    title: 'says CrankerProtocol: 1.0 in the 101 of a 1.0 socket',
    section: '2.2',
    versions: ['1.0'],
    run: async (context) => {
      const answer = await context.handshake()
      accepted(answer)
      checkSame('CrankerProtocol', answer.header('CrankerProtocol'), '1.0')
    },
  },
  {
    id: 'R2.6',
    title: 'refuses with 400 when no version fits',
    section: '2.2',
    versions: 'any',
    run: (context) => refused(context, { offer: 'cranker_9.9', legacy: false }, [400]),
  },
  {
    id: 'R2.7',
    title: 'takes /register without the slash',
    section: '2.1',
    versions: 'any',
    run: async (context) => {
      accepted(await context.handshake({ path: `/register?connectorInstanceID=${context.instance}` }))
    },
  },
  {
    id: 'R2.8',
    title: 'takes a registration without ids, and serves it',
    section: '2.1',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register({ path: '/register/' })
      await context.stillServes(socket)
    },
  },
  {
    id: 'R2.9',
    title: 'takes empty values for missing ones',
    section: '2.1',
    versions: 'any',
    run: async (context) => {
      const path = '/register/?connectorInstanceID=&componentName='
      accepted(await context.handshake({ path, domain: '' }))
    },
  },
  {
    id: 'R2.10',
    title: 'takes a registration without Route and Domain for the catch-all of every domain',
    section: '2.1',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register({ route: null })
      const client = context.client({ target: `/${context.route}-nobody/x` })
      const exchange = await context.take(socket)
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
  {
    id: 'R2.11',
    title: 'ignores unknown headers, query parameters and extensions',
    section: '9.1',
    versions: 'any',
    run: async (context) => {
      const headers = [['X-Unknown', 'yes']] as const
      const path = `/register/?connectorInstanceID=${context.instance}&componentName=c&unknown=%20&flag`
      accepted(await context.handshake({ path, headers, extensions: 'teleport;speed="fast, very", , ;x=1' }))
    },
  },
  {
    id: 'R2.12',
    title: 'does not answer an offer of permessage-deflate',
    section: '2.6',
    versions: 'any',
    run: async (context) => {
      const offer = 'permessage-deflate; client_max_window_bits'
      const answer = await context.handshake({ headers: [['Sec-WebSocket-Extensions', offer]] })
      accepted(answer)
      checkSame('Sec-WebSocket-Extensions', answer.header('Sec-WebSocket-Extensions') ?? 'none', 'none')
    },
  },
  {
    id: 'R2.13',
    title: 'gives requests for a domain to the sockets of that domain before those of any',
    section: '8.1',
    versions: BOTH,
    run: async (context) => {
      const domain = 'cranker-check.example'
      const general = await context.register()
      const special = await context.register({ domain })
      const byName = context.client({ fields: [['Host', `${domain}:8080`]] })
      const first = await context.take(special)
      first.respond('200 OK', ['content-length:0'])
      await context.expectStatus(byName, 200)
      const byOther = context.client({ fields: [['Host', 'other.example']] })
      const second = await context.take(general)
      second.respond('200 OK', ['content-length:0'])
      await context.expectStatus(byOther, 200)
    },
  },
  ...BAD_ROUTES.map((route, index): Case<RouterContext> => ({
    id: `R2.${String(14 + index)}`,
    title: `refuses the route name ${JSON.stringify(route)} with 400`,
    section: '2.1',
    versions: 'any',
    run: (context) => refused(context, { route }, [400]),
  })),
  {
    id: 'R2.20',
    title: 'refuses other paths, other methods and what is no WebSocket handshake, and never accepts and closes',
    section: '2.3',
    versions: 'any',
    run: async (context) => {
      await refused(context, { path: '/elsewhere' }, [])
      await refused(context, { method: 'POST' }, [])
      await refused(context, { upgrade: false }, [])
    },
  },
  {
    id: 'R2.21',
    title: 'says 404 for other paths, 405 for other methods, 426 for what is no WebSocket handshake',
    section: '2.3',
    level: 'should',
    versions: 'any',
    run: async (context) => {
      await refused(context, { path: '/elsewhere' }, [404])
      await refused(context, { method: 'POST' }, [405])
      await refused(context, { upgrade: false }, [426])
    },
  },
  {
    id: 'R2.22',
    title: 'closes the idle sockets of a deregistered route with 1001, and the deregistration with 1000',
    section: '2.4',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      const leaving = await context.handshake(deregistration(context))
      accepted(leaving)
      checkSame('the close code of the idle socket', await context.ended(socket), 1001)
      if (leaving.socket === undefined) throw new CheckFailure('a WebSocket', 'none')
      checkSame('the close code of the deregistration', await context.ended(leaving.socket), 1000)
    },
  },
  {
    id: 'R2.23',
    title: 'lets a running exchange finish after the deregistration, and closes its socket then',
    section: '2.4',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange, socket } = await context.start()
      const leaving = await context.handshake(deregistration(context))
      if (leaving.socket === undefined) throw new CheckFailure('101 for a deregistration', String(leaving.status))
      checkSame('the close code of the deregistration', await context.ended(leaving.socket), 1000)
      check(socket.open, 'the socket to stay open while its exchange runs', 'it was closed')
      exchange.respond('200 OK', ['content-length:4'], 'done')
      const { body } = await client.whole()
      checkSame('the body', body.toString('latin1'), 'done')
      await context.ended(socket)
    },
  },
  {
    id: 'R2.24',
    title: 'gives no request to a deregistered socket, and leaves those of other instances alone',
    section: '2.4',
    versions: BOTH,
    run: async (context) => {
      const mine = await context.start()
      const other = await context.register({ path: `/register/?connectorInstanceID=${context.instance}-other` })
      const leaving = await context.handshake(deregistration(context))
      if (leaving.socket !== undefined) await context.ended(leaving.socket)
      const clients = [1, 2].map(() => context.client({ target: context.path('/late') }))
      // On 1.0 a socket takes one.
      const sockets =
        context.version === '3.0' ? [other, other] : [other, await context.register({ path: '/register/' })]
      for (const socket of sockets) (await context.take(socket)).respond('200 OK', ['content-length:0'])
      for (const client of clients) await context.expectStatus(client, 200)
      mine.exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(mine.client, 200)
    },
  },
  {
    id: 'R2.25',
    title: 'takes a deregistration without an id, of nobody, and answers it with 1000',
    section: '2.4',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      const leaving = await context.handshake(deregistration(context, { path: '/deregister' }))
      if (leaving.socket === undefined) throw new CheckFailure('101 for a deregistration', String(leaving.status))
      checkSame('the close code of the deregistration', await context.ended(leaving.socket), 1000)
      await context.stillServes(socket)
    },
  },
  {
    id: 'R2.26',
    title: 'withdraws only the route that is deregistered',
    section: '2.4',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      const other = { route: `${context.route}-other` }
      const leaving = await context.handshake(deregistration(context, other))
      if (leaving.socket !== undefined) await context.ended(leaving.socket)
      await context.stillServes(socket)
    },
  },
  {
    id: 'R2.27',
    title: 'is quiet on a new socket: it sends nothing but pings before a request',
    section: '2.5',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.register()
      await socket.inbox.none(
        'message before any request',
        ({ kind }) => kind !== 'ping' && kind !== 'pong',
        context.quiet,
      )
      const client = context.client({ fields: [['X-Check', 'yes']] })
      const exchange = await context.take(socket)
      const values = fieldsOf(exchange.request, 'x-check')
      check(values.includes('yes'), 'the field of the client', shown(values.join()))
      exchange.respond('200 OK', ['content-length:0'])
      await context.expectStatus(client, 200)
    },
  },
]
