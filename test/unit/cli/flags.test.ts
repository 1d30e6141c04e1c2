import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connectorFlags, connectorOptions } from '../../../cli/connector-flags.js'
import { envName, parseCommandLine, type Flags, type FlagValues } from '../../../cli/flags.js'
import type { Log } from '../../../cli/logging.js'
import { routerFlags, routerOptions } from '../../../cli/router-flags.js'
import { connectorDefaults, resolveConnectorOptions } from '../../../connector/options.js'
import { ROUTER_DEFAULTS, resolveRouterOptions } from '../../../router/options.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const quiet = { debug() {}, info() {}, warn() {}, error() {}, flush() {}, informs: true } satisfies Log

async function parse<F extends Flags>(
  flags: F,
  prefix: string,
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<FlagValues<F>> {
  const line = { name: 'cranker-x', summary: 'Does x.', flags, envPrefix: prefix, examples: [] }
  const parsed = await parseCommandLine(line, argv, env)
  if (parsed.kind !== 'values') throw new Error(`got ${parsed.kind}`)
  return parsed.values
}

const router = async (argv: readonly string[], env?: Record<string, string>) =>
  routerOptions(await parse(routerFlags, 'CRANKER_ROUTER', argv, env), quiet)
const connector = async (argv: readonly string[], env?: Record<string, string>) =>
  connectorOptions(await parse(connectorFlags, 'CRANKER_CONNECTOR', argv, env), quiet)

describe('the flags of the router', () => {
  it('become the options of createRouter', async () => {
    const argv =
      '--port 0 --host 127.0.0.1 --registration-port=9 --registration-host ::1 --admin-port 7 --connector-wait 2s ' +
      '--idle-timeout 1m --ping-interval 500ms --route-keep-time 2h --via-name dmz --x-forwarded --no-forward-host ' +
      '--trusted-proxies 10.0.0.0/8,192.0.2.1 --max-head-size 32KiB --protocol 1.0 --drain-timeout 0'
    expect(await router(argv.split(' '))).toMatchObject({
      port: 0,
      host: '127.0.0.1',
      registrationPort: 9,
      registrationHost: '::1',
      adminPort: 7,
      connectorWait: 2_000,
      idleTimeout: 60_000,
      pingInterval: 500,
      routeKeepTime: 7_200_000,
      viaName: 'dmz',
      xForwarded: true,
      forwardHost: false,
      trustedProxies: ['10.0.0.0/8', '192.0.2.1'],
      maxHeadSize: 32_768,
      protocols: ['1.0'],
      drainTimeout: 0,
    })
  })

  it('leave every default to the library', async () => {
    const { logger, accessLog, ...options } = await router([])
    expect(options).toMatchObject({ http2: true, http2Cleartext: false, xForwarded: false, forwardHost: true })
    expect(logger).toBe(quiet)
    expect(accessLog).toBeTypeOf('function')
    expect(resolveRouterOptions(options)).toEqual(resolveRouterOptions())
  })

  it('exist for every option that the library has a default for', async () => {
    const flags = new Set<string>([...Object.keys(routerFlags), 'protocols', 'forward-host', 'http2', 'web-sockets'])
    const missing = Object.keys(ROUTER_DEFAULTS).filter((option) => !flags.has(kebab(option)))
    expect(missing).toEqual([])
  })

  it('switch the access log off', async () => {
    expect(await router(['--no-access-log'])).not.toHaveProperty('accessLog')
  })

  it('want the certificate and the key together, and no contradiction', async () => {
    const pem = join(temporaryFolder(), 'any.pem')
    writeFileSync(pem, '-----BEGIN ANYTHING-----\n')
    await expect(router(['--tls-cert', '/nonexistent.pem'])).rejects.toThrow('--tls-cert: "/nonexistent.pem": cannot')
    await expect(router(['--tls-cert', pem])).rejects.toThrow('each --tls-cert needs a --tls-key')
    await expect(router(['--registration-tls-key', pem])).rejects.toThrow('needs a --registration-tls-cert')
    const both = ['--tls-cert', pem, '--tls-key', pem]
    expect(await router([...both, '--registration-plain'])).toMatchObject({ registrationTls: false })
    const registration = ['--registration-tls-cert', pem, '--registration-tls-key', pem]
    await expect(router([...registration, '--registration-plain'])).rejects.toThrow('exclude each other')
    await expect(router([...both, '--tls-cert', pem])).rejects.toThrow('in the same order')
    const file = { certFile: pem, keyFile: pem }
    expect(await router([...both, '--tls-cert', pem, '--tls-key', pem])).toMatchObject({ tls: [file, file] })
  })
})

describe('the flags of the connector', () => {
  const base = ['--router', 'ws://a:1']

  it('take pairs of route and target, many routers, and commas', async () => {
    const argv = [
      ...['--router', 'ws://a:1,wss://b:2', '--router', 'ws://c:3', '--domain', 'shop.example', '--window', '3'],
      ...[
        '--route',
        'shop=http://localhost:3000',
        '--route',
        'blog=http://localhost:3001/base?no',
        '--protocol',
        '1.0,3.0',
      ],
      ...['--component-name', 'shop', '--registration-header', 'a:b', '--registration-header', 'c: d,e'],
      ...['--target-protocol', 'http2'],
    ]
    expect(await connector(argv)).toMatchObject({
      routers: ['ws://a:1', 'wss://b:2', 'ws://c:3'],
      routes: [
        { route: 'shop', target: 'http://localhost:3000' },
        { route: 'blog', target: 'http://localhost:3001/base?no' },
      ],
      domain: 'shop.example',
      window: 3,
      protocols: ['1.0', '3.0'],
      componentName: 'shop',
      targetProtocol: 'http2',
      registrationHeaders: { a: 'b', c: 'd,e' },
      insecureSkipVerify: false,
    })
  })

  it('use --target for every route without its own', async () => {
    const argv = [...base, '--route', 'a,b=http://two', '--route', '*', '--target', 'http://one']
    expect((await connector(argv)).routes).toEqual([
      { route: 'a', target: 'http://one' },
      { route: 'b', target: 'http://two' },
      { route: '*', target: 'http://one' },
    ])
  })

  it.each([
    [[], '--router is missing'],
    [['--router', 'ws://a'], '--route is missing'],
    [['--router', 'ws://a', '--target-protocol', 'h2'], 'auto, http1'],
    [['--router', 'ws://a', '--route', 'x'], '--route x has no target'],
    [['--router', 'ws://a', '--route', '=http://x'], '--route: "=http://x": expected route=target'],
    [['--router', 'ws://a', '--route', 'x=http://x', '--target', 'http://y'], 'every --route has its own target'],
    [
      ['--router', 'ws://a', '--route', 'x=http://x', '--registration-header', 'a:b', '--registration-header', 'A:c'],
      'more than once',
    ],
  ])('say what is wrong with %j', async (argv, message) => {
    await expect(connector(argv)).rejects.toThrow(message)
  })

  it('leave every default to the library', async () => {
    const { logger: _, ...options } = await connector([...base, '--route', 'x=http://x:1'])
    const { instanceId: _a, ...resolved } = resolveConnectorOptions(options)
    const { instanceId: _b, ...plain } = resolveConnectorOptions({
      routers: 'ws://a:1',
      route: 'x',
      target: 'http://x:1',
    })
    expect(resolved).toEqual(plain)
  })

  it('exist for every option that the library has a default for', () => {
    const flags = new Set<string>([...Object.keys(connectorFlags), 'protocols'])
    expect(Object.keys(connectorDefaults).filter((option) => !flags.has(kebab(option)))).toEqual([])
  })
})

describe('every command line', () => {
  it.each([
    [['--prot', '1'], 'unknown flag --prot (did you mean --port?)'],
    [['--frobnicate'], 'unknown flag --frobnicate'],
    [['--port', 'http'], '--port: "http": expected a port number'],
    [['--port', '1', '--port', '2'], '--port was given more than once'],
    [['--port'], '--port needs a value'],
    [['--idle-timeout', '5'], '--idle-timeout: "5": expected a duration with its unit'],
    [['serve'], 'unexpected argument "serve"'],
    [['--no-port'], 'unknown flag --no-port'],
  ])('is refused with a clear word: %j', async (argv, message) => {
    await expect(router(argv)).rejects.toThrow(message)
  })

  it('takes environment variables, and flags before them', async () => {
    const env = {
      CRANKER_ROUTER_PORT: '9000',
      CRANKER_ROUTER_VIA_NAME: 'env',
      CRANKER_ROUTER_X_FORWARDED: 'true',
      CRANKER_ROUTER_TRUSTED_PROXIES: '10.0.0.0/8,127.0.0.1',
      CRANKER_ROUTER_SOMETHING_ELSE: 'ignored',
    }
    expect(await router(['--via-name', 'flag'], env)).toMatchObject({
      port: 9000,
      viaName: 'flag',
      xForwarded: true,
      trustedProxies: ['10.0.0.0/8', '127.0.0.1'],
    })
  })

  it('names the variable that has a bad value', async () => {
    await expect(router([], { CRANKER_ROUTER_PORT: 'x' })).rejects.toThrow('CRANKER_ROUTER_PORT: "x": expected a port')
    await expect(router([], { CRANKER_ROUTER_X_FORWARDED: 'yes' })).rejects.toThrow('expected true or false')
  })

  it('takes several routes and headers from the environment', async () => {
    const env = {
      CRANKER_CONNECTOR_ROUTER: 'ws://a,ws://b',
      CRANKER_CONNECTOR_ROUTE: 'x=http://x:1,y=http://y:1',
      CRANKER_CONNECTOR_REGISTRATION_HEADER: 'authorization: Bearer a,b\nx-zone: 1\n',
    }
    expect(await connector([], env)).toMatchObject({
      routers: ['ws://a', 'ws://b'],
      routes: [{ route: 'x' }, { route: 'y' }],
      registrationHeaders: { authorization: 'Bearer a,b', 'x-zone': '1' },
    })
  })

  it('is not disturbed by the variables that Kubernetes makes of a service called cranker-router', async () => {
    const env = { CRANKER_ROUTER_PORT: 'tcp://10.0.0.1:8080', CRANKER_ROUTER_SERVICE_HOST: '10.0.0.1' }
    expect(await router([], env)).not.toHaveProperty('port')
  })

  it('shows every flag, its default and its variable in the help text', async () => {
    const line = {
      name: 'cranker-router',
      summary: 'Routes.',
      flags: routerFlags,
      envPrefix: 'CRANKER_ROUTER',
      examples: [['cranker-router --port 1', 'An example']] as const,
    }
    const parsed = await parseCommandLine(line, ['--help'], {})
    if (parsed.kind !== 'help') throw new Error(parsed.kind)
    for (const [name, flag] of Object.entries(routerFlags)) {
      expect(parsed.text).toContain(`--${name}`)
      if ('default' in flag) expect(parsed.text.replace(/\s+/g, ' ')).toContain(flag.default)
    }
    expect(parsed.text).toContain('cranker-router --port 1')
    expect(parsed.text).toContain('CRANKER_ROUTER_PORT')
    expect(envName('CRANKER_ROUTER', 'max-head-size')).toBe('CRANKER_ROUTER_MAX_HEAD_SIZE')
  })
})

function kebab(option: string): string {
  return option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
