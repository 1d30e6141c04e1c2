import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { connectorDefaults, type ConnectorOptions, resolveConnectorOptions } from '../../../connector/options.js'

const least = { routers: 'ws://dmz:8081', route: 'shop', target: 'http://localhost:3000' } as const

function refusal(options: Partial<ConnectorOptions>): string {
  try {
    resolveConnectorOptions({ ...least, ...options })
  } catch (error) {
    expect(error).toBeInstanceOf(CrankerError)
    expect(error).toMatchObject({ code: 'CRANKER_ERR_OPTION', initiator: 'caller' })
    return (error as CrankerError).message
  }
  throw new Error('the options were accepted')
}

describe('connector options', () => {
  it('need no more than routers, a route and a target', () => {
    const options = resolveConnectorOptions(least)
    expect(options.routes).toEqual([
      { route: 'shop', domain: '*', target: 'http://localhost:3000', targetProtocol: 'auto' },
    ])
    expect(options.window).toBe(connectorDefaults.window)
    expect(options.protocols).toEqual(['3.0', '1.0'])
    expect(options.instanceId).toMatch(/^[0-9a-f]{8}-/)
    expect(resolveConnectorOptions(least).instanceId).not.toBe(options.instanceId)
  })

  it('take routers as a list, with commas, or both, each once', () => {
    const { routers } = resolveConnectorOptions({
      ...least,
      routers: ['ws://a:1, wss://b:2/dmz/', new URL('ws://a:1'), 'ws://c'],
    })
    expect(routers.map((url) => url.href)).toEqual(['ws://a:1/', 'wss://b:2/dmz', 'ws://c/'])
  })

  it.each([
    ['http://dmz:8081', 'write ws://dmz:8081'],
    ['https://dmz', 'write wss://dmz'],
    ['dmz:8081', 'write ws://dmz:8081 or wss://dmz:8081'],
    ['//dmz', 'no URL'],
    ['', 'empty'],
    [' , ', 'empty'],
    ['ws://dmz/register', 'leave /register out'],
    ['ws://user:secret@dmz', 'registrationHeaders'],
    ['ws://dmz?x=1', 'query'],
  ])('say what to write instead of the router "%s"', (routers, hint) => {
    expect(refusal({ routers })).toContain(hint)
  })

  it('do not repeat credentials in the message', () => {
    expect(refusal({ routers: 'ws://user:secret@dmz' })).not.toContain('secret')
  })

  it.each([
    ['/shop', 'write "shop"'],
    ['shop/', 'write "shop"'],
    ['a b', 'no route name'],
    ['a/../b', 'no route name'],
    [':id', 'no route name'],
    ['', 'no route name'],
  ])('refuse the route "%s"', (route, hint) => {
    expect(refusal({ route })).toContain(hint)
  })

  it('take either one pair of route and target or a list of them', () => {
    const routes = [
      { route: 'a', target: 'http://a' },
      { route: 'b/c', target: 'http://b', domain: 'Shop.Example.' },
      { route: '*', target: 'http://c' },
    ]
    const options = resolveConnectorOptions({ routers: 'ws://dmz', routes, domain: 'EXAMPLE.org' })
    expect(options.routes.map(({ route, domain }) => `${domain} ${route}`)).toEqual([
      'example.org a',
      'shop.example b/c',
      'example.org *',
    ])
    expect(refusal({ routes })).toContain('not both')
    expect(() => resolveConnectorOptions({ routers: 'ws://dmz' })).toThrow('`route` is missing')
    expect(() => resolveConnectorOptions({ routers: 'ws://dmz', route: 'a' })).toThrow('`target` is missing')
    expect(() => resolveConnectorOptions({ routers: 'ws://dmz', routes: [] })).toThrow('`routes` is empty')
  })

  it('give each route what is spoken with its target', () => {
    const routes = [
      { route: 'a', target: 'http://a' },
      { route: 'b', target: 'http://b', targetProtocol: 'http1' as const },
    ]
    const options = resolveConnectorOptions({ routers: 'ws://dmz', routes, targetProtocol: 'http2' })
    expect(options.routes.map(({ targetProtocol }) => targetProtocol)).toEqual(['http2', 'http1'])
  })

  it('refuse the same route twice in one domain', () => {
    const target = 'http://a'
    const twice = [
      { route: 'a', target },
      { route: 'a', target },
    ]
    expect(() => resolveConnectorOptions({ routers: 'ws://dmz', routes: twice })).toThrow('given twice')
  })

  it.each<[Partial<ConnectorOptions>, string]>([
    [{ domain: 'a b' }, 'no domain'],
    [{ targetProtocol: 'h2' as never }, 'auto, http1 or http2'],
    [{ window: 0 }, '`window`'],
    [{ window: 1.5 }, '`window`'],
    [{ window: 10, maxWindow: 5 }, '`maxWindow`'],
    [{ protocols: [] }, '`protocols`'],
    [{ protocols: ['2.0' as '1.0'] }, '`protocols`'],
    [{ idleTimeout: -1 }, '`idleTimeout`'],
    [{ drainTimeout: Infinity }, '`drainTimeout`'],
    [{ discoveryInterval: 2 ** 31 }, '`discoveryInterval`'],
    [{ pingInterval: 5_000, deadAfter: 5_000 }, 'longer than `pingInterval`'],
    [{ componentName: '' }, '`componentName`'],
    [{ componentName: 'a\r\nb' }, '`componentName`'],
    [{ registrationHeaders: { 'bad name': 'x' } }, 'no valid header'],
    [{ registrationHeaders: { x: 'a\r\nroute: *' } }, 'no valid header'],
    [{ registrationHeaders: { Route: 'x' } }, 'set by the connector itself'],
    [{ registrationHeaders: { 'Sec-WebSocket-Protocol': 'x' } }, 'set by the connector itself'],
    [{ ca: 'no certificate' }, '`ca`'],
  ])('refuse %o', (options, hint) => {
    expect(refusal(options)).toContain(hint)
  })

  it('let the window be larger than the default of its maximum', () => {
    expect(resolveConnectorOptions({ ...least, window: 100 }).maxWindow).toBe(100)
  })
})
