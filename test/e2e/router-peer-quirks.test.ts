/** What published connectors do on a tunnel socket that the RFCs do not foresee, or forbid. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import { createRouter } from '../../router/index.js'
import { silentLogger } from '../../protocol/logger.js'

it('crank4py: a ping above 125 bytes ends its socket (RFC 6455 §5.5), and the log says why', async () => {
  const warnings: unknown[] = []
  const logger = { ...silentLogger, warn: (...line: unknown[]) => warnings.push(line) }
  await using router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, drainTimeout: 0, logger })
  const socket = connect(router.address.registration.port, '127.0.0.1')
  socket.on('error', () => undefined)
  const lines = [
    'GET /register/ HTTP/1.1',
    'Host: x',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'CrankerProtocol: 1.0',
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  await once(socket, 'data')
  const lost = once(router, 'lost')
  socket.write(Buffer.concat([Buffer.from([0x89, 0x80 | 126, 0, 126, 0, 0, 0, 0]), Buffer.alloc(126)]))
  await lost
  expect(JSON.stringify(warnings, (_key, value: unknown) => (value instanceof Error ? String(value) : value))).toMatch(
    /invalid payload length 126/i,
  )
  socket.destroy()
})
