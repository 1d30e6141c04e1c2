import { describe, expect, it } from 'vitest'
import { ForwardingFields, type ForwardingOptions } from '../../../router/forwarded.js'
import type { InboundRequest } from '../../../router/inbound/inbound.js'

function apply(options: Partial<ForwardingOptions>, request: Partial<InboundRequest>): string[] {
  const fields = new ForwardingFields({
    viaName: 'cranker',
    xForwarded: false,
    forwardHost: true,
    trustedProxies: [],
    ...options,
  })
  return fields.apply({
    headers: ['Host', 'a'],
    authority: 'a',
    httpVersion: '1.1',
    secure: false,
    remoteAddress: '192.0.2.1',
    localPort: 8080,
    ...request,
  } as InboundRequest)
}

const CLAIMS = [
  'Host',
  'a',
  'forwarded',
  'for=10.0.0.1',
  'Via',
  '1.0 x',
  'X-Forwarded-For',
  '10.0.0.1',
  'X-Forwarded-Proto',
  'https',
]

describe('forwarding fields', () => {
  it('put IPv6 addresses into brackets and quotes (RFC 7239 §6)', () => {
    const headers = apply({}, { remoteAddress: '2001:db8::1', authority: '[::1]:80', secure: true })
    expect(headers.at(-1)).toBe('for="[2001:db8::1]";host="[::1]:80";proto=https')
  })

  it('say unknown for a client that is gone already, and no host where there is none', () => {
    expect(apply({}, { remoteAddress: '', authority: '', headers: [], httpVersion: '1.0' })).toEqual([
      ...['Via', '1.0 cranker', 'Forwarded', 'for=unknown;proto=http'],
    ])
  })

  it('of clients are dropped', () => {
    expect(apply({}, { headers: CLAIMS })).toEqual([
      ...['Host', 'a', 'Via', '1.1 cranker', 'Forwarded', 'for=192.0.2.1;host=a;proto=http'],
    ])
  })

  it('of trusted proxies are kept and appended to', () => {
    expect(apply({ trustedProxies: ['192.0.2.0/24'] }, { headers: CLAIMS })).toEqual([
      ...['Host', 'a', 'forwarded', 'for=10.0.0.1, for=192.0.2.1;host=a;proto=http', 'Via', '1.0 x, 1.1 cranker'],
      ...['X-Forwarded-For', '10.0.0.1', 'X-Forwarded-Proto', 'https'],
    ])
  })

  it('on several lines become one list, in order', () => {
    const headers = ['X-Forwarded-For', '1.1.1.1', 'X', 'y', 'x-forwarded-for', '2.2.2.2', 'X-FORWARDED-FOR', '3.3.3.3']
    const result = apply({ trustedProxies: ['192.0.2.1'], xForwarded: true }, { headers })
    expect(result.slice(0, 4)).toEqual(['X-Forwarded-For', '1.1.1.1, 2.2.2.2, 3.3.3.3, 192.0.2.1', 'X', 'y'])
  })

  it.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.2', '192.0.2.1', false],
    ['2001:db8::5', '2001:db8::/32', true],
    ['2001:db9::5', '2001:db8::/32', false],
    ['', '192.0.2.1', false],
  ])('from %s are believed if %s is trusted: %s', (remoteAddress, network, believed) => {
    const headers = apply({ trustedProxies: [network] }, { remoteAddress, headers: CLAIMS })
    expect(headers.join().includes('10.0.0.1')).toBe(believed)
  })

  it('X-Forwarded-* are sent on demand', () => {
    expect(apply({ xForwarded: true }, { headers: CLAIMS }).slice(6)).toEqual([
      ...['X-Forwarded-For', '192.0.2.1', 'X-Forwarded-Proto', 'http', 'X-Forwarded-Host', 'a'],
      ...['X-Forwarded-Port', '8080', 'X-Forwarded-Server', 'cranker'],
    ])
  })

  it("what a trusted proxy knows about the client's request is not overwritten", () => {
    const headers = apply({ xForwarded: true, trustedProxies: ['192.0.2.1'] }, { headers: CLAIMS })
    expect(headers.join()).toContain('X-Forwarded-Proto,https')
    expect(headers.join()).not.toContain('X-Forwarded-Proto,http,')
  })

  it('leave Host to the connector if it is not to be forwarded', () => {
    const headers = apply({ forwardHost: false }, { headers: ['HOST', 'a', 'X', 'y'], httpVersion: '1.0' })
    expect(headers.slice(0, 3)).toEqual(['X', 'y', 'Via'])
    expect(headers.at(-1)).toContain('host=a')
  })

  it('a Connection field cannot remove what the router sets', () => {
    const headers = apply({}, { headers: ['Host', 'a', 'Connection', 'Forwarded, Via, X-Gone', 'X-Gone', '1'] })
    expect(headers.filter((_, i) => i % 2 === 0)).toEqual(['Host', 'Via', 'Forwarded'])
  })
})
