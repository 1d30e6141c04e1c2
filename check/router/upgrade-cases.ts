/** docs/protocol.md, section 9.7: WebSockets of clients as raw bytes, where the router announces `upgrade`. */
import { acceptKey } from '../accept.js'
import { check, checkSame, type Case } from '../case.js'
import { frameOf } from '../frames.js'
import type { SocketEvent, RawSocket } from '../socket.js'
import type { RouterContext } from './context.js'
import { ExchangeV3, fieldsOf, type Exchange } from './exchange.js'
import type { UpgradeClient, UpgradeOptions } from './upgrade-client.js'

const BOTH = ['3.0', '1.0'] as const
/** More than one: a router that takes any socket is right now and then. */
const TRIES = 3

/** For a client that reads the answer as HTTP. */
const handshakeFields = [
  ['Connection', 'Upgrade'],
  ['Upgrade', 'websocket'],
  ['Sec-WebSocket-Version', '13'],
  ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='],
] as const

interface Asked {
  readonly client: UpgradeClient
  readonly exchange: Exchange
  readonly socket: RawSocket
}

/** A client's request for a WebSocket, as it arrives on a socket with the extension. */
async function ask(context: RouterContext, options: Partial<UpgradeOptions> = {}): Promise<Asked> {
  const socket = await context.extended('upgrade')
  const client = context.upgradeClient(options)
  return { client, exchange: await context.take(socket), socket }
}

async function accept({ client, exchange }: Asked): Promise<void> {
  const accepted = `sec-websocket-accept:${acceptKey(client.key)}`
  exchange.head(`HTTP/1.1 101 Switching Protocols\nconnection:upgrade\nupgrade:websocket\n${accepted}\n`)
  checkSame("the client's status", await client.status(), 101)
}

/** The same after the 101. */
async function open(context: RouterContext): Promise<Asked> {
  const asked = await ask(context)
  await accept(asked)
  return asked
}

function isBody(event: SocketEvent, { exchange }: Asked): boolean {
  return exchange instanceof ExchangeV3 ? frameOf(event)?.kind === 'data' : event.kind === 'binary'
}

export const upgradeCases: readonly Case<RouterContext>[] = [
  {
    id: 'R9.10',
    title: 'sends the head of an upgrade as one that bytes may follow, with the fields that WebSocket needs',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await ask(context)
      const { method, hasBody } = exchange.request
      checkSame('the method', method, 'GET')
      check(hasBody, 'a head without END_STREAM (1.0: with the marker _1)', 'it says that there is no body')
      for (const [name, value] of [
        ['connection', 'upgrade'],
        ['upgrade', 'websocket'],
      ] as const) {
        checkSame(name, fieldsOf(exchange.request, name).join().toLowerCase(), value)
      }
      checkSame('sec-websocket-key', fieldsOf(exchange.request, 'sec-websocket-key').join(), client.key)
      checkSame('sec-websocket-version', fieldsOf(exchange.request, 'sec-websocket-version').join(), '13')
    },
  },
  {
    id: 'R9.11',
    title: 'passes bytes on both ways once the connector has accepted',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await open(context)
      exchange.send('to the client')
      await client.expect('to the client')
      client.send('to the service')
      client.end()
      checkSame('the bytes for the service', (await exchange.body()).toString('latin1'), 'to the service')
    },
  },
  {
    id: 'R9.12',
    title: 'keeps what the client sends early until the 101, and sends it first',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const asked = await ask(context, { early: 'early ' })
      await asked.socket.inbox.none('bytes before the 101', (event) => isBody(event, asked), context.quiet)
      await accept(asked)
      asked.client.send('and late')
      asked.client.end()
      checkSame('the bytes for the service', (await asked.exchange.body()).toString('latin1'), 'early and late')
    },
  },
  {
    id: 'R9.13',
    title: 'ends one direction without the other when the service has finished',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await open(context)
      exchange.send('last words')
      exchange.endDirection()
      await client.expect('last words')
      await client.ended()
      client.send('understood')
      client.end()
      checkSame('the bytes for the service', (await exchange.body()).toString('latin1'), 'understood')
    },
  },
  {
    id: 'R9.14',
    title: 'goes on with bytes for the client when the client has finished',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await open(context)
      client.end()
      await exchange.body()
      exchange.send('one more thing')
      exchange.endDirection()
      await client.expect('one more thing')
      await client.ended()
    },
  },
  {
    id: 'R9.15',
    title: 'passes any other status on as an ordinary response, and goes on serving',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.extended('upgrade')
      const client = context.client({ fields: handshakeFields })
      const exchange = await context.take(socket)
      exchange.respond('403 Forbidden', ['content-length:4'], 'nope')
      const { response, body } = await client.whole()
      checkSame("the client's status", response.status, 403)
      checkSame('the body', body.toString('latin1'), 'nope')
      await context.stillServes(socket)
    },
  },
  {
    id: 'R9.16',
    title: 'tells the connector that the client left',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await open(context)
      client.leave()
      await exchange.aborted()
    },
  },
  {
    id: 'R9.17',
    title: 'cuts the connection to the client when the connector aborts',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await open(context)
      exchange.fail()
      await client.cut()
    },
  },
  {
    id: 'R9.18',
    title: 'answers 502 for a 101 without upgrade: websocket',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await ask(context)
      exchange.head('HTTP/1.1 101 Switching Protocols\nconnection:upgrade\nupgrade:telnet\n')
      checkSame("the client's status", await client.status(), 502)
    },
  },
  {
    id: 'R9.19',
    title: 'answers 502 for a 101 to a request that did not ask for one',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const socket = await context.extended('upgrade')
      const client = context.client()
      const exchange = await context.take(socket)
      exchange.head('HTTP/1.1 101 Switching Protocols\nconnection:upgrade\nupgrade:websocket\n')
      await context.expectStatus(client, 502)
    },
  },
  {
    id: 'R9.20',
    title: 'gives upgrades to those sockets of a route that have the extension',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      await context.register()
      let socket = await context.extended('upgrade')
      for (let i = 0; i < TRIES; i++) {
        const client = context.upgradeClient()
        const exchange = await context.take(socket)
        exchange.respond('403 Forbidden', ['content-length:0'])
        checkSame("the client's status", await client.status(), 403)
        if (context.version === '1.0') socket = await context.extended('upgrade')
      }
    },
  },
  {
    id: 'R9.21',
    title: 'answers 501 where no connector of the route has the extension',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      // Elsewhere, to see whether the router has it.
      await context.extended('upgrade', { route: `${context.route}-elsewhere` })
      const socket = await context.register()
      checkSame("the client's status", await context.upgradeClient().status(), 501)
      await context.stillServes(socket)
    },
  },
  {
    id: 'R9.22',
    title: 'takes a request for anything but a WebSocket for an ordinary one, without the field',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await ask(context, { upgrade: 'h2c' })
      const { hasBody } = exchange.request
      checkSame('upgrade', fieldsOf(exchange.request, 'upgrade').join(), '')
      checkSame('connection', fieldsOf(exchange.request, 'connection').join(), '')
      check(!hasBody, 'a head that says that there is no body', 'a body may follow')
      exchange.respond('200 OK', ['content-length:0'])
      checkSame("the client's status", await client.status(), 200)
    },
  },
]
