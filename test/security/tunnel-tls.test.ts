/** Whom a connector trusts over TLS. */
import { once } from 'node:events'
import { createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { dial, type DialFailure, type DialOptions } from '../../protocol/ws-dial.js'
import { certificate } from '../support/certificate.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** A TLS server that refuses every handshake of WebSockets, and tells whether the TLS session was resumed. */
async function startRefusing(): Promise<{ url: URL; resumed: boolean[] }> {
  const resumed: boolean[] = []
  const server = createServer({ ...certificate }, (socket: TLSSocket) => {
    resumed.push(socket.isSessionReused())
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end('HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return { url: new URL(`wss://127.0.0.1:${String((server.address() as AddressInfo).port)}/register/`), resumed }
}

function refused(url: URL, trust: Pick<DialOptions, 'ca' | 'insecureSkipVerify'>): Promise<DialFailure> {
  return new Promise((resolve, reject) => {
    dial(
      { url, headers: [], subprotocols: [], ...trust },
      { onOpen: () => reject(new Error('not refused')), onFailed: resolve },
    )
  })
}

it('a connector resumes its TLS sessions: on 1.0 every request is a handshake', async () => {
  const { url, resumed } = await startRefusing()
  for (let i = 0; i < 3; i++) expect((await refused(url, { ca: certificate.cert })).status).toBe(503)
  expect(resumed).toEqual([false, true, true])
})

it.each([
  ['skips verification', { insecureSkipVerify: true }],
  ['trusts another authority', { ca: certificate.cert }],
])('a session of one that %s is not resumed by one that verifies', async (_name, other) => {
  const { url, resumed } = await startRefusing()
  expect((await refused(url, other)).status).toBe(503)
  const failure = await refused(url, {})
  expect(failure.status).toBeUndefined()
  expect(failure.error.message).toMatch(/certificate/)
  expect(resumed).not.toContain(true)
})
