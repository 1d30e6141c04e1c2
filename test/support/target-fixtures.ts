import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach } from 'vitest'
import { createTarget, type Target, type TargetOptions } from '../../connector/targets/index.js'
import type { TargetOption } from '../../connector/options.js'
import type { Clock } from '../../protocol/clock.js'
import { systemClock } from '../../protocol/clock.js'
import type { RequestHead } from '../../protocol/head.js'
import { silentLogger } from '../../protocol/logger.js'
import type { BodyHandler } from '../../protocol/session.js'
import { ScriptedExchange } from './scripted-exchange.js'

const cleanups: (() => Promise<void> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

export const targetOptions: TargetOptions = {
  idleTimeout: 300_000,
  targetConnectTimeout: 5_000,
  targetProtocol: 'auto',
  targetMaxConnections: 256,
  maxHeadSize: 64 * 1024,
}

export function makeTarget(
  target: TargetOption,
  options: Partial<TargetOptions> = {},
  clock: Clock = systemClock,
): Target {
  const made = createTarget(target, { ...targetOptions, ...options }, { clock, log: silentLogger })
  cleanups.push(() => made.close())
  return made
}

/** A TCP server that answers as `onSocket` likes; torn down after the test. Returns its URL. */
export async function rawServer(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return listen(server)
}

/** The same with `node:http`. */
export async function httpServer(listener: RequestListener): Promise<string> {
  const server = createHttpServer(listener)
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return listen(server)
}

async function listen(server: Server | HttpServer): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A raw server that sends `response` once the first bytes of a request are there, and shows what it got. */
export async function cannedServer(
  response: string,
  after?: (socket: Socket) => void,
): Promise<{ url: string; got: () => string }> {
  let got = ''
  const url = await rawServer((socket) => {
    socket.on('data', (chunk) => {
      const first = got === ''
      got += chunk.toString('latin1')
      if (!first) return
      socket.write(response, 'latin1')
      after?.(socket)
    })
  })
  return { url, got: () => got }
}

export function request(method: string, target: string, ...headers: string[]): RequestHead {
  return { method, target, headers: ['Host', 'public.example', ...headers] }
}

/** Starts a request on a target. */
export function send(
  target: Target,
  head: RequestHead,
  end = true,
): { exchange: ScriptedExchange; handler: BodyHandler | undefined } {
  const exchange = new ScriptedExchange()
  const handler = target.request(head, end, exchange)
  if (end) handler?.onEnd(undefined)
  return { exchange, handler }
}
