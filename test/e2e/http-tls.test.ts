import net from 'node:net'
import tls from 'node:tls'
import { afterEach, expect, it } from 'vitest'
import { certificate } from '../support/certificate.js'
import { RawClient } from '../support/raw-client.js'
import { type HttpSide, startHttpSide } from '../support/scripted-session.js'

let side: HttpSide
const start = async (): Promise<RawClient> => {
  side = await startHttpSide({ tls: certificate })
  return RawClient.connect(side.port, { tls: true })
}
afterEach(() => side.close())

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

it('clients that speak TLS are served, and the service is told so', async () => {
  const client = await start()
  client.write(GET)
  const exchange = await side.exchange()
  expect(exchange.field('forwarded')).toBe('for=127.0.0.1;host=a;proto=https')
  exchange.answer('secret')
  expect((await client.response()).text).toBe('secret')
})

it('Upgrade: h2c over TLS is an ordinary request too', async () => {
  const client = await start()
  const upgrade = 'Connection: Upgrade\r\nUpgrade: h2c\r\n'
  client.write(
    `POST /1 HTTP/1.1\r\nHost: a\r\n${upgrade}Content-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`,
  )
  const first = await side.exchange()
  await first.until(() => first.ended)
  first.answer(first.body)
  expect((await client.response()).text).toBe('abc')
  ;(await side.exchange()).answer('two')
  expect((await client.response()).text).toBe('two')
})

it('a close-delimited response that is cut is reset under its TLS', async () => {
  const client = await start()
  client.write('GET / HTTP/1.0\r\n\r\n')
  const exchange = await side.exchange()
  exchange.respond(200).data('half')
  await client.until('half')
  exchange.fail('CRANKER_ERR_TARGET_FAILED')
  expect(await client.closed()).toBe('reset')
})

it('a client that ends its side only gets its answer', async () => {
  const client = await start()
  client.write(GET).halfClose()
  const exchange = await side.exchange()
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  exchange.answer('late')
  expect((await client.response()).text).toBe('late')
})

it('a client that leaves ends its exchange', async () => {
  const client = await start()
  client.write(GET)
  const exchange = await side.exchange()
  exchange.respond(200).data('x')
  await client.until('x')
  client.leave()
  await exchange.until(() => exchange.resetError !== undefined)
})

it('plain HTTP and resets during the handshake disturb nobody', async () => {
  const client = await start()
  const plain = await RawClient.connect(side.port)
  plain.write(GET)
  await plain.closed()
  for (let i = 0; i < 10; i++) {
    const socket = net.connect(side.port, '127.0.0.1', () => {
      socket.write(Buffer.from([0x16, 3, 1]))
      socket.resetAndDestroy()
    })
    await new Promise((resolve) => socket.once('close', resolve))
  }
  client.write(GET)
  ;(await side.exchange()).answer('alive')
  expect((await client.response()).text).toBe('alive')
})

it('TLS below 1.2 is refused', async () => {
  await start()
  const socket = tls.connect({
    port: side.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.1',
    minVersion: 'TLSv1',
  })
  await expect(
    new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    }),
  ).rejects.toThrow()
})

it('draining waits for what runs and closes the rest', async () => {
  const client = await start()
  const idle = await RawClient.connect(side.port, { tls: true })
  client.write(GET)
  const exchange = await side.exchange()
  const closed = side.server.close()
  await idle.closed()
  exchange.answer('last')
  expect((await client.response()).text).toBe('last')
  await closed
})
