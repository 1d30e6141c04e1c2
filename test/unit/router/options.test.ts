import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { resolveRouterOptions, ROUTER_DEFAULTS, type RouterOptions } from '../../../router/options.js'

function refusal(options: unknown): string {
  try {
    resolveRouterOptions(options as RouterOptions)
  } catch (error) {
    expect(error).toBeInstanceOf(CrankerError)
    expect((error as CrankerError).code).toBe('CRANKER_ERR_OPTION')
    expect((error as CrankerError).initiator).toBe('caller')
    return (error as CrankerError).message
  }
  throw new Error('nothing was refused')
}

describe('router options', () => {
  it('have a default each', () => {
    const resolved = resolveRouterOptions()
    expect(resolved).toMatchObject(ROUTER_DEFAULTS)
    expect(resolved.registrationHost).toBe('0.0.0.0')
    expect(resolved.adminPort).toBeUndefined()
    expect(resolved.tls).toBeUndefined()
    expect(Object.values(resolved).filter((each) => typeof each === 'number' && !Number.isFinite(each))).toEqual([])
  })

  it('that are undefined are options not given', () => {
    expect(resolveRouterOptions({ port: undefined } as unknown as RouterOptions).port).toBe(8080)
  })

  it('name the option, the bad value and what is expected', () => {
    expect(refusal({ port: 70_000 })).toBe(
      'Option `port` is 70000, but must be a port number, 0 to 65535 (0 picks a free one).',
    )
    expect(refusal({ connectorWait: '5s' })).toContain("Option `connectorWait` is '5s', but must be a number of milli")
    expect(refusal({ trustedProxies: ['10.0.0.0/33'] })).toContain("`trustedProxies` is '10.0.0.0/33'")
    expect(refusal({ protocols: ['2.0'] })).toContain('3.0, 1.0')
    expect(refusal({ prot: 1 })).toContain('Option `prot` is 1, but must be one of accessLog, ')
  })

  it.each<[string, unknown]>([
    ['a port that is no number', { port: '8080' }],
    ['a negative port', { registrationPort: -1 }],
    ['an empty host', { host: '' }],
    ['a URL as host', { adminHost: 'http://x/' }],
    ['a time that is NaN', { idleTimeout: Number.NaN }],
    ['a time that setTimeout cannot do', { idleTimeout: 2 ** 31 }],
    ['no version at all', { protocols: [] }],
    ['a fraction of a waiting client', { maxWaiting: 0.5 }],
    ['a dead time shorter than the ping interval', { pingInterval: 5_000, deadAfter: 5_000 }],
    ['a pseudonym with a space', { viaName: 'my router' }],
    ['a network that is none', { trustedProxies: ['example.com'] }],
    ['a flag that is text', { xForwarded: 'yes' }],
    ['a certificate that is none', { tls: { cert: 'x', key: 'y' } }],
    ['a certificate without a key', { registrationTls: { cert: 'x' } }],
    ['a logger without methods', { logger: {} }],
    ['an access log that is no function', { accessLog: true }],
  ])('refuse %s', (_name, options) => {
    expect(refusal(options).length).toBeGreaterThan(20)
  })

  it('take networks and addresses of both families', () => {
    const trustedProxies = ['10.0.0.0/8', '192.0.2.1', 'fd00::/8', '::1']
    expect(resolveRouterOptions({ trustedProxies }).trustedProxies).toEqual(trustedProxies)
  })
})
