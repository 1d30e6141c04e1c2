/** WebSockets over HTTP/2 (RFC 8441), through the tunnel to a service that knows only HTTP/1.1. */
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { Http2Client, head } from '../support/http2-client.js'
import { usePair, versions } from '../support/pair.js'

describe.each(versions)('WebSockets of HTTP/2 clients over %s', (version) => {
  const pair = usePair({ version, router: { http2Cleartext: true } })

  it('reach the service', async () => {
    pair.serve(() => undefined)
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    server.on('connection', (socket) => socket.on('message', (data) => socket.send((data as Buffer).toString())))
    await once(server, 'listening')
    await pair.connect({ route: 'ws', target: `http://127.0.0.1:${(server.address() as { port: number }).port}` })
    const client = new Http2Client(pair.port)
    await once(client.session, 'remoteSettings')
    const stream = client.open(
      {
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':path': '/ws',
        ':scheme': 'http',
        'sec-websocket-version': '13',
      },
      false,
    )
    // A masked text frame, `hi`.
    stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
    expect((await head(stream))[':status']).toBe(200)
    const [echo] = (await once(stream, 'data')) as [Buffer]
    expect(echo).toEqual(Buffer.from([0x81, 0x02, 0x68, 0x69]))
    client.destroy()
    server.close()
  })
})
