import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { Relay, type RelayOptions } from '../../support/relay.js'

const cleanup: (() => unknown)[] = []

afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step()
})

async function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    onSocket(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanup.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  cleanup.push(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

async function relayTo(onSocket: (socket: Socket) => void, options: Omit<RelayOptions, 'to'> = {}): Promise<Relay> {
  const relay = await Relay.start({ to: await listen(onSocket), ...options })
  cleanup.push(() => relay.close())
  return relay
}

async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const echo = (socket: Socket): unknown => socket.pipe(socket)

describe('Relay', () => {
  it('carries bytes both ways, in order, and the end of each direction', async () => {
    const relay = await relayTo(echo, { delayMs: 5, bytesPerSecond: 50_000_000 })
    const socket = await dial(relay.port)
    const sent = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => i % 251))
    socket.end(sent)
    expect((await readAll(socket)).equals(sent)).toBe(true)
  })

  it('delays each direction by its own time', async () => {
    const relay = await relayTo(echo, { up: { delayMs: 60 }, down: { delayMs: 40 } })
    const socket = await dial(relay.port)
    const start = performance.now()
    socket.write('x')
    await once(socket, 'data')
    expect(performance.now() - start).toBeGreaterThanOrEqual(98)
  })

  it('lets pass no more bytes per second than the link has', async () => {
    const relay = await relayTo(echo, { down: { bytesPerSecond: 1_000_000 } })
    const socket = await dial(relay.port)
    const start = performance.now()
    socket.end(Buffer.alloc(200_000))
    expect(await readAll(socket)).toHaveLength(200_000)
    expect(performance.now() - start).toBeGreaterThanOrEqual(195)
  })

  it('holds a bounded amount and pushes back on the sender when the receiver does not read', async () => {
    const relay = await relayTo((socket) => socket.pause(), { maxHeld: 128 * 1024 })
    const socket = await dial(relay.port)
    let accepted = 0
    let full = false
    const chunk = Buffer.alloc(64 * 1024)
    while (!full) {
      full = !socket.write(chunk, () => (accepted += chunk.length))
      if (full) full = !(await Promise.race([once(socket, 'drain').then(() => true), later(300).then(() => false)]))
    }
    // Kernel buffers take their share, then it stands still.
    expect(relay.held).toBeLessThanOrEqual(128 * 1024 + 64 * 1024)
    expect(accepted).toBeLessThan(64 * 1024 * 1024)
  })

  it('is silent after blackhole(), tells nobody, and passes on what it held after restore()', async () => {
    const relay = await relayTo(echo)
    const socket = await dial(relay.port)
    socket.write('a')
    await once(socket, 'data')
    relay.blackhole()
    let heard = false
    socket.once('data', () => (heard = true))
    socket.write('b')
    await later(60)
    expect(heard).toBe(false)
    expect(socket.destroyed).toBe(false)
    const again = once(socket, 'data')
    relay.restore()
    expect(String((await again)[0])).toBe('b')
  })

  it('keeps a reset to itself while it is a black hole', async () => {
    const ends: Socket[] = []
    const relay = await relayTo((socket) => ends.push(socket))
    const socket = await dial(relay.port)
    socket.write('a')
    while (ends.length === 0) await later(5)
    relay.blackhole()
    socket.resetAndDestroy()
    await later(60)
    const [end] = ends
    expect(end?.destroyed).toBe(false)
    relay.restore()
    await expect.poll(() => end?.destroyed).toBe(true)
  })

  it('resets every connection on cut() and accepts new ones', async () => {
    const relay = await relayTo(echo)
    const socket = await dial(relay.port)
    socket.write('a')
    await once(socket, 'data')
    const failed = once(socket, 'error')
    relay.cut()
    expect(((await failed) as [NodeJS.ErrnoException])[0].code).toBe('ECONNRESET')
    const second = await dial(relay.port)
    second.write('b')
    expect(String((await once(second, 'data'))[0])).toBe('b')
    expect(relay.accepted).toBe(2)
  })
})

function later(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
