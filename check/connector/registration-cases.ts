/** docs/protocol.md, section 2: the registration request, the choice of the version, refusals. */
import { isRouteName, normalizeDomain } from '../../protocol/registration.js'
import { refuseHandshake } from '../accept.js'
import { check, checkSame, shown, type Case } from '../case.js'
import type { ConnectorContext } from './context.js'
import { expectResponse } from './exchange.js'
import type { Attempt, Tunnel } from './lobby.js'

/** Statuses of section 2.3 after which a connector must come back. */
const REFUSALS = ['401 Unauthorized', '503 Service Unavailable'] as const
/** In `Retry-After`, seconds; a clock may run a little differently. */
const RETRY_AFTER_S = 3
const RETRY_TOLERANCE_MS = 100
/** Sockets that may be given up before one without an offer comes: a window of them. */
const REDIALS = 8

const field = (attempt: Attempt, name: string): string | undefined => {
  const value = attempt.req.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

const query = (attempt: Attempt): URLSearchParams => new URL(attempt.req.url ?? '', 'ws://any').searchParams

/** Closes a waiting socket; resolves with the attempt to replace it, which was answered as `policy` says. */
async function replacement(
  context: ConnectorContext,
  tunnel: Tunnel,
  status: string,
  retryAfter?: number,
): Promise<Attempt> {
  const watch = context.watch()
  const { lobby } = context
  lobby.policy = (attempt, stream) => {
    lobby.policy = 'accept'
    context.transcript.note('registration', `${String(attempt.req.url)} is answered with ${status}`)
    refuseHandshake(stream, status, retryAfter === undefined ? [] : [['Retry-After', String(retryAfter)]])
  }
  tunnel.socket.close(1001, 'Going away')
  return watch.take('a registration in place of the closed one', registers, context.comeback)
}

function registers(attempt: Attempt): Attempt | undefined {
  return attempt.kind === 'register' ? attempt : undefined
}

export const registrationCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C2.1',
    title: 'registers with a WebSocket handshake of version 13 at /register/',
    section: '2.1',
    versions: 'any',
    run: async (context) => {
      const { attempt } = await context.tunnel()
      checkSame('the kind of the path', attempt.kind, 'register')
      checkSame('Sec-WebSocket-Version', field(attempt, 'sec-websocket-version'), '13')
      const key = Buffer.from(field(attempt, 'sec-websocket-key') ?? '', 'base64')
      check(key.length === 16, 'a Sec-WebSocket-Key of 16 bytes (RFC 6455 §4.1)', `it has ${String(key.length)}`)
    },
  },
  {
    id: 'C2.2',
    title: 'sends CrankerProtocol: 1.0',
    section: '2.1',
    versions: ['1.0'],
    run: async (context) => {
      const { attempt } = await context.tunnel()
      checkSame('CrankerProtocol', field(attempt, 'crankerprotocol'), '1.0')
    },
  },
  {
    id: 'C2.3',
    title: 'names its route in Route, without slashes at the ends',
    section: '2.1',
    versions: 'any',
    run: async (context) => {
      const { attempt } = await context.tunnel()
      const route = field(attempt, 'route') || '*'
      check(isRouteName(route), 'a valid route name', `Route is ${shown(route)}`)
      checkSame('Route, as --route says', route, context.bench.route)
    },
  },
  {
    id: 'C2.4',
    title: 'names a host, *, or nothing in Domain',
    section: '2.1',
    versions: 'any',
    run: async (context) => {
      const domain = field((await context.tunnel()).attempt, 'domain') ?? ''
      check(normalizeDomain(domain) !== undefined, '* or a host name', `Domain is ${shown(domain)}`)
    },
  },
  {
    id: 'C2.5',
    title: 'sends the same connectorInstanceID with every registration',
    section: '2.1',
    level: 'should',
    versions: 'any',
    run: async (context) => {
      await context.tunnel()
      const since = context.bench.program?.startedAt ?? 0
      const mine = context.lobby.attempts.filter(({ kind, at }) => kind === 'register' && at >= since)
      const ids = new Set(mine.map((attempt) => query(attempt).get('connectorInstanceID') ?? ''))
      check(!ids.has(''), 'connectorInstanceID in the query', 'there is none')
      check(ids.size === 1, 'one connectorInstanceID', `there were ${[...ids].map(shown).join(', ')}`)
    },
  },
  {
    id: 'C2.6',
    title: 'offers its versions as subprotocols, each once',
    section: '2.1',
    level: 'should',
    versions: 'any',
    run: async (context) => {
      const { offers } = (await context.tunnel()).attempt
      check(offers.length > 0, 'cranker_3.0 or cranker_1.0 in Sec-WebSocket-Protocol', 'nothing is offered')
      check(new Set(offers).size === offers.length, 'each subprotocol once (RFC 6455 §4.1)', offers.join(', '))
      const known = offers.some((offer) => offer === 'cranker_3.0' || offer === 'cranker_1.0')
      check(known, 'cranker_3.0 or cranker_1.0 among the offers', offers.join(', '))
    },
  },
  {
    id: 'C2.7',
    title: 'goes on as 1.0 with a router that names no subprotocol',
    section: '2.2',
    level: 'should',
    versions: ['1.0'],
    run: async (context) => {
      const call = context.call()
      call.catch(() => undefined)
      // A library that insists on the echo fails the handshake first, and dials again without an offer.
      for (let left = REDIALS; left > 0; left--) {
        const tunnel = await context.tunnel({ echo: false })
        const exchange = context.exchange(tunnel)
        exchange.send({ target: context.path })
        const response = expectResponse(exchange, 200, 'ok')
        const gaveUp = response.then(
          () => undefined,
          () => undefined,
        )
        const reached = await Promise.race([call, gaveUp])
        if (reached === undefined && left > 1) continue
        reached?.answer(200, ['content-length', '2'], 'ok')
        await response
        return
      }
    },
  },
  {
    id: 'C2.8',
    title: 'keeps trying after refusals',
    section: '2.3',
    versions: 'any',
    run: async (context) => {
      for (const status of REFUSALS) {
        await replacement(context, await context.tunnel(), status)
        await context.watch().take(`another registration after ${status}`, registers, context.comeback)
      }
      await context.stillServes(await context.tunnel())
    },
  },
  {
    id: 'C2.9',
    title: 'honours Retry-After',
    section: '2.3',
    level: 'should',
    versions: 'any',
    run: async (context) => {
      const tunnel = await context.tunnel()
      await context.settled()
      const refused = await replacement(context, tunnel, '503 Service Unavailable', RETRY_AFTER_S)
      const next = await context.watch().take('another registration', registers, context.comeback)
      const waited = next.at - refused.at
      check(
        waited >= RETRY_AFTER_S * 1000 - RETRY_TOLERANCE_MS,
        `no registration in place of the refused one for ${String(RETRY_AFTER_S)} s`,
        `one came after ${waited.toFixed(0)} ms`,
      )
    },
  },
]
