/** docs/protocol.md, section 9.7: WebSockets as raw bytes between the router and the service. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { CheckFailure, checkSame, type Case } from '../case.js'
import type { ConnectorContext } from './context.js'
import { expectResponse, type Exchange } from './exchange.js'
import type { ServiceUpgrade } from './service.js'

/** Long enough for what must not come to have come. */
const QUIET_MS = 300
const BOTH = ['3.0', '1.0'] as const

/** A request for a WebSocket, and `early` behind it. */
async function ask(context: ConnectorContext, early = ''): Promise<Exchange> {
  const exchange = context.exchange(await context.extended('upgrade'))
  exchange.send({
    target: context.path,
    body: 'follows',
    fields: [
      'host:service.example',
      'connection:upgrade',
      'upgrade:websocket',
      'sec-websocket-version:13',
      'sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==',
    ],
  })
  if (early !== '') await exchange.sendBody(Buffer.from(early))
  return exchange
}

interface Reached {
  readonly exchange: Exchange
  readonly upgrade: ServiceUpgrade
}

/** The same as it has reached the service. */
async function reach(context: ConnectorContext, early = ''): Promise<Reached> {
  const { upgrades, stop } = context.bench.service.takeUpgrades()
  try {
    const exchange = await ask(context, early)
    const upgrade = await upgrades.take('the upgrade to reach the service', (each) => each, context.timeout)
    return { exchange, upgrade }
  } finally {
    stop()
  }
}

/** @returns the service's end, behind the 101 */
async function accept({ exchange, upgrade }: Reached): Promise<Socket> {
  const service = upgrade.accept()
  checkSame('the status', (await exchange.head()).status, 101)
  return service
}

/** A WebSocket that the service has accepted: both ends of it. */
async function open(context: ConnectorContext): Promise<{ exchange: Exchange; service: Socket }> {
  const reached = await reach(context)
  return { exchange: reached.exchange, service: await accept(reached) }
}

/** What arrives at the service from now on. */
function listen(service: Socket): { text: string } {
  const arrived = { text: '' }
  service.on('data', (chunk: Buffer) => (arrived.text += chunk.toString('latin1')))
  return arrived
}

/** All of it to the client's end, which leaves the other direction open. */
async function received(context: ConnectorContext, service: Socket, arrived = listen(service)): Promise<string> {
  await within(context, 'the end of the bytes at the service', once(service, 'end'))
  return arrived.text
}

async function within<T>(context: ConnectorContext, what: string, done: Promise<T>): Promise<T> {
  const overdue = once(AbortSignal.timeout(context.timeout), 'abort').then(() => {
    throw new CheckFailure(what, `not within ${String(context.timeout)} ms`)
  })
  return Promise.race([done, overdue])
}

export const upgradeCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C9.10',
    title: 'accepts an upgrade to WebSocket, and passes its bytes both ways',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { exchange, service } = await open(context)
      service.pipe(service)
      await exchange.sendBody(Buffer.from('raw bytes'))
      checkSame('what the service sends back', (await exchange.bytes(9)).toString(), 'raw bytes')
      exchange.endBody()
      await exchange.finished()
    },
  },
  {
    id: 'C9.11',
    title: 'passes any other answer to an upgrade on as an ordinary response',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const exchange = await ask(context)
      const call = await context.call()
      call.answer(403, ['content-length', '4'], 'nope')
      await expectResponse(exchange, 403, 'nope')
      await context.stillServes(exchange.tunnel)
    },
  },
  {
    id: 'C9.12',
    title: 'keeps bytes that come before the 101 until then',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const reached = await reach(context, 'early ')
      const { exchange, upgrade } = reached
      const arrived = listen(upgrade.stream)
      await sleep(QUIET_MS)
      checkSame('the bytes at the service before it has answered', arrived.text, '')
      const service = await accept(reached)
      await exchange.sendBody(Buffer.from('and late'))
      exchange.endBody()
      checkSame('the bytes at the service', await received(context, service, arrived), 'early and late')
      service.end()
      await exchange.finished()
    },
  },
  {
    id: 'C9.13',
    title: 'goes on with the bytes of the service when the client has finished',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { exchange, service } = await open(context)
      exchange.endBody()
      checkSame('the bytes at the service', await received(context, service), '')
      service.end('one more thing')
      checkSame('what the service sends then', (await exchange.bytes(14)).toString(), 'one more thing')
      await exchange.finished()
    },
  },
  {
    id: 'C9.14',
    title: 'goes on with the bytes of the client when the service has finished',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { exchange, service } = await open(context)
      service.end('last words')
      checkSame('what the service sends', (await exchange.bytes(10)).toString(), 'last words')
      await exchange.finished()
      await exchange.sendBody(Buffer.from('understood'))
      exchange.endBody()
      checkSame('the bytes at the service', await received(context, service), 'understood')
    },
  },
  {
    id: 'C9.15',
    title: 'ends the connection to the service when the client has left',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { exchange, service } = await open(context)
      // Not `once`: it may well be reset.
      const closed = new Promise((resolve) => service.once('close', resolve).resume())
      exchange.abort()
      await within(context, 'the end of the connection to the service', closed)
    },
  },
  {
    id: 'C9.16',
    title: 'aborts when the service cuts its connection',
    section: '9.7',
    versions: BOTH,
    run: async (context) => {
      const { exchange, service } = await open(context)
      service.resetAndDestroy()
      await exchange.failure()
    },
  },
]
