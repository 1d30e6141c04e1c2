import { describe, expect, it } from 'vitest'
import {
  formatRegistrationHeaders,
  formatRegistrationTarget,
  isRouteName,
  normalizeDomain,
  parseRegistration,
  registrationKind,
} from '../../../protocol/registration.js'
import { vectors } from '../../support/vectors.js'

interface Registrations {
  routes: { valid: string[]; invalid: string[] }
  domains: Record<string, string | null>
}

const names = vectors<Registrations>('registrations')
const refusal = expect.objectContaining({ code: 'CRANKER_ERR_REGISTRATION' }) as unknown as Error

describe('route names', () => {
  it.each(names.routes.valid)('may be %j', (route) => {
    expect(isRouteName(route)).toBe(true)
  })

  it.each(names.routes.invalid)('may not be %j', (route) => {
    expect(isRouteName(route)).toBe(false)
  })

  it('are at most 255 characters', () => {
    expect(isRouteName('a'.repeat(255))).toBe(true)
    expect(isRouteName('a'.repeat(256))).toBe(false)
  })
})

describe('domains', () => {
  it.each(Object.entries(names.domains))('%j is compared as %j', (domain, normalized) => {
    expect(normalizeDomain(domain)).toBe(normalized ?? undefined)
  })
})

describe('a registration request', () => {
  it.each([
    ['/register', 'register'],
    ['/register/', 'register'],
    ['/register/?a=b', 'register'],
    ['/deregister', 'deregister'],
    ['/deregister/?a', 'deregister'],
    ['/', undefined],
    ['/registers', undefined],
    ['/register/x', undefined],
    ['/Register', undefined],
  ])('%s is for %s', (target, kind) => {
    expect(registrationKind(target)).toBe(kind)
  })

  it('says who registers what', () => {
    const target = '/register/?connectorInstanceID=8-9&componentName=my%20app'
    expect(parseRegistration(target, ['route', 'my-service', 'DOMAIN', 'Example.org:80'])).toEqual({
      kind: 'register',
      route: 'my-service',
      domain: 'example.org',
      connectorInstanceID: '8-9',
      componentName: 'my app',
    })
  })

  it('may lack everything (npm-cranker-connector, go-cranker-connector, crank4j)', () => {
    const defaults = { kind: 'register', route: '*', domain: '*', connectorInstanceID: undefined, componentName: '' }
    expect(parseRegistration('/register', [])).toEqual(defaults)
    expect(parseRegistration('/register?connectorInstanceID=', ['Route', '', 'Domain', ' '])).toEqual(defaults)
  })

  it.each([
    ['a route that is a pattern', '/register', ['Route', ':x']],
    ['a route that climbs', '/register', ['Route', '../admin']],
    ['two different routes', '/register', ['Route', 'a', 'Route', 'b']],
    ['two different domains', '/register', ['Domain', 'a', 'domain', 'b']],
    ['a domain that is none', '/register', ['Domain', 'a b']],
    ['a name with a newline in it', '/register?componentName=a%0Ab', []],
    ['a name with a line separator in it', '/register?componentName=a%E2%80%A8b', []],
    ['a name that is too long', `/register?connectorInstanceID=${'a'.repeat(201)}`, []],
  ])('is refused with %s', (_what, target, headers) => {
    expect(() => parseRegistration(target, headers)).toThrow(refusal)
  })

  it('may repeat a field', () => {
    expect(parseRegistration('/register', ['Route', 'a', 'route', 'a'])?.route).toBe('a')
  })

  it('is read as it was written', () => {
    const identity = { connectorInstanceID: 'a&b=c/ü', componentName: 'x y+z' }
    const offer = { route: 'a/b', domain: 'example.org', extensions: 'refuse' }
    for (const kind of ['register', 'deregister'] as const) {
      const target = formatRegistrationTarget(kind, identity)
      const headers = formatRegistrationHeaders(kind, offer)
      expect(parseRegistration(target, headers)).toEqual({ kind, ...identity, route: 'a/b', domain: 'example.org' })
    }
  })

  it('always carries the legacy version, and extensions only when it registers', () => {
    const offer = { route: '*', domain: '*', extensions: 'refuse' }
    expect(formatRegistrationHeaders('register', offer)).toEqual([
      ...['CrankerProtocol', '1.0', 'Route', '*', 'Domain', '*', 'Cranker-Extensions', 'refuse'],
    ])
    expect(formatRegistrationHeaders('deregister', offer)).not.toContain('Cranker-Extensions')
    expect(formatRegistrationHeaders('register', { ...offer, extensions: undefined })).not.toContain(
      'Cranker-Extensions',
    )
  })
})
