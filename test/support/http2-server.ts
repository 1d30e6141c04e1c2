/** Services that speak HTTP/2, for targets; torn down after the test. */
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach } from 'vitest'
import { FLAG, FRAME, type Frame, frame } from './raw-http2.js'

const cleanups: (() => void)[] = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

export type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]) => void

export interface Http2Service {
  readonly url: string
  /** All connections that there were. */
  readonly sessions: readonly ServerHttp2Session[]
  /** TCP connections that there were, of whatever protocol. */
  connections(): number
  stop(): Promise<void>
}

/** A service of node's own. `secure`: over TLS, with that certificate. */
export async function http2Server(
  onStream: OnStream,
  options: SecureServerOptions = {},
  configure: (server: Http2Server | Http2SecureServer) => void = () => undefined,
): Promise<Http2Service> {
  const secure = options.cert !== undefined
  const server = secure ? createSecureServer(options) : createServer(options)
  const sessions: ServerHttp2Session[] = []
  server.on('session', (session: ServerHttp2Session) => {
    session.on('error', () => undefined)
    sessions.push(session)
  })
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw?: string[]) => {
    stream.on('error', () => undefined)
    onStream(stream, headers, raw ?? [])
  })
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  configure(server)
  const stop = (): Promise<void> => {
    for (const session of sessions) session.destroy()
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => void server.close(() => resolve()))
  }
  cleanups.push(() => void stop())
  return { url: await listen(server, secure ? 'https' : 'http'), sessions, connections: () => sockets.size, stop }
}

/** The service's end of one connection, frame by frame. */
export class RawHttp2Peer {
  readonly socket: Socket
  readonly frames: Frame[] = []
  readonly #onFrame: (frame: Frame, peer: RawHttp2Peer) => void
  #rest: Buffer = Buffer.alloc(0)
  #greeted = false

  constructor(socket: Socket, onFrame: (frame: Frame, peer: RawHttp2Peer) => void) {
    this.socket = socket
    this.#onFrame = onFrame
    socket.on('data', (chunk: Buffer) => this.#parse(chunk))
  }

  write(...frames: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames))
  }

  #parse(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    // The preface is 24 octets, RFC 9113 §3.4.
    if (!this.#greeted) {
      if (this.#rest.length < 24) return
      this.#greeted = true
      this.#rest = this.#rest.subarray(24)
      this.write(frame(FRAME.settings, 0, 0))
    }
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) return
      const [type, flags] = [this.#rest[3] as number, this.#rest[4] as number]
      const stream = this.#rest.readUInt32BE(5)
      const got = { type, flags, stream, payload: this.#rest.subarray(9, 9 + length) }
      this.#rest = this.#rest.subarray(9 + length)
      if (type === FRAME.settings && (flags & FLAG.ack) === 0) this.write(frame(FRAME.settings, FLAG.ack, 0))
      this.frames.push(got)
      this.#onFrame(got, this)
    }
  }
}

/** A service that answers frames with frames; it has sent and acknowledged SETTINGS by itself. */
export async function rawHttp2Server(onFrame: (frame: Frame, peer: RawHttp2Peer) => void) {
  const peers: RawHttp2Peer[] = []
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    peers.push(new RawHttp2Peer(socket, onFrame))
  })
  cleanups.push(() => {
    for (const { socket } of peers) socket.destroy()
    server.close()
  })
  return { url: await listen(server, 'http'), peers }
}

async function listen(server: Http2Server | Http2SecureServer | Server, scheme: string): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
}
