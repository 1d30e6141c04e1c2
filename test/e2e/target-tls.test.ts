import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { selfSigned } from '../support/self-signed.js'
import { makeTarget, request, send } from '../support/target-fixtures.js'

describe('an https target', () => {
  let connections = 0
  const server = createServer(selfSigned, (req, res) => {
    req.on('data', () => {})
    req.on('end', () => res.end(`${req.headers.host ?? ''}${req.url ?? ''}`))
  })
  server.on('secureConnection', () => connections++)
  let url = ''
  const strict = process.env['NODE_TLS_REJECT_UNAUTHORIZED']

  beforeEach(async () => {
    connections = 0
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  })

  afterEach(async () => {
    if (strict === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = strict
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  it('answers over kept connections', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    const target = makeTarget(url)
    for (let i = 0; i < 3; i++) {
      const { exchange } = send(target, request('GET', '/x'))
      await exchange.ended()
      expect(exchange.body.toString()).toBe('public.example/x')
    }
    const { exchange, handler } = send(target, request('POST', '/y'), false)
    handler?.onData(Buffer.alloc(100_000))
    handler?.onEnd(undefined)
    await exchange.ended()
    expect(exchange.body.toString()).toBe('public.example/y')
    expect(connections).toBe(1)
  })

  it('is not spoken to when its certificate cannot be checked', async () => {
    const { exchange } = send(makeTarget(url), request('GET', '/x', 'Authorization', 'secret'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({
      code: 'CRANKER_ERR_REFUSED',
      message: 'target unreachable',
      cause: { code: 'CRANKER_ERR_TARGET_UNREACHABLE' },
    })
  })
})
