import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionOptions,
  connect as connectHttp2,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { hostAndPort } from '../../protocol/address.js'
import type { Clock, Timer } from '../../protocol/clock.js'
import { MAX_HEAD_FIELDS } from '../../protocol/limits.js'
import {
  CONNECTION_MEMORY_MB,
  CONNECTION_WINDOW_BYTES,
  KEEP_IDLE_MS,
  MAX_SETTINGS,
  PING_GAP_MS,
  SILENCE_MS,
  STREAM_WINDOW_BYTES,
  STREAMS_PER_CONNECTION,
} from './http2-limits.js'
import { openSocket, type TcpAddress } from './open-socket.js'

export interface Http2ConnectionOptions {
  readonly address: TcpAddress
  /** Largest head or trailer section of a response, bytes. */
  readonly maxHeadBytes: number
  readonly clock: Clock
  /** A connection has ended before it could take a request: perhaps the target does not speak HTTP/2 (any more). */
  readonly onNotReady: () => void
}

/** What a connection tells the pool that it belongs to. */
export interface Http2ConnectionOwner {
  /** It can take requests, or one more. */
  onRoom(): void
  /** It takes no request any more; those that run may still finish. At most once. */
  onLeaving(connection: Http2Connection, error: Error): void
}

/** One HTTP/2 connection to the target. It takes requests when the target's SETTINGS have come. */
export class Http2Connection {
  readonly #options: Http2ConnectionOptions
  readonly #owner: Http2ConnectionOwner
  readonly #socket: Socket
  readonly #connectTimer: Timer
  readonly #watch: Timer
  readonly #idle: Timer
  #session: ClientHttp2Session | undefined
  #ready = false
  #leaving = false
  #lost = false
  #error: Error | undefined
  #streams = 0
  /** Something came since the last look. */
  #heard = false
  #pingAfter = 0
  #pingPending = false

  constructor(options: Http2ConnectionOptions, owner: Http2ConnectionOwner) {
    const { address, clock } = options
    this.#options = options
    this.#owner = owner
    this.#connectTimer = clock.timer(() => {
      this.#lose(new Error(`no connection within ${address.connectTimeout} ms`))
    }, address.connectTimeout)
    this.#watch = clock.timer(() => {
      this.#look()
    }, SILENCE_MS)
    this.#watch.clear()
    this.#idle = clock.timer(() => {
      this.leave()
    }, KEEP_IDLE_MS)
    this.#idle.clear()
    const socket = openSocket(address, ['h2'])
    this.#socket = socket
    socket.once(address.tls ? 'secureConnect' : 'connect', () => {
      this.#onConnect()
    })
    socket.on('error', (error: Error) => {
      this.#error ??= error
    })
    socket.once('close', () => {
      this.#lose(this.#error ?? new Error('the target closed the connection'))
    })
  }

  /** The target's SETTINGS have come. */
  get ready(): boolean {
    return this.#ready
  }

  /** It is gone: what ran on it has failed with it. */
  get lost(): boolean {
    return this.#lost || this.#session?.destroyed === true
  }

  /** It can take a request now. */
  get hasRoom(): boolean {
    if (!this.#ready || this.#leaving) return false
    const allowed = this.#session?.remoteSettings.maxConcurrentStreams ?? STREAMS_PER_CONNECTION
    return this.#streams < Math.min(allowed, STREAMS_PER_CONNECTION)
  }

  /**
   * Starts a request; call only when it `hasRoom`. {@link release} is due when its stream is closed.
   * @throws what node says of a connection that has just been closed.
   */
  request(headers: OutgoingHttpHeaders, endStream: boolean): ClientHttp2Stream {
    if (this.#session === undefined) throw new Error('the connection is not ready')
    // A stream that is reset is ended by node first, and END_STREAM would make half a body look complete.
    const stream = this.#session.request(headers, { endStream, waitForTrailers: !endStream })
    this.#idle.clear()
    if (this.#streams++ === 0) this.#watch.refresh()
    this.#heard = true
    return stream
  }

  /** Bytes came from the target. */
  heard(): void {
    this.#heard = true
  }

  /** A stream has been closed. */
  release(): void {
    if (--this.#streams > 0 || this.#leaving) {
      if (this.hasRoom) this.#owner.onRoom()
      return
    }
    this.#watch.clear()
    this.#idle.refresh()
    this.#owner.onRoom()
  }

  /** No further request; closes when those that run are done. */
  leave(): void {
    this.#retire(new Error('the connection was closed'))
    if (this.#session === undefined) this.#socket.destroy()
    else if (!this.#session.destroyed) this.#session.close()
  }

  #onConnect(): void {
    const socket = this.#socket
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      this.#lose(new Error('the target does not speak HTTP/2 over TLS'))
      return
    }
    const { host, port, tls } = this.#options.address
    const origin = `${tls ? 'https' : 'http'}://${hostAndPort(host, port)}`
    const session = connectHttp2(origin, { ...sessionOptions(this.#options), createConnection: () => socket })
    this.#session = session
    session.once('connect', () => {
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES)
    })
    session.on('remoteSettings', () => {
      if (this.#leaving) return
      if (!this.#ready) {
        this.#ready = true
        this.#connectTimer.clear()
        this.#idle.refresh()
      }
      this.#owner.onRoom()
    })
    session.on('goaway', () => {
      this.#retire(new Error('the target is closing the connection'))
    })
    session.on('error', (error: Error) => {
      this.#error ??= error
    })
    session.once('close', () => {
      this.#lose(this.#error ?? new Error('the target closed the connection'))
    })
  }

  /** A target that is gone without a word would keep every request until it is idle for too long. */
  #look(): void {
    if (this.#pingPending) return this.#lose(new Error('the target does not answer a ping'))
    if (this.#streams === 0 || this.#session?.destroyed !== false) return
    const now = this.#options.clock.now()
    if (this.#heard) {
      this.#heard = false
      this.#pingAfter = 0
    } else if (now >= this.#pingAfter) {
      this.#pingAfter = now + PING_GAP_MS
      this.#pingPending = true
      this.#session.ping(() => {
        this.#pingPending = false
      })
    }
    this.#watch.refresh()
  }

  #lose(error: Error): void {
    if (this.#lost) return
    this.#lost = true
    this.#error ??= error
    this.#watch.clear()
    if (!this.#ready) this.#options.onNotReady()
    this.#retire(this.#error)
    this.#session?.destroy()
    this.#socket.destroy()
  }

  #retire(error: Error): void {
    if (this.#leaving) return
    this.#leaving = true
    this.#connectTimer.clear()
    this.#idle.clear()
    this.#owner.onLeaving(this, error)
  }
}

function sessionOptions({ maxHeadBytes }: Http2ConnectionOptions): ClientSessionOptions {
  return {
    settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: maxHeadBytes },
    maxHeaderListPairs: MAX_HEAD_FIELDS,
    // What came through the tunnel was bounded there.
    maxSendHeaderBlockLength: 2 * maxHeadBytes,
    maxSessionMemory: CONNECTION_MEMORY_MB,
    maxSettings: MAX_SETTINGS,
  }
}
