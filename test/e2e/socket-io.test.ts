/** Socket.IO through the pair: long polling, WebSocket, and the change from one to the other. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it } from 'vitest'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { startPair } from '../support/pair.js'
import { ways } from '../support/upgrades.js'

it.each(
  ways.flatMap((way) =>
    [['polling'], ['websocket'], ['polling', 'websocket']].map((transports) => ({ ...way, transports })),
  ),
)('Socket.IO by $transports over $version to a $target target', async ({ version, target, transports }) => {
  const server = createServer()
  const service = new Server(server, { serveClient: false })
  service.on('connection', (socket) => {
    socket.on('echo', (value: unknown, answer: (value: unknown) => void) => {
      answer(value)
    })
    socket.on('broadcast', (text: string) => service.emit('news', text))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  const pair = await startPair({ version, target: target === 'URL' ? url : server })
  const client = io(`http://127.0.0.1:${String(pair.port)}`, { transports, reconnection: false, forceNew: true })
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('connect', resolve)
      client.on('connect_error', reject)
    })
    const { engine } = client.io
    const last = transports.at(-1)
    if (engine.transport.name !== last) await new Promise((resolve) => engine.once('upgrade', resolve))
    expect(engine.transport.name).toBe(last)
    const value = { text: 'grüße', bytes: Buffer.alloc(100_000, 7) }
    const back = (await client.emitWithAck('echo', value)) as typeof value
    expect([back.text, Buffer.compare(back.bytes, value.bytes)]).toEqual([value.text, 0])
    const news = new Promise((resolve) => client.on('news', resolve))
    client.emit('broadcast', 'hello')
    expect(await news).toBe('hello')
  } finally {
    client.disconnect()
    await service.close()
    await pair[Symbol.asyncDispose]()
  }
})
