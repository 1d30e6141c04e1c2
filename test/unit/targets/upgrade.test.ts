/** The connector's own HTTP/1.1 client and a 101. */
import { createServer } from 'node:net'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { ScriptedExchange } from '../../support/scripted-exchange.js'
import { makeTarget, request } from '../../support/target-fixtures.js'

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

let close: (() => void) | undefined
afterEach(() => close?.())

/** A target that has been asked for an upgrade, and its end of the connection. */
async function asked(options: { readonly early?: string } = {}) {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets: Socket[] = []
  const connected = once(server, 'connection') as Promise<[Socket]>
  server.on('connection', (socket: Socket) => sockets.push(socket))
  const target = makeTarget(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`)
  close = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  const exchange = new ScriptedExchange()
  exchange.upgrade = true
  const head = request('GET', '/ws', 'Connection', 'X', 'Upgrade', 'other', 'Sec-WebSocket-Key', 'k')
  const handler = target.request(head, false, exchange)
  if (options.early !== undefined) handler?.onData(Buffer.from(options.early))
  const [socket] = await connected
  let got = ''
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  const until = async (text: string): Promise<void> => {
    while (!got.includes(text)) await once(socket, 'data')
  }
  await until('\r\n\r\n')
  return { target, exchange, handler, socket, sockets, until, got: () => got }
}

describe('a target that is asked for an upgrade', () => {
  it('gets the fields as they must be, and no framing of a body', async () => {
    const { got } = await asked()
    expect(got()).toBe(
      'GET /ws HTTP/1.1\r\nHost: public.example\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    )
  })

  it('gets early bytes only after its 101, and they are consumed only then', async () => {
    const { exchange, handler, socket, until, got } = await asked({ early: 'early ' })
    handler?.onData(Buffer.from('bytes'))
    socket.write('HTTP/1.1 103 Early Hints\r\n\r\n')
    await exchange.until(() => exchange.infos.length === 1)
    expect([got().endsWith('\r\n\r\n'), exchange.consumedBytes]).toEqual([true, 0])
    socket.write(`${SWITCHING}hello`)
    await until('early bytes')
    await exchange.until(() => exchange.consumedBytes === 11)
    expect([exchange.response?.status, exchange.body.toString()]).toEqual([101, 'hello'])
  })

  it('that declines never gets them, and its connection serves the next request', async () => {
    const { target, exchange, socket, sockets, until, got } = await asked({ early: 'early' })
    socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
    await exchange.ended()
    expect([exchange.response?.status, exchange.body.toString()]).toEqual([403, 'no'])
    const next = new ScriptedExchange()
    target.request(request('GET', '/next'), true, next)?.onEnd(undefined)
    await until('GET /next')
    expect(got()).not.toContain('early')
    expect(sockets).toHaveLength(1)
  })

  it('is not sent another request over a connection that has switched', async () => {
    const { target, exchange, socket, sockets } = await asked()
    socket.write(SWITCHING)
    await exchange.until(() => exchange.response !== undefined)
    const next = new ScriptedExchange()
    target.request(request('GET', '/next'), true, next)?.onEnd(undefined)
    while (sockets.length < 2) await new Promise((resolve) => setImmediate(resolve))
    expect(sockets).toHaveLength(2)
  })

  it('sees a reset when the client is cut, and the end when it has finished', async () => {
    for (const how of ['cut', 'finished']) {
      const { exchange, handler, socket } = await asked()
      socket.write(SWITCHING)
      await exchange.until(() => exchange.response !== undefined)
      const ending = new Promise<string>((resolve) => {
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
        socket.once('end', () => resolve('end'))
      })
      if (how === 'cut') handler?.onError(undefined as never)
      else handler?.onEnd(undefined)
      expect(await ending).toBe(how === 'cut' ? 'ECONNRESET' : 'end')
      close?.()
    }
  })

  it('loses its connection when the client finishes and leaves in one breath', async () => {
    const { exchange, handler, socket } = await asked()
    socket.write(SWITCHING)
    await exchange.until(() => exchange.response !== undefined)
    handler?.onEnd(undefined)
    handler?.onError(undefined as never)
    // Who has read the end learns of the reset when he writes.
    for (let i = 0; i < 1_000 && !socket.destroyed; i++) {
      socket.write('anybody?')
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(socket.destroyed).toBe(true)
  })

  it('that is reset after the 101 resets the exchange', async () => {
    const { exchange, socket } = await asked()
    socket.write(SWITCHING)
    await exchange.until(() => exchange.response !== undefined)
    socket.resetAndDestroy()
    await exchange.ended()
    expect(exchange.error?.code).toBe('CRANKER_ERR_TARGET_FAILED')
  })
})
