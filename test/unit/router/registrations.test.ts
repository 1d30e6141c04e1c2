import { describe, expect, it } from 'vitest'
import { registrationsStatus } from '../../../router/admin/registrations.js'
import { FakeSession, fakeRegistered } from '../../support/fake-session.js'

describe('the list of registrations', () => {
  it('has the shape that operators of the Java router know, with more fields', () => {
    const status = registrationsStatus([
      fakeRegistered('shop', { instance: 'i1', component: 'shop-web', session: new FakeSession({ load: 3 }) }),
      fakeRegistered('shop', { instance: 'i1', component: 'shop-web', domain: 'a.example' }),
      fakeRegistered('shop', { instance: 'i2', session: new FakeSession({ version: '1.0' }) }),
      fakeRegistered('*', { instance: 'i1' }),
    ])
    const connection = { socketID: expect.any(String), port: expect.any(Number), protocol: '3.0', domain: '*' }
    expect(JSON.parse(JSON.stringify(status))).toEqual({
      services: {
        shop: {
          name: 'shop',
          componentName: 'shop-web',
          isCatchAll: false,
          connectors: [
            {
              connectorInstanceID: 'i1',
              ip: '10.0.0.1',
              darkMode: false,
              connections: [
                { ...connection, inFlight: 3 },
                { ...connection, domain: 'a.example', inFlight: 0 },
              ],
            },
            {
              connectorInstanceID: 'i2',
              ip: '10.0.0.1',
              darkMode: false,
              connections: [{ ...connection, protocol: '1.0', inFlight: 0 }],
            },
          ],
        },
        '*': expect.objectContaining({ name: '*', isCatchAll: true }),
      },
    })
  })

  it('shows routes that are called like members of Object.prototype', () => {
    const status = registrationsStatus([fakeRegistered('__proto__'), fakeRegistered('constructor')])
    expect(JSON.stringify(status)).toContain('"__proto__":{"name":"__proto__"')
    expect(JSON.stringify(status)).toContain('"constructor":{"name":"constructor"')
  })
})
