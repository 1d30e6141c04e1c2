/** docs/protocol.md, sections 6 and 7: liveness, the window, reconnecting, stopping. */
import { check, checkSame, CheckFailure, type Case } from '../case.js'
import type { Inbox } from '../inbox.js'
import { barrier } from './barrier.js'
import type { ConnectorContext } from './context.js'
import { finish } from './exchange.js'
import type { Attempt, Tunnel } from './lobby.js'

const BOTH = ['3.0', '1.0'] as const
/** Twice and a half the recommended 10 s: a 1.0 socket may be used before it has sent any. */
const PING_WITHIN_MS = 25_000
/** Dead after 20 s (section 6.2). */
const DEAD_WITHIN_MS = 32_000
const QUIET_MS = 500
/** What a storm is looked for in, and how many attempts are none: storms are of hundreds. */
const STORM_MS = 3_000
const CALM = 40
/** For a process to end after its last socket did. */
const EXIT_MS = 15_000
const AWAY_MS = 1_500
/** Section 7.2. */
const CLEAN = [1001, 1000]

const registers = (attempt: Attempt): Attempt | undefined => (attempt.kind === 'register' ? attempt : undefined)
const deregisters = (attempt: Attempt): Attempt | undefined => (attempt.kind === 'deregister' ? attempt : undefined)

async function comesBack(context: ConnectorContext, watch: Inbox<Attempt>, after: string): Promise<void> {
  await watch.take(`a new registration after ${after}`, registers, context.comeback)
  await context.stillServes(await context.tunnel())
}

/** Counts attempts for a while. */
async function attemptsWithin(watch: Inbox<Attempt>, milliseconds: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, milliseconds))
  return watch.waiting.length
}

export const livenessCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C6.1',
    title: 'answers a ping with its payload',
    section: '6.1',
    versions: BOTH,
    run: async (context) => barrier(context, await context.tunnel()),
  },
  {
    id: 'C6.2',
    title: 'answers pings while an exchange runs',
    section: '6.1',
    versions: BOTH,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { exchange, call } = await context.start({}, tunnel)
      await barrier(context, tunnel)
      call.res.writeHead(200)
      call.res.write('the beginning')
      await exchange.head()
      await barrier(context, tunnel)
      call.res.end()
      await exchange.body()
    },
  },
  {
    id: 'C6.3',
    title: 'sends pings by itself',
    section: '6.1',
    level: 'should',
    versions: BOTH,
    alongside: true,
    run: (context) => context.lobby.pinged(context.version, PING_WITHIN_MS),
  },
  {
    id: 'C6.4',
    title: 'gives up a socket on which nothing has arrived for 20 s',
    section: '6.2',
    level: 'should',
    versions: BOTH,
    slow: true,
    run: async (context) => {
      const { socket } = await context.tunnel()
      socket.autoPong = false
      socket.autoClose = false
      const over = (event: { kind: string }): true | undefined =>
        event.kind === 'close' || event.kind === 'end' || undefined
      await socket.inbox.take('the silent socket to be closed', over, DEAD_WITHIN_MS)
    },
  },
  {
    id: 'C2.10',
    title: 'keeps to RFC 6455: masked frames, no compression, small control frames',
    section: '2.6',
    versions: BOTH,
    run: async (context) => {
      await context.stillServes(await context.tunnel())
      checkSame('broken rules on any socket of this run', [...context.lobby.faults].join('; '), '')
    },
  },
]

/** Runs five requests on one socket. @returns what came, if the connector registered meanwhile */
async function fiveRequests(context: ConnectorContext, tunnel: Tunnel): Promise<string | undefined> {
  const watch = context.watch()
  const started = []
  for (let index = 0; index < 5; index++) started.push(await context.start({}, tunnel))
  const came = await watch
    .none('another registration', (attempt) => attempt.kind === 'register', QUIET_MS)
    .then(() => undefined)
    .catch((failure: unknown) => (failure instanceof CheckFailure ? failure.actual : String(failure)))
  for (const { exchange, call } of started) {
    await finish(exchange, call)
  }
  return came
}

export const windowCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C7.1',
    title: 'opens the next socket as soon as a request takes one',
    section: '7.1',
    versions: ['1.0'],
    run: async (context) => {
      const tunnel = await context.tunnel()
      await context.settled()
      const watch = context.watch()
      const { exchange, call } = await context.start({}, tunnel)
      await watch.take('a new socket while the request waits for the service', registers, context.timeout)
      await finish(exchange, call)
    },
  },
  {
    id: 'C7.2',
    title: 'opens no sockets because requests run on one',
    section: '7.1',
    versions: ['3.0'],
    run: async (context) => {
      const tunnel = await context.tunnel()
      await context.settled()
      // A registration that was put off since an earlier case says nothing; one with each five requests does.
      const attempts = [await fiveRequests(context, tunnel), await fiveRequests(context, tunnel)]
      const [unasked] = attempts
      check(attempts.includes(undefined), 'no other registration', unasked ?? '')
    },
  },
  {
    id: 'C7.3',
    title: 'comes back after a clean close',
    section: '7.2',
    versions: BOTH,
    run: async (context) => {
      const tunnel = await context.tunnel()
      await context.settled()
      const watch = context.watch()
      tunnel.socket.close(1000, '')
      await comesBack(context, watch, 'Close 1000')
    },
  },
  {
    id: 'C7.4',
    title: 'comes back after a connection was lost',
    section: '7.2',
    versions: BOTH,
    run: async (context) => {
      const tunnel = await context.tunnel()
      await context.settled()
      const watch = context.watch()
      tunnel.socket.destroy()
      await comesBack(context, watch, 'a lost connection')
    },
  },
  {
    id: 'C7.5',
    title: 'comes back when the router was away',
    section: '7.2',
    versions: 'any',
    run: async (context) => {
      await context.tunnel()
      context.transcript.note('the kit', 'stops listening, and cuts every connection')
      const comeBack = await context.lobby.leave()
      await new Promise((resolve) => setTimeout(resolve, AWAY_MS))
      const watch = context.watch()
      await comeBack()
      context.transcript.note('the kit', 'listens again')
      await comesBack(context, watch, 'the router has come back')
    },
  },
  {
    id: 'C7.6',
    title: 'does not storm a router that refuses it',
    section: '7.2',
    level: 'should',
    versions: 'any',
    run: async (context) => {
      const tunnel = await context.tunnel()
      const watch = context.watch()
      context.lobby.refuseAll('503 Service Unavailable')
      tunnel.socket.close(1001, 'Going away')
      context.lobby.dismissIdle()
      await watch.take('a registration', registers, context.comeback)
      const count = await attemptsWithin(watch, STORM_MS)
      check(count <= CALM, `at most ${String(CALM)} attempts in ${String(STORM_MS)} ms`, `there were ${String(count)}`)
    },
  },
  {
    id: 'C7.7',
    title: 'does not storm a router that accepts it and closes at once',
    section: '7.2',
    level: 'should',
    versions: 'any',
    run: async (context) => {
      const tunnel = await context.tunnel()
      const watch = context.watch()
      context.lobby.closeAll()
      tunnel.socket.close(1001, 'Going away')
      context.lobby.dismissIdle()
      await watch.take('a registration', registers, context.comeback)
      const count = await attemptsWithin(watch, STORM_MS)
      check(count <= CALM, `at most ${String(CALM)} attempts in ${String(STORM_MS)} ms`, `there were ${String(count)}`)
    },
  },
]

/** They end the connector, so they come last. */
export const stopCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C7.8',
    title: 'deregisters its route with the same names when it stops',
    section: '7.4',
    versions: BOTH,
    run: async (context) => {
      const { program } = context
      const { attempt } = await context.tunnel()
      const watch = context.watch()
      context.transcript.note('the kit', 'sends SIGTERM')
      program.signal('SIGTERM')
      const left = await watch.take('a deregistration', deregisters, context.timeout)
      for (const name of ['route', 'domain']) {
        checkSame(`its ${name}`, String(left.req.headers[name] ?? '*'), String(attempt.req.headers[name] ?? '*'))
      }
      checkSame('connectorInstanceID', instance(left), String(instance(attempt)))
      checkSame('subprotocols that it offers', left.offers.join(', '), '')
    },
  },
  {
    id: 'C7.9',
    title: 'finishes what runs before it ends',
    section: '7.4',
    versions: BOTH,
    run: async (context) => {
      const { program } = context
      const { exchange, call } = await context.start()
      const watch = context.watch()
      program.signal('SIGTERM')
      await watch.take('a deregistration', deregisters, context.timeout).catch(() => undefined)
      check(program.running, 'the process to run while a request does', 'it has ended')
      await finish(exchange, call)
    },
  },
  {
    id: 'C7.10',
    title: 'takes what the router had sent before it read the deregistration',
    section: '7.4',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const { program } = context
      const tunnel = await context.tunnel()
      const watch = context.watch()
      context.lobby.onDeregister = () => {
        // As if it had been on its way: the answer to the deregistration comes behind it.
        exchange.send({ target: context.path })
      }
      const exchange = context.exchange(tunnel)
      program.signal('SIGTERM')
      await watch.take('a deregistration', deregisters, context.timeout)
      const call = await context.call()
      await finish(exchange, call)
    },
  },
  {
    id: 'C7.11',
    title: 'closes its sockets cleanly, best with 1001, and ends',
    section: '7.4',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const { program } = context
      const { socket } = await context.tunnel()
      program.signal('SIGTERM')
      const event = await socket.inbox.take(
        'a Close frame',
        (e) => (e.kind === 'close' || e.kind === 'end' ? e : undefined),
        EXIT_MS,
      )
      if (event.kind === 'end')
        throw new CheckFailure('a Close frame', 'the TCP connection ended without a Close frame')
      check(CLEAN.includes(event.code), 'Close 1001 or 1000', `Close ${String(event.code)}`)
      const exit = await program.ended(EXIT_MS)
      check(exit !== undefined, 'the process to end', `it still ran after ${String(EXIT_MS)} ms`)
    },
  },
]

function instance(attempt: Attempt): string | undefined {
  return new URL(attempt.req.url ?? '', 'ws://any').searchParams.get('connectorInstanceID') ?? undefined
}
