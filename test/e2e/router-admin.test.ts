import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRouter, type Router } from '../../router/index.js'
import { register } from '../support/scripted-connector.js'

let router: Router

beforeAll(async () => {
  router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0, adminPort: 0 })
})

afterAll(() => router.close())

function ask(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port: router.address.admin?.port, path, method, headers }, (res) => {
      let body = ''
      res.setEncoding('utf8').on('data', (text: string) => (body += text))
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body }))
    })
    req.on('error', reject).end()
  })
}

describe('the admin port', () => {
  it('tells its health with counts', async () => {
    const { status, body } = await ask('/health')
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({ healthy: true, state: 'running', running: 0, waiting: 0, sockets: 0 })
  })

  it('lists who is registered', async () => {
    const { ws } = await register(router, {
      path: '/register/?connectorInstanceID=i&componentName=c',
      headers: { Route: 'r' },
    })
    const { body } = await ask('/api/registrations?pretty')
    expect(JSON.parse(body)).toMatchObject({
      services: { r: { componentName: 'c', connectors: [{ connectorInstanceID: 'i', ip: '127.0.0.1' }] } },
    })
    ws.close()
  })

  it('knows HEAD, refuses other methods with 405 and other paths with 404', async () => {
    expect(await ask('/health', {}, 'HEAD')).toEqual({ status: 200, body: '' })
    expect((await ask('/health', {}, 'POST')).status).toBe(405)
    expect((await ask('/nothing')).status).toBe(404)
  })

  it('on loopback answers to localhost and addresses only (DNS rebinding)', async () => {
    for (const Host of ['localhost', 'LOCALHOST:99', '127.0.0.1:1', '[::1]:80', 'a.localhost']) {
      expect((await ask('/health', { Host })).status).toBe(200)
    }
    for (const Host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80']) {
      const { status, body } = await ask('/api/registrations', { Host })
      expect(status).toBe(403)
      expect(body).not.toContain('services')
    }
  })

  it('is not opened unless it is asked for', async () => {
    await using other = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0 })
    expect(other.address.admin).toBeUndefined()
  })
})
