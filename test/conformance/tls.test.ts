/** Both ports over TLS: what flows is the same. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import https from 'node:https'
import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { certificate } from '../support/certificate.js'
import { readAll } from '../support/http-client.js'
import { createConnector } from '../support/implementations.js'
import { type Pair, startPair, type Version, versions } from '../support/pair.js'

const MiB = 1024 * 1024
const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex')

async function startSecure(version: Version): Promise<Pair> {
  const pair = await startPair({ version, connect: false, router: { tls: certificate } })
  await pair.connect({
    routers: `wss://127.0.0.1:${String(pair.router.address.registration.port)}`,
    ca: certificate.cert,
  })
  return pair
}

async function ask(pair: Pair, path: string, method = 'GET', body?: Buffer): Promise<IncomingMessage> {
  const request = https.request({
    host: '127.0.0.1',
    port: pair.port,
    path,
    method,
    ca: certificate.cert,
    agent: false,
  })
  request.end(body)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

describe.each(versions)('wss and https over %s', (version) => {
  it('carry requests, large bodies both ways, and many at once', async () => {
    await using pair = await startSecure(version)
    const data = randomBytes(3 * MiB + 17)
    pair.serve((req, res) => {
      if (req.method === 'POST') void readAll(req).then((got) => res.end(sha(got)))
      else res.end(req.url === '/large' ? data : String(req.headers['forwarded']))
    })
    expect((await readAll(await ask(pair, '/'))).toString()).toContain('proto=https')
    expect((await readAll(await ask(pair, '/', 'POST', data))).toString()).toBe(sha(data))
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => sha(await readAll(await ask(pair, '/large')))),
    )
    expect(new Set(answers)).toEqual(new Set([sha(data)]))
  })

  it('show a cut as a cut, and go on', async () => {
    await using pair = await startSecure(version)
    pair.serve((req, res) => {
      if (req.url === '/ok') res.end('ok')
      else res.writeHead(200).write('part')
    })
    const response = await ask(pair, '/')
    const cut = expect(readAll(response)).rejects.toThrow()
    pair.service.closeAllConnections()
    await cut
    expect((await readAll(await ask(pair, '/ok'))).toString()).toBe('ok')
  })

  it('end in order when the connector leaves', async () => {
    await using pair = await startSecure(version)
    let finish: (() => void) | undefined
    pair.serve((_req, res) => {
      res.writeHead(200).write('a')
      finish = () => res.end('b')
    })
    const response = await ask(pair, '/')
    const closing = pair.connector.close()
    finish?.()
    expect((await readAll(response)).toString()).toBe('ab')
    await closing
  })

  it('are not spoken with a router whose certificate cannot be checked', async () => {
    await using pair = await startPair({ version, connect: false, router: { tls: certificate } })
    await using connector = await createConnector({
      routers: `wss://127.0.0.1:${String(pair.router.address.registration.port)}`,
      route: '*',
      target: (_req, res) => res.end(),
      protocols: [version],
    })
    const [event] = (await once(connector, 'retrying')) as [{ error: Error }]
    expect(event.error.message).toMatch(/certificate/)
    expect(pair.router.registrations().services).toEqual({})
  })
})
