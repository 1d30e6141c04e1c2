/** What a peer could pile up on a tunnel socket, over real sockets. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { createConnector } from '../../connector/index.js'
import { createRouter, type Router } from '../../router/index.js'
import { versions } from '../support/pair.js'
import { answerOnce, register } from '../support/scripted-connector.js'
import { acceptV3, ScriptedRouter } from '../support/scripted-router.js'

const MiB = 1024 * 1024

let router: Router
beforeEach(async () => {
  router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, drainTimeout: 0 })
})
afterEach(() => router.close())

describe.each(versions)('a connector on %s', (version) => {
  const subprotocols = [`cranker_${version}`]

  it('that sends a message above 1 MiB loses its socket, nobody else does', async () => {
    const other = await register(router, { subprotocols: ['cranker_1.0'] })
    const evil = await register(router, { subprotocols, headers: { Route: 'evil' } })
    evil.ws.send(Buffer.alloc(MiB + 1))
    expect((await evil.closed).code).toBe(1009)
    const answer = fetch(`${router.address.public.url}/x`)
    await answerOnce(other, 'fine')
    expect(await (await answer).text()).toBe('fine')
  })

  it('that sends a message in fragments without end loses its socket at 1 MiB', async () => {
    const evil = await register(router, { subprotocols })
    let sent = 0
    const more = (): void => {
      if (evil.ws.readyState !== evil.ws.OPEN || sent > 64 * MiB) return
      sent += 65_536
      evil.ws.send(Buffer.alloc(65_536), { fin: false }, more)
    }
    more()
    expect((await evil.closed).code).toBe(1009)
    expect(sent).toBeLessThan(64 * MiB)
  })

  it('that sends pings and reads no pong makes no pile of pongs: the newest is enough (RFC 6455 §5.5.3)', async () => {
    const { port } = router.address.registration
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    const lines = [
      'GET /register/ HTTP/1.1',
      'Host: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      `Sec-WebSocket-Protocol: cranker_${version}`,
    ]
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    await once(socket, 'data')
    socket.pause()
    const SENT = 48 * MiB
    const batch = Buffer.concat(Array.from({ length: 1_000 }, () => ping('.')))
    for (let sent = 0; sent < SENT; sent += batch.length) if (!socket.write(batch)) await once(socket, 'drain')
    socket.write(ping('z'))
    let received = 0
    let tail = Buffer.alloc(0)
    while (!tail.includes('z'.repeat(125))) {
      const [chunk] = (await once(socket.resume(), 'data')) as [Buffer]
      received += chunk.length
      tail = Buffer.concat([tail, chunk]).subarray(-1_000)
    }
    // What is more than the buffers of the operating system was never written.
    expect(received).toBeLessThan(SENT / 2)
    socket.destroy()
  })
})

/** A masked ping of 125 times this character. */
function ping(character: string): Buffer {
  return Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125, character)])
}

describe('a router on 3.0', () => {
  it('that opens and resets streams as fast as it can reaches no further than the target’s connection limit', async () => {
    await using evil = await ScriptedRouter.start(acceptV3)
    let running = 0
    let most = 0
    let served = 0
    await using connector = await createConnector({
      routers: evil.url,
      route: '*',
      window: 1,
      targetMaxConnections: 10,
      drainTimeout: 0,
      protocols: ['3.0'],
      target: (req, res) => {
        most = Math.max(most, ++running)
        res.on('close', () => running--)
        if (req.url === '/last') res.end(String(++served))
      },
    })
    await connector.registered
    const ws = evil.sockets[0] as WebSocket
    const frame = (type: number, flags: number, id: number, text: string): Buffer => {
      const head = Buffer.from([type, flags, 0, 0, 0, 0])
      head.writeInt32BE(id, 2)
      return Buffer.concat([head, Buffer.from(text)])
    }
    const COUNT = 5_000
    for (let id = 1; id <= COUNT; id++) {
      ws.send(frame(1, 5, id, 'GET /slow HTTP/1.1\nhost:a\n'))
      ws.send(frame(3, 0, id, '\0\0\0\x01'))
    }
    ws.send(frame(1, 5, COUNT + 1, 'GET /last HTTP/1.1\nhost:a\n'))
    for (;;) {
      const [message] = (await once(ws, 'message')) as [Buffer]
      if (message.readInt32BE(2) === COUNT + 1 && message[0] === 1) {
        expect(message.subarray(6).toString()).toMatch(/^HTTP\/1\.1 200 /)
        break
      }
    }
    expect(most).toBeLessThanOrEqual(10)
    expect(served).toBe(1)
  })
})
