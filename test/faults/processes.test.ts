/** Processes that die or stop without a word. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built.js'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { versions } from '../support/pair.js'
import { RunningCommand } from '../support/process.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

beforeAll(ensureBuilt, 180_000)

const QUICK = ['--ping-interval=100ms', '--dead-after=600ms', '--drain-timeout=0s'] as const

function start(name: 'cranker-router' | 'cranker-connector', args: readonly string[]): RunningCommand {
  const command = new RunningCommand(name, [...args, ...QUICK])
  cleanups.push(() => command.dispose())
  return command
}

async function startRouter({ port = 0, registrationPort = 0, idleTimeout = '1m' } = {}) {
  const ports = [`--port=${String(port)}`, `--registration-port=${String(registrationPort)}`]
  const command = start('cranker-router', ['--host=127.0.0.1', `--idle-timeout=${idleTimeout}`, ...ports])
  const line = await command.logged('router listening')
  const portOf = (url: unknown): number => Number(new URL(String(url)).port)
  return { command, port: portOf(line['public']), registrationPort: portOf(line['registration']) }
}

async function startConnector(version: string, registrationPort: number, target: number) {
  const command = start('cranker-connector', [
    `--router=ws://127.0.0.1:${String(registrationPort)}`,
    `--route=*=http://127.0.0.1:${String(target)}`,
    `--protocol=${version}`,
    '--window=1',
    '--backoff-base=20ms',
    '--backoff-max=100ms',
  ])
  await command.logged('registered')
  return command
}

/** `/held` is answered in part, `/silent` not at all, all else with `ok`. */
async function startService() {
  const held: ServerResponse[] = []
  let arrived: () => void = () => undefined
  const server = createServer((req, res) => {
    if (req.url === '/held') res.writeHead(200).write('part')
    else if (req.url !== '/silent') return res.end('ok')
    held.push(res)
    arrived()
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    port: (server.address() as AddressInfo).port,
    /** The next response that stays open. */
    held: async (): Promise<ServerResponse> => {
      while (held.length === 0) await new Promise<void>((resolve) => (arrived = resolve))
      return held.shift() as ServerResponse
    },
  }
}

describe.each(versions)('on %s', (version) => {
  it('a router that is killed ends the target’s requests, and its successor gets the connector back', async () => {
    const service = await startService()
    const router = await startRouter()
    const connector = await startConnector(version, router.registrationPort, service.port)
    const { response } = await open({ port: router.port, path: '/held' })
    const res = await service.held()
    const aborted = once(res, 'close')
    const cut = expect(readAll(response)).rejects.toThrow()
    router.command.kill('SIGKILL')
    await Promise.all([cut, aborted, connector.logged('lost the router')])
    const next = await startRouter(router)
    // It need not have registered yet: an unknown route waits in the first seconds of a router.
    expect((await fetchRaw({ port: next.port })).text).toBe('ok')
  })

  it('a connector that is killed breaks its responses off, and another one serves what follows', async () => {
    const service = await startService()
    const router = await startRouter()
    const connector = await startConnector(version, router.registrationPort, service.port)
    const { response } = await open({ port: router.port, path: '/held' })
    const unanswered = fetchRaw({ port: router.port, path: '/silent' })
    await service.held()
    await service.held()
    const cut = expect(readAll(response)).rejects.toThrow()
    connector.kill('SIGKILL')
    await cut
    expect((await unanswered).status).toBe(502)
    const waiting = fetchRaw({ port: router.port })
    await startConnector(version, router.registrationPort, service.port)
    expect((await waiting).text).toBe('ok')
  })

  it('a connector that is stopped with its sockets open is declared dead, and comes back when it goes on', async () => {
    const service = await startService()
    // On 1.0 a socket that waits for its response head has only the idle timeout.
    const router = await startRouter({ idleTimeout: '2s' })
    const connector = await startConnector(version, router.registrationPort, service.port)
    const unanswered = fetchRaw({ port: router.port, path: '/silent' })
    await service.held()
    connector.kill('SIGSTOP')
    cleanups.push(() => connector.kill('SIGCONT'))
    expect([502, 504]).toContain((await unanswered).status)
    // By now the router has ended all of its sockets: what follows waits for a new one.
    connector.kill('SIGCONT')
    expect((await fetchRaw({ port: router.port })).text).toBe('ok')
  })

  it('a router that is stopped with its sockets open is declared dead, and gets its connector back', async () => {
    const service = await startService()
    const router = await startRouter()
    const connector = await startConnector(version, router.registrationPort, service.port)
    router.command.kill('SIGSTOP')
    cleanups.push(() => router.command.kill('SIGCONT'))
    await connector.logged('lost the router')
    router.command.kill('SIGCONT')
    await connector.until(
      () => connector.lines.filter((line) => line['msg'] === 'registered')[1],
      'the second registration',
    )
    expect((await fetchRaw({ port: router.port })).text).toBe('ok')
  })
})
