import { get } from 'node:https'
import { connect } from 'node:net'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createRouter, type Router } from '../../router/index.js'
import { certificate } from '../support/certificate.js'
import { answerOnce, register } from '../support/scripted-connector.js'

const ca = certificate.cert

function ask(router: Router, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`${router.address.public.url}${path}`, { ca, agent: false }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text: string) => (body += text))
      res.on('end', () => resolve(body))
    }).on('error', reject)
  })
}

describe('a router with a certificate', () => {
  it('serves clients and connectors over TLS', async () => {
    await using router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, tls: certificate })
    expect(router.address.public.url).toMatch(/^https:/)
    expect(router.address.registration.url).toMatch(/^wss:/)
    const connector = await register(router, { subprotocols: ['cranker_1.0'], ws: { ca } })
    const request = answerOnce(connector, 'over TLS')
    expect(await ask(router, '/x')).toBe('over TLS')
    expect(await request).toContain('proto=https')
  })

  it('can keep its registration port plain', async () => {
    await using router = await createRouter({
      host: '127.0.0.1',
      port: 0,
      registrationPort: 0,
      tls: certificate,
      registrationTls: false,
    })
    expect(router.address.registration.url).toMatch(/^ws:/)
    const { ws } = await register(router)
    ws.close()
  })

  it('closes a registration connection that speaks no TLS, and goes on', async () => {
    await using router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, tls: certificate })
    const socket = connect(router.address.registration.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.resume()
    socket.write('GET /register/ HTTP/1.1\r\nHost: x\r\n\r\n')
    await once(socket, 'close')
    const { ws } = await register(router, { ws: { ca } })
    ws.close()
  })
})
