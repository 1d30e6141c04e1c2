/** Services that switch protocols, clients that ask for it, and a pair between them. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { AccessEntry } from '../../router/index.js'
import { startPair, versions, type Pair, type PairOptions, type Version } from './pair.js'
import { RawClient } from './raw-client.js'

export const targetKinds = ['URL', 'in-process'] as const
export type TargetKind = (typeof targetKinds)[number]

/** Every way from a client to a service. */
export const ways: readonly { readonly version: Version; readonly target: TargetKind }[] = versions.flatMap((version) =>
  targetKinds.map((target) => ({ version, target })),
)

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** A WebSocket request as a client writes it. */
export function upgradeRequest(path = '/', fields = ''): string {
  return (
    `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n${fields}\r\n`
  )
}

/** What a service accepts it with. */
export function switching(req: IncomingMessage): string {
  const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
  const accept = createHash('sha1')
    .update(`${req.headers['sec-websocket-key'] ?? ''}${guid}`)
    .digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}

export type OnUpgrade = (req: IncomingMessage, socket: Duplex, early: Buffer) => void

/** A pair and a service of its own, whose reaction to upgrades each test sets. */
export class UpgradeBed implements AsyncDisposable {
  readonly pair: Pair
  readonly server: Server
  readonly access: readonly AccessEntry[]
  onUpgrade: OnUpgrade = (_req, socket) => socket.destroy()
  readonly #sockets = new Set<Duplex>()
  readonly #clients: RawClient[] = []

  private constructor(pair: Pair, server: Server, access: readonly AccessEntry[]) {
    this.pair = pair
    this.server = server
    this.access = access
    server.on('upgrade', (req: IncomingMessage, socket: Duplex, early: Buffer) => {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      this.onUpgrade(req, socket, early)
    })
  }

  static async start(
    way: { readonly version: PairOptions['version']; readonly target: TargetKind },
    options: Omit<PairOptions, 'version' | 'target'> & { readonly listener?: RequestListener } = {},
  ): Promise<UpgradeBed> {
    const { listener = (_req, res) => res.end('ok'), router, connector, ...rest } = options
    const server = createServer(listener)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const access: AccessEntry[] = []
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    const pair = await startPair({
      version: way.version,
      target: way.target === 'URL' ? url : server,
      router: { accessLog: (entry) => access.push(entry), ...router },
      connector: { drainTimeout: 2_000, ...connector },
      ...rest,
    })
    return new UpgradeBed(pair, server, access)
  }

  get port(): number {
    return this.pair.port
  }

  async client(): Promise<RawClient> {
    const client = await RawClient.connect(this.port)
    this.#clients.push(client)
    return client
  }

  /** A client whose upgrade the service has accepted, and the service's end of it. */
  async open(fields = ''): Promise<{ readonly client: RawClient; readonly socket: Duplex }> {
    const accepted = new Promise<Duplex>((resolve) => {
      this.onUpgrade = (req, socket) => {
        socket.write(switching(req))
        resolve(socket)
      }
    })
    const client = await this.client()
    client.write(upgradeRequest('/', fields))
    const { status } = await client.head()
    if (status !== 101) throw new Error(`answered ${String(status)}`)
    return { client, socket: await accepted }
  }

  /** The access entry of the one request so far. */
  async entry(): Promise<AccessEntry> {
    for (;;) {
      const entry = this.access[0]
      if (entry !== undefined) return entry
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.leave()
    for (const socket of this.#sockets) socket.destroy()
    await this.pair[Symbol.asyncDispose]()
    this.server.closeAllConnections()
    this.server.close()
  }
}
