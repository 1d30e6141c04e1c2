import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer, type AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built.js'
import { RunningCommand } from '../support/process.js'

const BUILD_TIMEOUT_MS = 180_000

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

beforeAll(ensureBuilt, BUILD_TIMEOUT_MS)

function start(...args: ConstructorParameters<typeof RunningCommand>): RunningCommand {
  const command = new RunningCommand(...args)
  cleanups.push(() => command.dispose())
  return command
}

async function startRouter(args: readonly string[] = [], env: Record<string, string> = {}) {
  const command = start(
    'cranker-router',
    ['--host', '127.0.0.1', '--port', '0', '--registration-port', '0', ...args],
    env,
  )
  const line = await command.logged('router listening')
  return { command, url: String(line['public']), registration: String(line['registration']), line }
}

/** A service that answers with what it was asked; `/slow` waits until released. */
async function startService() {
  let release = (): void => {}
  let arrived = (): void => {}
  const slowArrived = new Promise<void>((resolve) => (arrived = resolve))
  const server = createServer((req, res) => {
    if (!req.url?.endsWith('/slow')) {
      res.end(`${String(req.method)} ${String(req.url)}`)
      return
    }
    res.write('begun ')
    release = () => res.end('and finished')
    arrived()
  })
  const url = `http://127.0.0.1:${String(await listen(server))}`
  return { url, slowArrived, release: () => release() }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function startPair(routerArgs: readonly string[] = [], connectorArgs: readonly string[] = []) {
  const service = await startService()
  const router = await startRouter(routerArgs)
  const connector = start('cranker-connector', [
    ...['--router', router.registration, '--route', 'my-service', '--target', service.url],
    ...connectorArgs,
  ])
  await connector.logged('connector started')
  return { service, router, connector }
}

describe('two processes', () => {
  it('carry a request from a client to a service and back, with the path whole', async () => {
    const { router } = await startPair()
    const response = await fetch(`${router.url}/my-service/x?y=1`, { method: 'POST', body: 'hello' })
    expect(response.status).toBe(200)
    expect(await response.text()).toBe('POST /my-service/x?y=1')
    const line = await router.command.logged('request')
    expect(line).toMatchObject({ method: 'POST', target: '/my-service/x?y=1', status: 200, route: 'my-service' })
  })

  it.each(['1.0', '3.0'])('speak protocol %s alone when told to', async (version) => {
    const { router } = await startPair(['--protocol', version], ['--protocol', version])
    expect((await fetch(`${router.url}/my-service/`)).status).toBe(200)
  })

  it('are configured by environment variables alone', async () => {
    const service = await startService()
    const router = start('cranker-router', [], {
      CRANKER_ROUTER_HOST: '127.0.0.1',
      CRANKER_ROUTER_PORT: '0',
      CRANKER_ROUTER_REGISTRATION_PORT: '0',
      CRANKER_ROUTER_ADMIN_PORT: '0',
      CRANKER_ROUTER_NO_ACCESS_LOG: 'true',
    })
    const line = await router.logged('router listening')
    expect(line['listening']).toEqual(Array(3).fill(expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/)))
    start('cranker-connector', [], {
      CRANKER_CONNECTOR_ROUTER: String(line['registration']),
      CRANKER_CONNECTOR_ROUTE: `a=${service.url},b=${service.url}`,
    })
    expect((await fetch(`${String(line['public'])}/a/`)).status).toBe(200)
    expect((await fetch(`${String(line['public'])}/b/`)).status).toBe(200)
    expect((await fetch(`${String(line['admin'])}/health`)).status).toBe(200)
    expect(router.lines.filter((entry) => entry['msg'] === 'request')).toEqual([])
  })

  it.each(['router', 'connector'] as const)(
    'finish what runs when the %s gets SIGTERM, and it exits 0',
    async (which) => {
      const { service, router, connector } = await startPair()
      const stopped = which === 'router' ? router.command : connector
      const response = await fetch(`${router.url}/my-service/slow`)
      await service.slowArrived
      stopped.kill('SIGTERM')
      await stopped.logged('stopping: finishing what runs')
      service.release()
      expect(await response.text()).toBe('begun and finished')
      expect(await stopped.exited).toEqual({ code: 0, signal: null })
      expect(stopped.stderr).toBe('')
    },
  )

  it('end at the drain timeout although a request still runs, and exit 0', async () => {
    const { service, router } = await startPair(['--drain-timeout', '200ms'])
    const response = await fetch(`${router.url}/my-service/slow`)
    await service.slowArrived
    router.command.kill('SIGINT')
    expect(await router.command.exited).toEqual({ code: 0, signal: null })
    await expect(response.text()).rejects.toThrow()
  })

  it('end at once on a second signal', async () => {
    const { service, router } = await startPair()
    const response = await fetch(`${router.url}/my-service/slow`)
    await service.slowArrived
    router.command.kill('SIGTERM')
    await router.command.logged('stopping: finishing what runs')
    router.command.kill('SIGINT')
    expect(await router.command.exited).toEqual({ code: 1, signal: null })
    await expect(response.text()).rejects.toThrow()
  })

  it('take one Ctrl-C that arrives twice, from the terminal and from npm, for one', async () => {
    const { service, router } = await startPair()
    const response = await fetch(`${router.url}/my-service/slow`)
    await service.slowArrived
    router.command.kill('SIGINT')
    router.command.kill('SIGINT')
    await router.command.logged('stopping: finishing what runs')
    service.release()
    expect(await response.text()).toBe('begun and finished')
    expect(await router.command.exited).toEqual({ code: 0, signal: null })
  })
})

describe('the demo', () => {
  it('starts everything in one process and prints what to try', async () => {
    const demo = start('cranker', ['demo', '--port', '0', '--log-level', 'warn'])
    const url = await demo.until(() => /curl (http:\S+)hello/.exec(demo.stdout)?.[1], 'a curl line')
    expect(await (await fetch(`${url}hello`)).text()).toBe('Hello from inside the firewall.\n')
    expect(await (await fetch(`${url}echo`, { method: 'POST', body: 'there and back' })).text()).toBe('there and back')
    const page = await (await fetch(url)).text()
    expect(page).toContain('It works.')
    expect(page).toMatch(/via: 1\.1 cranker/i)
    demo.kill('SIGINT')
    expect(await demo.exited).toEqual({ code: 0, signal: null })
  })

  it('shows what the client sent as text, never as markup', async () => {
    const demo = start('cranker', ['demo', '--port', '0', '--log-level', 'warn', '--route', 'demo'])
    const url = await demo.until(() => /curl (http:\S+)hello/.exec(demo.stdout)?.[1], 'a curl line')
    expect(url).toMatch(/\/demo\/$/)
    const page = await (await fetch(url, { headers: { 'x-evil': '<script>alert(1)</script>' } })).text()
    expect(page).not.toContain('<script>alert')
  })

  it("puts the user's own service behind it", async () => {
    const service = await startService()
    const demo = start('cranker', ['demo', '--port', '0', '--target', service.url, '--route', 'mine'])
    const url = await demo.until(() => /curl -i (\S+)/.exec(demo.stdout)?.[1], 'a curl line')
    expect(await (await fetch(`${url}x`)).text()).toBe('GET /mine/x')
  })

  it('takes a free port when the default one is taken, and says so', async () => {
    const blocker = createTcpServer((socket) => socket.destroy())
    const taken = await new Promise<boolean>((resolve) => {
      blocker.once('error', () => resolve(false))
      blocker.listen(8080, '127.0.0.1', () => resolve(true))
    })
    if (taken) cleanups.push(() => void blocker.close())
    const demo = start('cranker', ['demo', '--log-level', 'silent'])
    const url = await demo.until(() => /curl (http:\S+)hello/.exec(demo.stdout)?.[1], 'a curl line')
    expect(demo.stdout).toContain('Port 8080 is taken')
    expect((await fetch(`${url}hello`)).status).toBe(200)
  })
})

describe('a command that cannot run', () => {
  const cases: [Parameters<typeof start>[0], string[], string][] = [
    [
      'cranker-router',
      ['--prot', '1'],
      'cranker-router: unknown flag --prot (did you mean --port?). Try cranker-router --help.\n',
    ],
    [
      'cranker-router',
      ['--port', '70000'],
      'cranker-router: --port: "70000": expected a port number from 0 (any free port) to 65535. Try cranker-router --help.\n',
    ],
    [
      'cranker-connector',
      [],
      'cranker-connector: --router is missing, for instance --router ws://router.example:8081. Try cranker-connector --help.\n',
    ],
    [
      'cranker',
      ['connector', '--router', 'ws://a', '--route', 'x'],
      'cranker connector: --route x has no target: add --target URL, or write --route x=URL. Try cranker connector --help.\n',
    ],
    ['cranker', ['serve'], 'cranker: there is no command "serve". Try cranker --help.\n'],
    ['cranker', [], 'cranker: say which command, such as cranker router. Try cranker --help.\n'],
  ]
  it.each(cases)('%s %j says why in one line and exits 2', async (name, args, line) => {
    const command = start(name, args)
    expect(await command.exited).toEqual({ code: 2, signal: null })
    expect(command.stderr).toBe(line)
    expect(command.stdout).toBe('')
  })

  it.each([
    ['cranker-router', ['--trusted-proxies', 'everyone'], '--trusted-proxies'],
    ['cranker-router', ['--ping-interval', '30s'], '--dead-after'],
    ['cranker-connector', ['--router', 'http://dmz:8081', '--route', 'x=http://y'], 'write ws://dmz:8081'],
    ['cranker-connector', ['--router', 'ws://dmz', '--route', '../x', '--target', 'http://y'], '../x'],
  ] as const)('%s %j: what the library refuses is told in the words of the flags', async (name, args, word) => {
    const command = start(name, [...args])
    expect(await command.exited).toEqual({ code: 2, signal: null })
    expect(command.stderr).toContain(word)
    expect(command.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(command.stderr).not.toMatch(/`|\bat .*:\d+:\d+/)
  })

  it('says that the port is in use, in one line, and exits 1', async () => {
    const blocker = createTcpServer()
    await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => void blocker.close())
    const taken = (blocker.address() as AddressInfo).port
    const router = start('cranker-router', ['--host', '127.0.0.1', '--port', String(taken), '--registration-port', '0'])
    expect(await router.exited).toEqual({ code: 1, signal: null })
    expect(router.stderr).toMatch(new RegExp(`^cranker-router: .*${String(taken)}.*\n$`))
    expect(router.stderr).not.toMatch(/\bat .*:\d+:\d+/)
  })
})

describe('help and version', () => {
  it.each([
    ['cranker', ['--help']],
    ['cranker', ['router', '--help']],
    ['cranker', ['connector', '--help']],
    ['cranker', ['demo', '--help']],
    ['cranker-router', ['--help']],
    ['cranker-connector', ['--help']],
  ] as const)('%s %j prints how it is used', async (name, args) => {
    const command = start(name, [...args])
    expect((await command.exited).code).toBe(0)
    expect(command.stdout).toContain(`Usage: ${[name, ...args.slice(0, -1)].join(' ')}`)
    expect(command.stderr).toBe('')
  })

  it.each(['cranker', 'cranker-router', 'cranker-connector'] as const)(
    '%s --version prints the version',
    async (name) => {
      const command = start(name, ['--version'])
      expect((await command.exited).code).toBe(0)
      expect(command.stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/)
    },
  )
})

describe('the log', () => {
  it('survives a reader that has gone away', async () => {
    const { router } = await startPair()
    router.command.child.stdout?.destroy()
    const port = Number(new URL(router.url).port)
    for (let index = 0; index < 20; index++) {
      expect((await fetch(`http://127.0.0.1:${String(port)}/my-service/${'x'.repeat(500)}`)).status).toBe(200)
    }
  })
})
