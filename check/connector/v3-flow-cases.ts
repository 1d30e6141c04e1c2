/** docs/protocol.md, sections 5.4 and 5.5: flow control, faults. */
import { check, checkSame, CheckFailure, type Case } from '../case.js'
import { data, frameOf, header, rawFrame, windowUpdate } from '../frames.js'
import { barrier, begin } from './barrier.js'
import type { ConnectorContext } from './context.js'
import { finish } from './exchange.js'
import type { ExchangeV3 } from './exchange-v3.js'
import type { Tunnel } from './lobby.js'

const ONLY = ['3.0'] as const
const PAUSE_ABOVE = 65_536
const RESUME_BELOW = 16_384
const RESPONSE = 1_000_000
const DATA = Buffer.alloc(16_384, 'x')
/** Far more than any window, and than the buffers between connector and service. */
const FLOOD_BYTES = 32 * 1024 * 1024
/** A sender that has paused sends nothing for so long. */
const QUIET_MS = 400
const UNKNOWN_TYPE = 99
const UNUSED_ID = 1_000_000
const RST_STREAM = 3
const WINDOW_UPDATE = 8

/** Takes body bytes without acknowledging them until none come for a while. */
async function untilPaused(
  exchange: ExchangeV3,
  context: ConnectorContext,
): Promise<{ payload: number; largest: number }> {
  const { inbox } = exchange.tunnel.socket
  let payload = 0
  let largest = 0
  for (;;) {
    const size = await inbox
      .take(
        '',
        (event) => {
          const frame = frameOf(event)
          if (frame?.kind === 'data' && frame.id === exchange.id) return frame.payload.length
          return event.kind === 'end' ? -1 : undefined
        },
        QUIET_MS,
      )
      .catch(() => -1)
    if (size === -1) break
    payload += size
    largest = Math.max(largest, size)
  }
  context.transcript.note('the kit', `has ${String(payload)} bytes of body, and acknowledged none of them`)
  return { payload, largest }
}

/** A response whose head has come and whose body is larger than the window. */
async function largeResponse(context: ConnectorContext): Promise<{ exchange: ExchangeV3; head: number }> {
  const { exchange, call } = await begin(context, await context.tunnel())
  exchange.acknowledges = false
  call.answer(200, ['content-length', String(RESPONSE)], Buffer.alloc(RESPONSE, 'x'))
  await exchange.head()
  return { exchange, head: exchange.headFrames.reduce((sum, { payload }) => sum + payload.length, 0) }
}

/** Acknowledges all, reads the rest of the response. */
async function theRest(exchange: ExchangeV3, seen: number, unacknowledged: number): Promise<void> {
  exchange.acknowledge(unacknowledged)
  exchange.acknowledges = true
  checkSame('bytes of body', seen + (await exchange.body()).length, RESPONSE)
}

/** Sends frames that concern no exchange; the socket must bear them. */
async function bears(context: ConnectorContext, frames: readonly Buffer[]): Promise<void> {
  const tunnel = await context.tunnel()
  const running = await begin(context, tunnel)
  for (const frame of frames) tunnel.socket.sendBinary(frame)
  await barrier(context, tunnel)
  await finish(running.exchange, running.call)
  await context.stillServes(tunnel)
}

/** Waits for RST_STREAM of one exchange; the socket must serve others. */
async function onlyThisOne(context: ConnectorContext, tunnel: Tunnel, exchange: ExchangeV3): Promise<void> {
  await exchange.failure()
  await context.stillServes(tunnel)
}

export const v3FlowCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C5.19',
    title: 'pauses DATA above 65,536 unacknowledged bytes, head included',
    section: '5.4',
    versions: ONLY,
    run: async (context) => {
      const { exchange, head } = await largeResponse(context)
      const { payload, largest } = await untilPaused(exchange, context)
      const most = PAUSE_ABOVE + largest
      check(
        head + payload <= most,
        `at most ${String(most)} bytes before WINDOW_UPDATE`,
        `${String(head + payload)} came`,
      )
      await theRest(exchange, payload, head + payload)
    },
  },
  {
    id: 'C5.20',
    title: 'resumes when fewer than 16,384 bytes are unacknowledged',
    section: '5.4',
    versions: ONLY,
    run: async (context) => {
      const { exchange, head } = await largeResponse(context)
      const { payload } = await untilPaused(exchange, context)
      const left = RESUME_BELOW - 1
      exchange.acknowledge(head + payload - left)
      const frame = await exchange.next(`DATA, as only ${String(left)} bytes are unacknowledged now,`)
      check(frame.kind === 'data', 'DATA', `${frame.kind} came`)
      const more = await untilPaused(exchange, context)
      const seen = payload + frame.payload.length + more.payload
      await theRest(exchange, seen, left + frame.payload.length + more.payload)
    },
  },
  {
    id: 'C5.21',
    title: 'counts below zero: bytes that were acknowledged ahead widen its window',
    section: '5.4',
    versions: ONLY,
    run: async (context) => {
      const { exchange, call } = await begin(context, await context.tunnel())
      exchange.acknowledges = false
      exchange.acknowledge(2 * RESPONSE)
      call.answer(200, ['content-length', String(RESPONSE)], Buffer.alloc(RESPONSE, 'x'))
      await exchange.head()
      checkSame('bytes of body without another WINDOW_UPDATE', (await exchange.body()).length, RESPONSE)
    },
  },
  {
    id: 'C5.22',
    title: 'acknowledges what the service has taken, the head too, and holds back less than 16,384 bytes',
    section: '5.4',
    versions: ONLY,
    run: async (context) => {
      const exchange = context.exchangeV3(await context.tunnel())
      const fields = ['host:service.example', `x-long:${'x'.repeat(12_000)}`]
      exchange.send({ method: 'POST', target: context.path, fields, body: 'follows' })
      const reached = context.call().then((call) => {
        call.req.resume()
        return call
      })
      reached.catch(() => undefined)
      for (let sent = 0; sent < RESPONSE; sent += DATA.length) {
        await exchange.window()
        exchange.sendData(DATA)
      }
      while (exchange.outstanding >= RESUME_BELOW) {
        const before = exchange.outstanding
        await exchange.update(`WINDOW_UPDATE for #${String(exchange.id)}: ${String(before)} bytes are held back`)
      }
      exchange.endBody()
      const call = await reached
      await finish(exchange, call)
    },
  },
  {
    id: 'C5.23',
    title: 'acknowledges less than all when the service takes nothing',
    section: '5.4',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const exchange = context.exchangeV3(tunnel)
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.sendData(DATA)
      const call = await context.call()
      let stopped = false
      while (!stopped && exchange.sent < FLOOD_BYTES) {
        stopped = await Promise.race([
          exchange.window().then(() => false),
          new Promise<boolean>((resolve) => setTimeout(resolve, 2 * QUIET_MS, true).unref()),
        ]).catch(() => true)
        if (!stopped) exchange.sendData(DATA)
      }
      check(stopped, `acknowledgements to stop before ${String(FLOOD_BYTES)} bytes`, 'all were acknowledged')
      exchange.abort()
      // A socket that nobody reads does not notice its end.
      call.req.resume()
      await call.ended(context.timeout)
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.24',
    title: 'ignores increments of 0, and WINDOW_UPDATE for exchanges that do not exist',
    section: '5.4',
    versions: ONLY,
    run: (context) => bears(context, [windowUpdate(1, 0), windowUpdate(UNUSED_ID, 1_000), windowUpdate(0, 5)]),
  },
  {
    id: 'C5.25',
    title: 'ignores frames of unknown types',
    section: '5.5',
    versions: ONLY,
    run: (context) =>
      bears(context, [
        rawFrame(UNKNOWN_TYPE, 0xff, 1, Buffer.from('?')),
        rawFrame(UNKNOWN_TYPE, 0, UNUSED_ID),
        rawFrame(4, 0, 0),
      ]),
  },
  {
    id: 'C5.26',
    title: 'bears DATA and RST_STREAM for ids that it does not know',
    section: '5.5',
    versions: ONLY,
    run: (context) => bears(context, [data(UNUSED_ID, 'lost'), rawFrame(RST_STREAM, 0, UNUSED_ID + 1)]),
  },
  {
    id: 'C5.27',
    title: 'ignores text messages',
    section: '5.5',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      tunnel.socket.sendText('hello')
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.28',
    title: 'ends no more than the exchange when the payload of WINDOW_UPDATE cannot be read',
    section: '5.5',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const { exchange } = await begin(context, tunnel)
      tunnel.socket.sendBinary(rawFrame(WINDOW_UPDATE, 0, exchange.id, Buffer.from([0, 1])))
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.29',
    title: 'ends no more than the exchange when its head cannot be read',
    section: '5.5',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const exchange = context.exchangeV3(tunnel)
      exchange.sendHeader('nonsense\n', { endStream: true })
      await onlyThisOne(context, tunnel, exchange)
    },
  },
  {
    id: 'C5.30',
    title: 'ends no more than the exchange on a second HEADER block',
    section: '5.5',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const exchange = context.exchangeV3(tunnel)
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.sendData(DATA)
      await context.call()
      tunnel.socket.sendBinary(header(exchange.id, 'GET / HTTP/1.1\nhost:service.example\n', { endStream: true }))
      await context.stillServes(tunnel)
    },
  },
  {
    id: 'C5.31',
    title: 'ends an exchange whose DATA ignores the window, and no more',
    section: '5.5',
    level: 'should',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      const exchange = context.exchangeV3(tunnel)
      exchange.send({ method: 'POST', target: context.path, body: 'follows' })
      exchange.sendData(DATA)
      await context.call()
      for (let sent = 0; sent < FLOOD_BYTES; sent += DATA.length) exchange.sendData(DATA)
      await onlyThisOne(context, tunnel, exchange)
    },
  },
  {
    id: 'C5.32',
    title: 'closes the socket with 1002 on a frame shorter than 6 bytes',
    section: '5.5',
    versions: ONLY,
    run: async (context) => {
      const tunnel = await context.tunnel()
      tunnel.socket.sendBinary(Buffer.from([0, 1, 0]))
      const event = await tunnel.socket.inbox.take(
        'the socket to be closed',
        (e) => (e.kind === 'close' || e.kind === 'end' ? e : undefined),
        context.timeout,
      )
      if (event.kind === 'end') throw new CheckFailure('Close 1002', 'the TCP connection ended without a Close frame')
      checkSame('the close code', event.code, 1002)
    },
  },
]
