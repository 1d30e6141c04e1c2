/**
 * 100 ms between router and connector. A transfer is held against one that goes through a relay of the same kind
 * without a tunnel, at the same time: what slows down the machine slows down both.
 */
import { existsSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { jc } from '../interop/peers/jc.js'
import { ensureBuilt } from '../support/built.js'
import { fetchRaw, open } from '../support/http-client.js'
import { type Pair, startPair, versions, type Version } from '../support/pair.js'
import { RunningCommand } from '../support/process.js'
import { Relay } from '../support/relay.js'

const KiB = 1024
const MiB = 1024 * KiB

/** Each way; as published, 64 KiB per round trip would be a tenth of the rate. */
const PATH = { delayMs: 50, bytesPerSecond: 6 * MiB } as const
const BYTES = 12 * MiB
/** Of what goes without a tunnel. The rest is the beginning, when the window is still narrow, and a busy machine. */
const SHARE = 0.5

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

function sendAndSink(req: IncomingMessage, res: ServerResponse): void {
  if (req.method === 'GET') {
    res.end(Buffer.alloc(BYTES))
  } else {
    let received = 0
    req.on('data', (chunk: Buffer) => (received += chunk.length))
    req.on('end', () => res.end(String(received)))
  }
}

/** How long a transfer takes, ms. */
async function transfer(way: 'down' | 'up', port: number): Promise<number> {
  const from = performance.now()
  if (way === 'up') {
    const { text } = await fetchRaw({ port, method: 'POST', body: Buffer.alloc(BYTES) })
    expect(text).toBe(String(BYTES))
  } else {
    const { response } = await open({ port })
    let received = 0
    response.on('data', (chunk: Buffer) => (received += chunk.length))
    await once(response, 'end')
    expect(received).toBe(BYTES)
  }
  return performance.now() - from
}

/** The rate through the pair, as a part of the rate without a tunnel. */
async function share(way: 'down' | 'up', pair: Pair): Promise<number> {
  await using straight = await Relay.start({ ...PATH, to: pair.servicePort })
  const [reference, tunnel] = await Promise.all([transfer(way, straight.port), transfer(way, pair.port)])
  return reference / tunnel
}

/** A router and a service; the connector comes over the relay. */
async function farAway(version: Version): Promise<{ pair: Pair; routers: string }> {
  const options = { pingInterval: 100 }
  const pair = await startPair({ version, connect: false, router: options, connector: options })
  running.push(pair)
  const relay = await Relay.start({ ...PATH, to: pair.router.address.registration.port })
  running.push(relay)
  pair.serve(sendAndSink)
  return { pair, routers: `ws://127.0.0.1:${String(relay.port)}` }
}

describe('one transfer over 100 ms of round trip', () => {
  describe.each(versions)('over %s', (version) => {
    it.each(['down', 'up'] as const)('fills the path %s', async (way) => {
      const { pair, routers } = await farAway(version)
      await pair.connect({ routers })
      expect(await share(way, pair)).toBeGreaterThan(SHARE)
    })
  })

  it('fills the path from the Java connector on 3.0, which has never heard of a window', async (context) => {
    const missing = await jc.prepare()
    if (missing !== undefined) context.skip(missing)
    const { pair, routers } = await farAway('3.0')
    const target = `http://127.0.0.1:${String(pair.servicePort)}`
    const registered = once(pair.router as unknown as NodeJS.EventEmitter, 'registered')
    const connector = await jc.start({ routers: [routers], route: '*', target, protocols: ['3.0'] })
    try {
      await registered
      expect(await share('down', pair)).toBeGreaterThan(SHARE)
    } finally {
      await connector.stop()
    }
  }, 180_000)
})

describe.skipIf(!existsSync('/proc/self/status'))('40 clients that read nothing, over 100 ms of round trip', () => {
  const CLIENTS = 40
  /** Per client and process: the window, the queues on both sides of it, and what the garbage collector leaves. */
  const PER_CLIENT = 2 * MiB

  beforeAll(ensureBuilt, 120_000)

  it.each(versions)(
    'on %s: cost each process less than 2 MiB each, and hold back the service',
    async (version) => {
      let written = 0
      await using service = await listening((req, res) => {
        if (req.url !== '/endless') return res.end('ok')
        const chunk = Buffer.alloc(64 * KiB)
        const more = (): void => {
          do written += chunk.length
          while (!res.destroyed && res.write(chunk))
        }
        res.on('drain', more)
        return more()
      })
      const router = new RunningCommand('cranker-router', [
        ...['--host=127.0.0.1', '--port=0', '--registration-port=0', '--no-access-log'],
      ])
      running.push({ [Symbol.asyncDispose]: () => router.dispose() })
      const line = await router.logged('router listening')
      const relay = await Relay.start({
        to: Number(new URL(String(line['registration'])).port),
        delayMs: PATH.delayMs,
        maxHeld: 1 * MiB,
      })
      running.push(relay)
      const connector = new RunningCommand('cranker-connector', [
        `--router=ws://127.0.0.1:${String(relay.port)}`,
        `--route=*=http://127.0.0.1:${String(service.port)}`,
        ...[`--protocol=${version}`, `--window=${version === '1.0' ? '64' : '1'}`, '--max-window=128'],
      ])
      running.push({ [Symbol.asyncDispose]: () => connector.dispose() })
      const port = Number(new URL(String(line['public'])).port)
      const ask = async (): Promise<void> => expect((await fetchRaw({ port })).text).toBe('ok')
      for (let i = 0; i < 20; i++) await ask()

      const commands = [router, connector]
      const before = commands.map(memoryOf)
      const clients = Array.from({ length: CLIENTS }, () => stalled(port))
      running.push({
        [Symbol.asyncDispose]: async () => {
          for (const client of clients) client.destroy()
        },
      })
      await Promise.all(clients.map((client) => once(client, 'readable')))
      // Stalled is when nothing was written during five round trips of somebody else.
      for (let seen = -1; seen !== written;) {
        seen = written
        for (let i = 0; i < 5; i++) await ask()
      }
      const growth = commands.map((command, i) => (memoryOf(command) - (before[i] ?? 0)) / CLIENTS / KiB)
      expect(Math.max(...growth)).toBeLessThan(PER_CLIENT / KiB)
    },
    60_000,
  )
})

/** Asks for a body without end, and takes nothing but what the kernel takes. */
function stalled(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n')
  return socket
}

function memoryOf({ child }: RunningCommand): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${String(child.pid)}/status`, 'utf8'))?.[1]) * KiB
}

async function listening(
  listener: (req: IncomingMessage, res: ServerResponse) => void,
): Promise<AsyncDisposable & { readonly port: number }> {
  const server: Server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
