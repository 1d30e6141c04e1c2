/** After a 101 the tunnel carries bytes, both ways, until each side has finished: whatever the version and the target. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import type { RawClient } from '../support/raw-client.js'
import { switching, UpgradeBed, upgradeRequest, ways } from '../support/upgrades.js'

const MiB = 1024 * 1024

let bed: UpgradeBed
afterEach(() => bed[Symbol.asyncDispose]())

describe.each(ways)('an upgraded connection over $version to a $target target', (way) => {
  it('carries the bytes of both sides, whatever they are', async () => {
    bed = await UpgradeBed.start(way)
    const { client, socket } = await bed.open()
    socket.on('data', (chunk: Buffer) => socket.write(chunk))
    const data = randomBytes(300_000)
    client.write(data)
    await received(client, data.length)
    expect(client.received.equals(data)).toBe(true)
  })

  it('hands the service the handshake untouched, with Connection and Upgrade as they were meant', async () => {
    bed = await UpgradeBed.start(way)
    const seen = new Promise<readonly string[]>((resolve) => {
      bed.onUpgrade = (req, socket) => {
        resolve(req.rawHeaders)
        socket.end(switching(req))
      }
    })
    const client = await bed.client()
    client.write(
      'GET /a%2fb?c=[d] HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade, X-Hop\r\nUpgrade: h2c, WebSocket\r\nX-Hop: 1\r\n' +
        'Sec-WebSocket-Key: abc\r\nsec-websocket-protocol: x, y\r\nSec-WebSocket-Extensions: permessage-deflate; a="b"\r\nOrigin: http://o\r\n\r\n',
    )
    const { status, headers } = await client.head()
    expect(status).toBe(101)
    const fields = await seen
    const get = (name: string): string[] =>
      fields.filter((_, i) => i % 2 === 1 && fields[i - 1]?.toLowerCase() === name)
    expect(get('connection')).toEqual(['Upgrade'])
    expect(get('upgrade')).toEqual(['websocket'])
    expect(get('x-hop')).toEqual([])
    expect(get('sec-websocket-key')).toEqual(['abc'])
    expect(get('sec-websocket-protocol')).toEqual(['x, y'])
    expect(get('sec-websocket-extensions')).toEqual(['permessage-deflate; a="b"'])
    expect(get('origin')).toEqual(['http://o'])
    expect(get('via')).toEqual(['1.1 cranker'])
    const names = headers.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
    expect(names).toEqual(['connection', 'upgrade', 'sec-websocket-accept'])
  })

  it('begins with what the client sent early, and with what the service sent with its 101', async () => {
    bed = await UpgradeBed.start(way)
    const got: Buffer[] = []
    bed.onUpgrade = (req, socket, early) => {
      socket.write(`${switching(req)}first`)
      got.push(early)
      socket.on('data', (chunk: Buffer) => got.push(chunk))
      socket.on('end', () => socket.end('last'))
    }
    const client = await bed.client()
    client.write(`${upgradeRequest()}early`)
    expect((await client.head()).status).toBe(101)
    await client.until('first')
    client.write(' late')
    client.halfClose()
    await client.until('last')
    expect(Buffer.concat(got).toString()).toBe('early late')
  })

  it('lets the client finish first, and still read', async () => {
    bed = await UpgradeBed.start(way)
    const { client, socket } = await bed.open()
    let got = ''
    socket.on('data', (chunk: Buffer) => (got += chunk.toString()))
    client.write('question')
    client.halfClose()
    await once(socket, 'end')
    expect(got).toBe('question')
    const answer = randomBytes(200_000)
    socket.end(answer)
    expect(await client.closed()).toBe('fin')
    expect(client.received.equals(answer)).toBe(true)
    expect(await bed.entry()).toMatchObject({ status: 101, bytesIn: 8, bytesOut: 200_000, error: undefined })
  })

  it('lets the service finish first, and still read', async () => {
    bed = await UpgradeBed.start(way)
    const { client, socket } = await bed.open()
    const data = randomBytes(200_000)
    const parts: Buffer[] = []
    socket.on('data', (chunk: Buffer) => parts.push(chunk))
    socket.end('answer')
    expect(await client.closed()).toBe('fin')
    expect(client.received.toString()).toBe('answer')
    client.write(data)
    client.halfClose()
    await once(socket, 'end')
    expect(Buffer.concat(parts).equals(data)).toBe(true)
    expect(await bed.entry()).toMatchObject({ status: 101, bytesIn: 200_000, bytesOut: 6, error: undefined })
  })

  it.each(['resets', 'service resets'])('is cut for both as soon as one %s', async (who) => {
    bed = await UpgradeBed.start(way)
    const { client, socket } = await bed.open()
    socket.resume()
    if (who === 'resets') {
      const closed = gone(socket)
      client.reset()
      await closed
      expect((await bed.entry()).error).toBe('CRANKER_ERR_CLIENT_GONE')
    } else {
      reset(socket)
      await client.closed()
      expect((await bed.entry()).error).toBe('CRANKER_ERR_PEER_RESET')
    }
  })

  it('holds back a service whose client does not read, with bounded memory', async () => {
    bed = await UpgradeBed.start(way)
    const { client, socket } = await bed.open()
    client.socket.pause()
    const held = await fill(socket)
    expect(held).toBeLessThan(24 * MiB)
    const ended = client.closed()
    client.socket.resume()
    socket.end()
    await ended
    expect(client.received.length).toBe(held)
  })

  it('holds back a client whose service does not read, with bounded memory', async () => {
    bed = await UpgradeBed.start(way)
    const { client, socket } = await bed.open()
    socket.pause()
    const held = await fill(client.socket)
    expect(held).toBeLessThan(24 * MiB)
    let got = 0
    socket.on('data', (chunk: Buffer) => (got += chunk.length))
    client.halfClose()
    socket.resume()
    await once(socket, 'end')
    expect(got).toBe(held)
    socket.end()
    await client.closed()
  })

  it('is ordinary HTTP when the service declines: status, fields, body, keep-alive and what was pipelined', async () => {
    bed = await UpgradeBed.start(way)
    bed.onUpgrade = (_req, socket) => {
      const chunks = '4\r\nnot \r\n5\r\ntoday\r\n'
      socket.end(
        `HTTP/1.1 426 Upgrade Required\r\nX-A: 1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`,
      )
    }
    const client = await bed.client()
    client.write(`${upgradeRequest('/no')}GET /next HTTP/1.1\r\nHost: a\r\n\r\n`)
    const answer = await client.response()
    expect([answer.status, answer.reason, answer.field('x-a'), answer.text]).toEqual([
      426,
      'Upgrade Required',
      '1',
      'not today',
    ])
    expect((await client.response()).text).toBe('ok')
    client.write('GET /again HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await client.response()).text).toBe('ok')
    client.write(upgradeRequest('/no'))
    expect((await client.response()).status).toBe(426)
  })

  it('is not there when the service declines and closes, with a large body; the client asked for no other request', async () => {
    bed = await UpgradeBed.start(way)
    const body = randomBytes(500_000)
    bed.onUpgrade = (_req, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n')
      socket.end(body)
    }
    const client = await bed.client()
    client.write(upgradeRequest('/', 'Connection: close\r\n'))
    const answer = await client.response()
    expect(answer.body.equals(body)).toBe(true)
    expect(await client.closed()).toBe('fin')
    expect(await bed.entry()).toMatchObject({ status: 200, bytesOut: body.length })
  })

  it('answers 502 when the service closes instead of answering', async () => {
    bed = await UpgradeBed.start(way)
    const client = await bed.client()
    client.write(upgradeRequest())
    expect((await client.response()).status).toBe(502)
  })

  it('answers 504 when the service never answers', async () => {
    bed = await UpgradeBed.start(way, { router: { idleTimeout: 100 } })
    bed.onUpgrade = () => undefined
    const client = await bed.client()
    client.write(upgradeRequest())
    expect((await client.response()).status).toBe(504)
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect((await client.response()).text).toBe('ok')
  })

  it.each(['leaves', 'resets'])(
    'is given up at once at the service when its client %s before the answer',
    async (how) => {
      bed = await UpgradeBed.start(way)
      const asked = new Promise<Duplex>((resolve) => (bed.onUpgrade = (_req, socket) => resolve(socket)))
      const client = await bed.client()
      client.write(`${upgradeRequest()}early`)
      const socket = await asked
      socket.resume()
      const closed = gone(socket)
      if (how === 'leaves') client.leave()
      else client.reset()
      await closed
      expect(await bed.entry()).toMatchObject({ status: undefined, error: 'CRANKER_ERR_CLIENT_GONE' })
    },
  )

  it('outlives the idle time of requests, and ends by its own', async () => {
    bed = await UpgradeBed.start(way, {
      router: { idleTimeout: 50, upgradeIdleTimeout: 600 },
      connector: { idleTimeout: 50 },
    })
    const { client, socket } = await bed.open()
    socket.resume()
    const opened = performance.now()
    const closed = gone(socket)
    await client.closed()
    await closed
    expect(performance.now() - opened).toBeGreaterThan(550)
    expect((await bed.entry()).error).toBe('CRANKER_ERR_IDLE_TIMEOUT')
  })

  it('never ends by idleness when that is switched off', async () => {
    bed = await UpgradeBed.start(way, {
      router: { idleTimeout: 20, upgradeIdleTimeout: 0 },
      connector: { idleTimeout: 20 },
    })
    const { client, socket } = await bed.open()
    // A request that runs into its own idle timeout five times over shows that the time has passed for both.
    bed.onUpgrade = () => undefined
    for (let i = 0; i < 5; i++) {
      const other = await bed.client()
      other.write(upgradeRequest('/never'))
      // Either side's may be the first to be up.
      expect((await other.response()).status).toBeOneOf([502, 504])
      other.leave()
    }
    socket.write('still here')
    await client.until('still here')
  })
})

/** Writes until nothing is taken any more for a while, and returns how much that was. */
async function fill(stream: Duplex): Promise<number> {
  const chunk = Buffer.alloc(64 * 1024)
  let bytes = 0
  for (;;) {
    bytes += chunk.length
    if (stream.write(chunk)) continue
    const drained = await Promise.race([
      once(stream, 'drain').then(() => true),
      new Promise<false>((resolve) => setTimeout(() => resolve(false), 500)),
    ])
    if (!drained || bytes > 64 * MiB) return bytes
  }
}

async function received(client: RawClient, bytes: number): Promise<void> {
  while (client.received.length < bytes) await once(client.socket, 'data')
}

/** Once it is closed, in whatever way. */
function gone(socket: Duplex): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

function reset(socket: Duplex): void {
  if ('resetAndDestroy' in socket && typeof socket.resetAndDestroy === 'function') socket.resetAndDestroy()
  else socket.destroy()
}
