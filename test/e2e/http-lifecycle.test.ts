import { afterEach, describe, expect, it } from 'vitest'
import { CrankerError } from '../../protocol/errors.js'
import { RETRY_AFTER_SECONDS } from '../../router/responses.js'
import { FakeClock } from '../support/fake-clock.js'
import { RawClient } from '../support/raw-client.js'
import {
  type HttpSide,
  type HttpSideOptions,
  registered,
  type ScriptedExchange,
  ScriptedSession,
  startHttpSide,
} from '../support/scripted-session.js'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

let side: HttpSide
const start = async (options?: HttpSideOptions): Promise<RawClient> => {
  side = await startHttpSide(options)
  return RawClient.connect(side.port)
}
afterEach(() => side.close())

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate)
}

describe('a client that leaves', () => {
  it('ends its exchange at once, before the response', async () => {
    const client = await start()
    client.write(GET)
    const exchange = await side.exchange()
    client.reset()
    await exchange.until(() => exchange.resetError !== undefined)
    expect(exchange.resetError?.code).toBe('CRANKER_ERR_CLIENT_GONE')
    expect(await side.entry()).toMatchObject({ status: undefined, error: 'CRANKER_ERR_CLIENT_GONE' })
    expect(side.proxy.running).toBe(0)
  })

  it('with an orderly end ends its exchange too: the router asks whether it is still there', async () => {
    const client = await start()
    client.write(GET)
    const exchange = await side.exchange()
    client.leave()
    await exchange.until(() => exchange.resetError !== undefined)
  })

  it('ends its exchange at once, while an event stream is silent', async () => {
    const client = await start()
    client.write(GET)
    const exchange = await side.exchange()
    exchange.respond(200).data('data: 1\n\n')
    await client.until('data: 1')
    client.leave()
    await exchange.until(() => exchange.resetError !== undefined)
    expect((await side.entry()).status).toBe(200)
  })

  it('ends its exchange during its upload', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc')
    const exchange = await side.exchange()
    await exchange.until(() => exchange.body === 'abc')
    client.leave()
    await exchange.until(() => exchange.resetError !== undefined)
    expect(exchange.ended).toBe(false)
  })

  it('no longer waits for a socket', async () => {
    const client = await start({ session: false })
    client.write(GET)
    await side.source.until(() => side.source.waiters.size === 1)
    client.reset()
    await side.source.until(() => side.source.cancelled === 1)
    expect(side.proxy.running).toBe(0)
  })
})

describe('a client that only ends its side (nc -N)', () => {
  it.each(['1.0', '1.1'])('gets its answer on HTTP/%s', async (version) => {
    const client = await start()
    client.write(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`).halfClose()
    const exchange = await side.exchange()
    await turns(20)
    exchange.respond(200)
    await turns(20)
    exchange.data('late').finish()
    expect((await client.response()).text).toBe('late')
    expect(await client.closed()).toBe('fin')
  })

  it('gets all its answers after pipelining', async () => {
    const client = await start()
    client.write(GET + GET).halfClose()
    ;(await side.exchange()).answer('one')
    const second = await side.exchange()
    second.respond(200).data('tw')
    await client.response()
    await client.until('tw')
    await turns(20)
    second.data('o').finish()
    expect((await client.response()).text).toBe('two')
  })

  it('gets its answer, though the head of it came before the end of its body', async () => {
    const client = await start()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
    const exchange = await side.exchange()
    exchange.respond(200).data('begin')
    await client.until('begin')
    client.write('def').halfClose()
    await exchange.until(() => exchange.ended)
    await turns(20)
    exchange.data('end').finish()
    expect((await client.response()).text).toBe('beginend')
  })
})

describe('errors', () => {
  it.each([
    ['CRANKER_ERR_SOCKET_LOST', 502, 'connection_terminated'],
    ['CRANKER_ERR_TARGET_UNREACHABLE', 502, 'destination_unavailable'],
    ['CRANKER_ERR_PEER_REJECTED', 400, 'http_request_error'],
    ['CRANKER_ERR_PEER_RESET', 502, 'connection_terminated'],
  ] as const)('%s is answered with %d, and names nothing internal', async (code, status, type) => {
    const client = await start()
    client.write(GET)
    ;(await side.exchange()).fail(code)
    const response = await client.response()
    expect(response.status).toBe(status)
    expect(response.field('proxy-status')).toBe(`cranker; error=${type}; details="${code}"`)
    expect(response.field('cache-control')).toBe('no-store')
    const entry = await side.entry()
    expect(entry).toMatchObject({ status, error: code, route: 'route', connectorInstanceID: 'instance' })
    expect(response.text).toContain(entry.requestId)
    expect(response.text).not.toContain('10.1.2.3')
    // The connection is good for more.
    client.write(GET)
    ;(await side.exchange()).answer('next')
    expect((await client.response()).text).toBe('next')
  })

  it('to HEAD have no body', async () => {
    const client = await start()
    client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
    ;(await side.exchange()).fail('CRANKER_ERR_SOCKET_LOST')
    const response = await client.response('HEAD')
    expect([response.status, Number(response.field('content-length')) > 0]).toEqual([502, true])
    await turns(10)
    expect(client.received).toHaveLength(0)
  })

  it('while waiting are answered, with Retry-After', async () => {
    const client = await start({ session: false })
    client.write(GET)
    await side.source.until(() => side.source.waiters.size === 1)
    side.source.next().onFailed(new CrankerError('CRANKER_ERR_NO_SOCKET', 'none'))
    const response = await client.response()
    expect([response.status, response.field('retry-after')]).toEqual([503, String(RETRY_AFTER_SECONDS)])
  })

  it('thrown by a handler are answered with 500 and do not end the process', async () => {
    const client = await start()
    side.source.take = () => {
      throw new Error('a bug')
    }
    client.write(GET)
    expect((await client.response()).status).toBe(500)
  })
})

describe('a request that was refused', () => {
  const refuse = (exchange: ScriptedExchange): void => exchange.fail('CRANKER_ERR_REFUSED', 'no')

  it('is given to another socket', async () => {
    const client = await start()
    side.session.play = refuse
    const other = new ScriptedSession((exchange) => exchange.answer('from another'))
    side.source.sessions.push(registered(other))
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
    expect((await client.response()).text).toBe('from another')
    expect([side.session.opened, other.opened]).toEqual([1, 1])
  })

  it('is given to another socket with its body, if none of it had been sent', async () => {
    const client = await start()
    side.session.play = refuse
    let body = ''
    const other = new ScriptedSession((exchange) => {
      void exchange
        .until(() => exchange.ended)
        .then(() => {
          body = exchange.body
          exchange.answer('took it')
        })
    })
    side.source.sessions.push(registered(other))
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n')
    await turns(20)
    client.write('abc')
    expect((await client.response()).text).toBe('took it')
    expect(body).toBe('abc')
  })

  it('is not repeated once a byte of its body has been sent', async () => {
    const client = await start()
    const other = new ScriptedSession((exchange) => exchange.answer('wrong'))
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
    const exchange = await side.exchange()
    side.source.sessions.push(registered(other))
    await exchange.until(() => exchange.body === 'abc')
    exchange.fail('CRANKER_ERR_REFUSED', 'no')
    expect((await client.response()).status).toBe(503)
    expect(other.opened).toBe(0)
  })

  it('is offered three times at most, then answered with 503', async () => {
    const client = await start()
    side.session.play = refuse
    const others = [1, 2, 3].map(() => new ScriptedSession(refuse))
    side.source.sessions.push(...others.map(registered))
    client.write(GET)
    expect((await client.response()).status).toBe(503)
    expect(side.session.opened + others.reduce((sum, other) => sum + other.opened, 0)).toBe(3)
  })

  it('finds another socket too when the first closed under it', async () => {
    const client = await start()
    side.session.refusal = new CrankerError('CRANKER_ERR_CLOSED', 'closed', { delivered: 'no' })
    side.source.sessions.push(registered(new ScriptedSession((exchange) => exchange.answer('ok'))))
    client.write(GET)
    expect((await client.response()).text).toBe('ok')
  })
})

describe('the idle timeout', () => {
  const idleTimeout = 1_600

  it('answers 504 before the head', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout })
    client.write(GET)
    const exchange = await side.exchange()
    clock.advance(idleTimeout)
    expect(exchange.resetError).toBeUndefined()
    clock.advance(200)
    expect(exchange.resetError?.code).toBe('CRANKER_ERR_IDLE_TIMEOUT')
    expect((await client.response()).status).toBe(504)
    expect(clock.pending).toBe(0)
  })

  it('answers 408 if it is the request that does not come', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout })
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc')
    const exchange = await side.exchange()
    await exchange.until(() => exchange.body === 'abc')
    clock.advance(2 * idleTimeout)
    expect((await client.response()).status).toBe(408)
  })

  it('cuts the response after the head', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout })
    client.write(GET)
    ;(await side.exchange()).respond(200).data('half')
    await client.until('half')
    clock.advance(2 * idleTimeout)
    await expect(client.response()).rejects.toThrow('cut')
  })

  it('does not end what flows, however long', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout })
    client.write(GET)
    const exchange = await side.exchange()
    exchange.respond(200)
    for (let i = 0; i < 10; i++) {
      exchange.data(`event ${i}\n`)
      clock.advance(idleTimeout / 2)
    }
    exchange.finish()
    expect((await client.response()).text).toContain('event 9')
  })

  it('finds a client that does not read, although its upload flows', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout })
    client.socket.pause()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    const exchange = await side.exchange()
    exchange.respond(200)
    let sent = 0
    do {
      exchange.data(Buffer.alloc(256 * 1024))
      sent += 256 * 1024
      await turns(20)
    } while (exchange.consumedBytes === sent)
    for (let i = 0; i < 4; i++) {
      client.write('1\r\nx\r\n')
      await exchange.until(() => exchange.chunks.length > i || exchange.resetError !== undefined)
      clock.advance(idleTimeout / 2)
    }
    expect(exchange.resetError?.code).toBe('CRANKER_ERR_IDLE_TIMEOUT')
  })

  it('does not mind a service that answers without reading', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout })
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc')
    const exchange = await side.exchange()
    exchange.room = false
    await exchange.until(() => exchange.body === 'abc')
    exchange.respond(200)
    for (let i = 0; i < 6; i++) {
      exchange.data(`event ${i}\n`)
      clock.advance(idleTimeout / 2)
    }
    exchange.finish()
    expect((await client.response()).text).toContain('event 5')
  })

  it('finds a client that does not take the rest of a response', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout })
    client.socket.pause()
    client.write(GET)
    const exchange = await side.exchange()
    exchange
      .respond(200)
      .data(Buffer.alloc(32 * 1024 * 1024))
      .finish()
    await turns(20)
    expect(side.proxy.running).toBe(1)
    clock.advance(2 * idleTimeout)
    expect(side.proxy.running).toBe(0)
    client.socket.resume()
    await client.closed()
  })

  it('does not run while a request waits for a socket', async () => {
    const clock = new FakeClock()
    const client = await start({ clock, idleTimeout, session: false })
    client.write(GET)
    await side.source.until(() => side.source.waiters.size === 1)
    clock.advance(10 * idleTimeout)
    side.source.next().onSession(registered(side.session))
    ;(await side.exchange()).answer('at last')
    expect((await client.response()).text).toBe('at last')
  })
})

describe('draining', () => {
  it('answers what runs with Connection: close, closes what is idle, and accepts nothing new', async () => {
    const client = await start()
    const idle = await RawClient.connect(side.port)
    const used = await RawClient.connect(side.port)
    used.write(GET)
    ;(await side.exchange()).answer('x')
    await used.response()
    client.write(GET)
    const exchange = await side.exchange()
    const closed = side.server.close()
    await Promise.all([idle.closed(), used.closed()])
    await expect(RawClient.connect(side.port)).rejects.toThrow('ECONNREFUSED')
    exchange.answer('last')
    expect((await client.response()).fields('connection')).toEqual(['close'])
    await client.closed()
    await closed
    expect(side.server.connections).toBe(0)
  })

  it('closes a keep-alive connection after a response that had already begun', async () => {
    const client = await start()
    client.write(GET)
    const exchange = await side.exchange()
    exchange.respond(200).data('begin')
    await client.until('begin')
    const closed = side.server.close()
    exchange.data('end').finish()
    expect((await client.response()).text).toBe('beginend')
    await closed
  })

  it('ends with whatever still runs being cut', async () => {
    const client = await start()
    client.write(GET)
    const exchange = await side.exchange()
    const closed = side.server.close()
    side.proxy.abortAll(new CrankerError('CRANKER_ERR_DRAINING', 'time is over'))
    expect((await client.response()).status).toBe(503)
    expect(exchange.resetError?.code).toBe('CRANKER_ERR_DRAINING')
    await closed
  })
})

describe('the access log', () => {
  it('has one entry for each request, with what was carried', async () => {
    const client = await start()
    client.write('POST /a?b HTTP/1.1\r\nHost: Shop:1\r\nContent-Length: 3\r\n\r\nabc')
    const exchange = await side.exchange()
    await exchange.until(() => exchange.ended)
    exchange.answer('hello', 201)
    expect(await side.entry()).toMatchObject({
      ...{
        method: 'POST',
        host: 'Shop:1',
        target: '/a?b',
        httpVersion: '1.1',
        remoteAddress: '127.0.0.1',
        status: 201,
      },
      ...{ bytesIn: 3, bytesOut: 5, route: 'route', connectorInstanceID: 'instance', error: undefined },
    })
    expect(side.access).toHaveLength(1)
  })

  it('has an entry for what the router answers itself', async () => {
    const client = await start()
    client.write('GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await client.response()).status).toBe(400)
    expect(await side.entry()).toMatchObject({
      ...{ method: 'GET', target: '/a/../b', status: 400, error: 'CRANKER_ERR_BAD_REQUEST', route: undefined },
    })
  })
})

it('10,000 exchanges leave nothing behind', async () => {
  const clock = new FakeClock()
  await start({ clock, play: (exchange) => exchange.answer('x') })
  const batch = async (count: number): Promise<void> => {
    const client = await RawClient.connect(side.port)
    for (let i = 0; i < count; i += 100) {
      client.write(GET.repeat(100))
      for (let k = 0; k < 100; k++) await client.response()
    }
    client.leave()
    await client.closed()
  }
  await batch(10_000)
  await side.entry(10_000)
  expect([side.proxy.running, side.session.load, side.source.waiters.size]).toEqual([0, 0, 0])
  clock.advance(300_000)
  expect(clock.pending).toBe(0)
  // Timers of this process that still run: none of ours.
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBeLessThan(10)
})

it('the keep-alive time of an earlier request does not end one that came with Upgrade: h2c', async () => {
  const client = await start({ keepAliveTimeout: 100 })
  client.write(`${GET}GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`)
  ;(await side.exchange()).answer('one')
  await client.response()
  const exchange = await side.exchange()
  const other = await RawClient.connect(side.port)
  other.write(GET)
  ;(await side.exchange()).answer('x')
  // The other is idle from now on: when its time is over, so would that of the first.
  await other.closed()
  exchange.answer('two')
  expect((await client.response()).text).toBe('two')
})
