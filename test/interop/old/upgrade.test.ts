/** What one side has learnt since: a request for it is declined, and nothing else suffers. */
import { describe, expect, it } from 'vitest'
import { fetchRaw } from '../../support/http-client.js'
import { usePair, versions } from '../../support/pair.js'
import { RawClient } from '../../support/raw-client.js'

const handshake = [
  'GET /socket HTTP/1.1',
  'Host: a',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

describe.each(versions)('with an earlier build over %s', (version) => {
  const pair = usePair({ version })

  it('a WebSocket handshake is answered 501, and requests go on beside it', async () => {
    const reached: (string | undefined)[] = []
    pair.serve((req, res) => {
      reached.push(req.url)
      res.end('ok')
    })
    for (let i = 0; i < 3; i++) {
      const client = await RawClient.connect(pair.port)
      client.write(`${handshake.join('\r\n')}\r\n\r\n`)
      expect((await client.response()).status).toBe(501)
      client.leave()
      expect((await fetchRaw({ port: pair.port, path: '/plain' })).text).toBe('ok')
    }
    expect(reached).toEqual(['/plain', '/plain', '/plain'])
  })
})
