/** HTTP/2 for clients (RFC 9113), on node's implementation: what it leaves unbounded is bounded here. */
import type { ServerSessionOptions } from 'node:http2'
import type { Socket } from 'node:net'
import type { Logger } from '../../protocol/logger.js'
import {
  HTTP2_LIMITS,
  type Http2Limits,
  MAX_INVALID_FRAMES,
  MAX_RAW_FIELDS,
  MAX_SETTINGS,
  SESSION_MEMORY_MB,
  STREAM_WINDOW_BYTES,
} from './http2-limits.js'
import { Http2Session } from './http2-session.js'
import type { OnRefused, OnRequest } from './inbound.js'

export interface Http2Options {
  /** From the connection to the client's SETTINGS, ms. */
  readonly headTimeout: number
  /** Connections without a stream, ms. */
  readonly keepAliveTimeout: number
  /** Bytes, as HTTP/1.1 text. */
  readonly maxHeadSize: number
  /** Streams at once on a connection. */
  readonly http2MaxStreams: number
  /** WebSockets over HTTP/2 (RFC 8441). */
  readonly webSockets: boolean
  /** For tests; {@link HTTP2_LIMITS} otherwise. */
  readonly http2Limits?: Partial<Http2Limits> | undefined
  readonly viaName: string
  readonly log: Logger
}

/** What all sessions share. */
export interface Http2Context extends Pick<
  Http2Options,
  'headTimeout' | 'keepAliveTimeout' | 'maxHeadSize' | 'viaName' | 'log'
> {
  readonly onRequest: OnRequest
  readonly onRefused: OnRefused
  readonly limits: Http2Limits
  readonly settings: ServerSessionOptions
  readonly sessions: Set<Http2Session>
}

/** How often all sessions are looked at, ms. */
const LOOK_MS = 1_000

export class Http2Server {
  readonly #context: Http2Context
  #timer: NodeJS.Timeout | undefined
  #draining = false

  constructor(options: Http2Options, onRequest: OnRequest, onRefused: OnRefused) {
    const { headTimeout, keepAliveTimeout, maxHeadSize, viaName, log } = options
    this.#context = {
      ...{ headTimeout, keepAliveTimeout, maxHeadSize, viaName, log, onRequest, onRefused },
      limits: { ...HTTP2_LIMITS, ...options.http2Limits },
      settings: sessionSettings(options),
      sessions: new Set(),
    }
  }

  /** Sessions now. */
  get connections(): number {
    return this.#context.sessions.size
  }

  /** @param transport the TCP socket: `socket` itself, or the one under its TLS. */
  accept(socket: Socket, transport: Socket): void {
    if (socket.destroyed) return
    const session = new Http2Session(socket, transport, this.#context)
    this.#context.sessions.add(session)
    if (this.#draining) session.drain()
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  drain(): void {
    this.#draining = true
    for (const session of this.#context.sessions) session.drain()
  }

  closeNow(): void {
    for (const session of this.#context.sessions) session.destroy()
  }

  #look(): void {
    const now = performance.now()
    for (const session of this.#context.sessions) session.look(now)
    if (this.#context.sessions.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function sessionSettings({ http2MaxStreams, maxHeadSize, webSockets }: Http2Options): ServerSessionOptions {
  return {
    settings: {
      maxConcurrentStreams: http2MaxStreams,
      initialWindowSize: STREAM_WINDOW_BYTES,
      // What is a little too large is answered with 431; beyond that the stream is reset.
      maxHeaderListSize: 2 * maxHeadSize,
      enableConnectProtocol: webSockets,
    },
    maxHeaderListPairs: MAX_RAW_FIELDS,
    maxSettings: MAX_SETTINGS,
    maxSessionMemory: SESSION_MEMORY_MB,
    maxSessionInvalidFrames: MAX_INVALID_FRAMES,
    maxSessionRejectedStreams: MAX_INVALID_FRAMES,
  }
}
