/**
 * A day of what is slow, in time that the test moves: no timeout is a total one. The sockets are real; router and
 * connector live by a clock that stands still until every byte has arrived.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../protocol/clock.js'
import { FakeClock } from '../support/fake-clock.js'
import { fetchRaw, open } from '../support/http-client.js'
import { type Pair, startPair } from '../support/pair.js'
import { RawClient } from '../support/raw-client.js'
import { ways } from '../support/upgrades.js'

const MiB = 1024 * 1024
const SECOND = 1_000
const HOUR = 3_600 * SECOND
/** Just under the idle timeout of both sides, which is 5 min. */
const PAUSE = 299 * SECOND
const DAY = Math.ceil((24 * HOUR) / PAUSE)

describe.each(ways)('over $version, $target target', ({ version, target }) => {
  let clock: FakeClock
  let pair: Pair
  let serve: (listener: (req: IncomingMessage, res: ServerResponse) => void) => void

  beforeEach(async () => {
    clock = new FakeClock()
    vi.spyOn(systemClock, 'now').mockImplementation(() => clock.now())
    vi.spyOn(systemClock, 'timer').mockImplementation((fn, ms) => clock.timer(fn, ms))
    // Pings would have to be answered in between; who is dead is not the question here.
    const alive = { pingInterval: HOUR, deadAfter: 500 * HOUR }
    let listener: Parameters<typeof serve>[0] = (_req, res) => res.end()
    serve = (next) => (listener = next)
    pair = await startPair({
      version,
      ...(target === 'URL' ? {} : { target: (req, res) => listener(req, res) }),
      router: alive,
      connector: alive,
    })
    pair.serve((req, res) => listener(req, res))
  })

  afterEach(async () => {
    await (pair as Pair | undefined)?.[Symbol.asyncDispose]()
    vi.restoreAllMocks()
  })

  it('an event stream lives for a day, with an event every five minutes', async () => {
    const started = new Promise<ServerResponse>((resolve) => {
      serve((_req, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
        resolve(res)
      })
    })
    const { response } = await open({ port: pair.port })
    const events = await started
    for (let i = 0; i < DAY; i++) {
      clock.advance(PAUSE)
      events.write(`data: ${String(i)}\n\n`)
      expect(String((await once(response, 'data'))[0])).toBe(`data: ${String(i)}\n\n`)
    }
    events.end()
    await once(response, 'end')
  })

  it('a body of a length that was announced may come a byte at a time', async () => {
    const started = new Promise<ServerResponse>((resolve) => {
      serve((_req, res) => {
        res.writeHead(200, { 'content-length': DAY }).flushHeaders()
        resolve(res)
      })
    })
    const { response } = await open({ port: pair.port })
    const body = await started
    const ended = once(response, 'end')
    for (let i = 0; i < DAY; i++) {
      clock.advance(PAUSE)
      body.write('x')
      await once(response, 'data')
    }
    await ended
    expect(response.complete).toBe(true)
  })

  it('a long poll is answered late, again and again on one connection', async () => {
    serve((_req, res) => {
      clock.advance(PAUSE)
      res.end('late')
    })
    const client = await RawClient.connect(pair.port)
    for (let i = 0; i < 12; i++) {
      client.write('GET /poll HTTP/1.1\r\nHost: a\r\n\r\n')
      expect((await client.response()).text).toBe('late')
    }
    client.leave()
  })

  it('but one that is answered after the idle timeout is not: the clock rules', async () => {
    serve(() => {
      for (let i = 0; i < 4; i++) clock.advance(PAUSE / 3)
    })
    expect((await fetchRaw({ port: pair.port })).status).toBe(504)
  })

  it('an upload may come a byte at a time', async () => {
    let received = 0
    let onByte = (): void => undefined
    serve((req, res) => {
      req.on('data', (chunk: Buffer) => {
        received += chunk.length
        onByte()
      })
      req.on('end', () => res.end('thanks'))
    })
    const client = await RawClient.connect(pair.port)
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${String(DAY)}\r\n\r\n`)
    for (let i = 1; i <= DAY; i++) {
      const arrived = new Promise<void>((resolve) => (onByte = resolve))
      client.write('x')
      await arrived
      expect(received).toBe(i)
      if (i < DAY) clock.advance(PAUSE)
    }
    expect((await client.response()).text).toBe('thanks')
    client.leave()
  })

  it('a client may read a large file slowly', async () => {
    const SIZE = 96 * MiB
    let drained = 0
    serve((req, res) => {
      if (req.url === '/small') return res.end('ok')
      res.writeHead(200, { 'content-length': SIZE })
      const chunk = Buffer.alloc(64 * 1024)
      let left = SIZE
      const more = (): void => {
        drained++
        let room = true
        for (; room && left > 0; left -= chunk.length) room = res.write(chunk)
        if (left === 0) res.end()
      }
      res.on('drain', more)
      return more()
    })
    /** Every buffer on the way is full: nothing has moved during ten round trips of somebody else. */
    const stalled = async (): Promise<void> => {
      for (let before = -1; before !== drained;) {
        before = drained
        for (let i = 0; i < 10; i++) await fetchRaw({ port: pair.port, path: '/small' })
      }
    }
    const { response } = await open({ port: pair.port })
    let received = 0
    let pauses = 0
    await stalled()
    for (let seen = drained; received < SIZE;) {
      const chunk = response.read() as Buffer | null
      if (chunk === null) await once(response, 'readable')
      else received += chunk.length
      if (drained === seen) continue
      // What it has read made room for more, all the way to the service.
      if (pauses < 12) {
        await stalled()
        // Half of it: on a busy machine what stalled may move once more by itself, and two pauses become one.
        clock.advance(PAUSE / 2)
        pauses++
      }
      seen = drained
    }
    expect(received).toBe(SIZE)
    // How many depends on what the kernel holds on the way; three are longer than the idle timeout.
    expect(pauses).toBeGreaterThan(2)
  })

  it('a service may read a large upload slowly', async () => {
    const SIZE = 48 * MiB
    let received = 0
    serve((req, res) => {
      void (async () => {
        for await (const chunk of req) received += (chunk as Buffer).length
        res.end(String(received))
      })()
    })
    const socket = connect(pair.port, '127.0.0.1')
    const client = new RawClient(socket)
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${String(SIZE)}\r\n\r\n`)
    const chunk = Buffer.alloc(MiB)
    for (let left = SIZE; left > 0; left -= chunk.length) {
      // It takes the next piece only when all before it has been read.
      socket.write(chunk)
      while (received < SIZE - left + chunk.length) await turn()
      if (left > chunk.length) clock.advance(PAUSE)
    }
    expect((await client.response()).text).toBe(String(SIZE))
    client.leave()
  })
})
