import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { plainAddress } from '../../protocol/address.js'
import { CrankerError } from '../../protocol/errors.js'
import { Roster } from '../../protocol/roster.js'
import { Bucket } from './bucket.js'
import { checkHead, readHead } from './http2-head.js'
import { CONNECTION_WINDOW_BYTES } from './http2-limits.js'
import { Http2Request } from './http2-request.js'
import type { Http2Context } from './http2.js'
import { Refusal } from './validity.js'

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants

/** For a client to close its end of a connection that is over, ms. */
const LAST_READ_MS = 2_000

/** One HTTP/2 connection of a client. */
export class Http2Session {
  readonly secure: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localPort: number
  readonly #context: Http2Context
  readonly #transport: Socket
  readonly #session: ServerHttp2Session
  readonly #requests = new Roster<Http2Request>()
  /** Errors that are on their way to the client, and since when. */
  readonly #answering = new Map<Http2Request, number>()
  readonly #resets: Bucket
  readonly #controls: Bucket
  /** The client has sent its SETTINGS: it does speak HTTP/2. */
  #greeted = false
  /** It has acknowledged ours: before that it is not bound by them, and node does not enforce all of them. */
  #bound = false
  readonly #began = performance.now()
  #leaving = false
  /** When the last stream ended, or the session began. */
  #idleSince: number
  #pingedAt: number
  #pingPending = false

  /** @param transport the TCP socket: `socket` itself, or the one under its TLS. */
  constructor(socket: Socket, transport: Socket, context: Http2Context) {
    const { limits } = context
    this.#context = context
    this.#transport = transport
    this.secure = socket instanceof TLSSocket
    this.remoteAddress = plainAddress(socket.remoteAddress).replace(/%.*$/, '')
    this.remotePort = socket.remotePort ?? 0
    this.localPort = socket.localPort ?? 0
    this.#idleSince = this.#pingedAt = performance.now()
    this.#resets = new Bucket(limits.resetBurst, limits.resetsPerSecond)
    this.#controls = new Bucket(limits.controlBurst, limits.controlPerSecond)
    // Nothing follows a half-closed connection here: node would not tell.
    socket.allowHalfOpen = false
    this.#session = performServerHandshake(socket, context.settings)
    this.#session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    this.#listen(this.#session)
  }

  get viaName(): string {
    return this.#context.viaName
  }

  /** An error that nobody but this session watches. */
  answering(request: Http2Request): void {
    this.#answering.set(request, performance.now())
  }

  streamClosed(request: Http2Request): void {
    this.#requests.delete(request)
    this.#answering.delete(request)
    if (this.#requests.size === 0) this.#idleSince = performance.now()
  }

  /** What has happened to a request that the client ended. Who does that too often is cut off. */
  gone(): CrankerError {
    if (!this.#resets.take()) this.#tooMuch('resets')
    return new CrankerError('CRANKER_ERR_CLIENT_GONE', 'the client reset the request or closed its connection', {
      initiator: 'caller',
    })
  }

  /** Called about once per second. */
  look(now: number): void {
    const { limits, headTimeout, keepAliveTimeout } = this.#context
    const idle = this.#requests.size === 0 ? now - this.#idleSince : 0
    if (this.#leaving || this.#session.destroyed) {
      if (idle > LAST_READ_MS || this.#pingOverdue(now)) this.destroy()
      return
    }
    this.#resets.refill()
    this.#controls.refill()
    for (const [request, since] of this.#answering) if (now - since > limits.answerTimeout) request.giveUp()
    if (this.#pingOverdue(now) || (!this.#bound && now - this.#began > headTimeout)) this.destroy()
    else if (idle > keepAliveTimeout) this.#close()
    else if (!this.#pingPending && now - this.#pingedAt > limits.pingInterval) this.#ping()
  }

  /**
   * Closes when the streams that run are done. A request that crosses the GOAWAY is refused by it, so that any client may
   * repeat it: nghttp2 takes no stream after the first GOAWAY of node, so that a warning before it (RFC 9113 §6.8) would
   * only lose requests.
   */
  drain(): void {
    if (this.#greeted) this.#close()
    else this.destroy()
  }

  destroy(): void {
    this.#session.destroy()
    this.#transport.destroy()
  }

  #listen(session: ServerHttp2Session): void {
    session.on('stream', (stream: ServerHttp2Stream, _headers: unknown, flags: number, raw?: readonly string[]) => {
      this.#onStream(stream, flags, raw as readonly string[])
    })
    session.on('remoteSettings', () => {
      this.#greeted = true
      this.#control()
    })
    session.on('localSettings', () => {
      this.#bound = true
    })
    session.on('ping', () => this.#control())
    session.on('error', (error: Error) => {
      this.#context.log.debug({ err: error, remoteAddress: this.remoteAddress }, 'an HTTP/2 connection failed')
    })
    session.on('close', () => this.#context.sessions.delete(this))
  }

  #onStream(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    // What it says is also told by 'aborted' and 'close'.
    stream.on('error', ignore)
    const { onRequest, onRefused, log, maxHeadSize } = this.#context
    const head = readHead(raw, maxHeadSize)
    const facts = checkHead(head, (flags & NGHTTP2_FLAG_END_STREAM) !== 0)
    const refusal = facts instanceof Refusal ? facts : undefined
    const request = new Http2Request(this, stream, head, facts instanceof Refusal ? undefined : facts)
    // Reset already, in the same breath.
    if (stream.closed || stream.destroyed) {
      this.gone()
      return
    }
    this.#requests.add(request)
    if (refusal !== undefined) {
      onRefused(request, refusal.error, request.refuse(refusal))
      return
    }
    try {
      onRequest(request)
    } catch (cause) {
      log.error({ err: cause }, 'handling a request threw')
      request.abort(new CrankerError('CRANKER_ERR_INTERNAL', 'handling the request threw', { cause }))
    }
  }

  #control(): void {
    if (!this.#controls.take()) this.#tooMuch('PING and SETTINGS frames')
  }

  #tooMuch(what: string): void {
    if (this.#session.destroyed) return
    const message = `too many ${what} on an HTTP/2 connection: cut`
    this.#context.log.warn({ remoteAddress: this.remoteAddress }, message)
    this.#session.destroy(new Error(message), NGHTTP2_ENHANCE_YOUR_CALM)
  }

  #close(): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#idleSince = performance.now()
    if (!this.#session.destroyed) this.#session.close()
  }

  #ping(): void {
    this.#pingedAt = performance.now()
    this.#pingPending = true
    this.#session.ping((error) => {
      if (error === null) this.#pingPending = false
    })
  }

  #pingOverdue(now: number): boolean {
    return this.#pingPending && now - this.#pingedAt > this.#context.limits.pingTimeout
  }
}

function ignore(): void {
  // Acted on elsewhere.
}
