import type { Socket } from 'node:net'
import type { CrankerError } from '../../protocol/errors.js'
import type { RawHeaders, ResponseHead } from '../../protocol/head.js'
import { KiB } from '../../protocol/limits.js'
import { SWITCHING_PROTOCOLS } from '../../protocol/upgrade.js'
import type { ClientMessage, ClientResponse } from './client-message.js'
import type { ClientConnection } from './connection.js'
import { LINGER_MS } from './early-answer.js'
import { interimText } from './framing.js'
import { Http1Request } from './http1-request.js'
import { nobody } from './inbound.js'
import type { RequestFacts } from './validity.js'

/**
 * Bytes kept of what a client sends before its upgrade is granted, which it should not (RFC 6455 §4.1). Beyond, its
 * socket is not read.
 */
const MAX_EARLY_BYTES = 16 * KiB

/**
 * - `asking`: no answer yet
 * - `declined`: another answer than 101, an ordinary response
 * - `open`: 101, raw bytes
 * - `over`: it was open
 */
type Phase = 'asking' | 'declined' | 'open' | 'over'

export interface UpgradeParts {
  readonly connection: ClientConnection
  /** As node's parser left it. */
  readonly request: ClientMessage
  /** Of our own: node makes none for a request that it hands over. */
  readonly response: ClientResponse
  readonly facts: RequestFacts
  /** What came behind the head. */
  readonly early: Buffer
  /** The client wants no other request on this connection. */
  readonly last: boolean
  /** Gives the connection back to the HTTP server, with what was read of the next request. */
  readonly giveBack: (early: Buffer) => void
}

/**
 * A request for an upgrade to `websocket` on HTTP/1.1. Node has let go of the socket; it is read all the same while the
 * answer is awaited, because only so one sees that the client has left.
 */
export class Http1Upgrade extends Http1Request {
  override readonly upgrade = true
  readonly #connection: ClientConnection
  readonly #socket: Socket
  readonly #response: ClientResponse
  readonly #last: boolean
  readonly #giveBack: (early: Buffer) => void
  #phase: Phase = 'asking'
  #early: Buffer[]
  #earlyBytes = 0
  #reading = false
  #clientEnded = false
  #ended = false
  readonly #sizes: number[] = []

  constructor({ connection, request, response, facts, early, last, giveBack }: UpgradeParts) {
    super(connection, request, response, { ...facts, contentLength: undefined })
    this.#connection = connection
    this.#socket = connection.socket
    this.#response = response
    this.#last = last
    this.#giveBack = giveBack
    this.#early = early.length > 0 ? [early] : []
    this.#earlyBytes = early.length
    response.shouldKeepAlive = !last
    response.assignSocket(this.#socket)
    this.#socket.on('data', this.#onData)
    this.#socket.resume()
  }

  override start(): void {
    if (this.#phase !== 'open') return
    this.#reading = true
    const early = this.#early
    this.#early = []
    this.#socket.resume()
    for (const chunk of early) this.handler.onBody(chunk)
  }

  override pause(): void {
    if (this.#phase === 'open') this.#socket.pause()
  }

  override resume(): void {
    if (this.#phase === 'open') this.#socket.resume()
  }

  override respond(head: ResponseHead): void {
    if (this.#phase !== 'asking') return
    if (head.status !== SWITCHING_PROTOCOLS) {
      this.#phase = 'declined'
      super.respond(head)
      return
    }
    this.#phase = 'open'
    this.#response.detachSocket(this.#socket)
    this.#socket.write(interimText(head), 'latin1')
  }

  override write(chunk: Buffer): void {
    if (this.#phase !== 'open') return super.write(chunk)
    this.#sizes.push(chunk.length)
    this.#socket.write(chunk, this.#onWritten)
  }

  override end(trailers?: RawHeaders): void {
    if (this.#phase !== 'open') return super.end(trailers)
    this.#ended = true
    this.#socket.end()
  }

  override abort(error: CrankerError): number | undefined {
    if (this.#phase === 'asking' || this.#phase === 'declined') {
      this.#phase = 'declined'
      return super.abort(error)
    }
    if (this.#phase === 'over') return undefined
    this.#phase = 'over'
    this.handler = nobody
    if (this.#ended) this.#destroySoon()
    else this.#connection.cut(true)
    return undefined
  }

  override finished(): void {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.pause()
    this.#response.detachSocket(socket)
    super.finished()
    if (socket.destroyed || socket.writableEnded) return
    if (this.#last || socket.readableEnded) socket.destroySoon()
    else this.#giveBack(Buffer.concat(this.#early))
  }

  override lost(error: CrankerError): void {
    if (this.#phase === 'asking' || this.#phase === 'declined') return super.lost(error)
    if (this.#phase === 'over') return
    this.#phase = 'over'
    if (this.#ended && this.#clientEnded) this.handler.onFinished()
    else this.handler.onGone(error)
  }

  /** Before the 101 a client that has ended its side has left: it would get nothing out of the answer. */
  override clientEnded(pipelined: boolean): boolean {
    switch (this.#phase) {
      case 'asking':
        return false
      case 'declined':
        return super.clientEnded(pipelined)
      case 'open':
        this.#clientEnded = true
        this.handler.onBodyEnd()
        return true
      case 'over':
        return true
    }
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#reading) {
      if (this.#phase === 'open') this.handler.onBody(chunk)
      return
    }
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes > MAX_EARLY_BYTES) this.#socket.pause()
  }

  readonly #onWritten = (): void => {
    const size = this.#sizes.shift()
    if (size !== undefined && this.#phase === 'open') this.handler.onTaken(size)
  }

  /** What the service had said before it failed may still be on its way to the client. */
  #destroySoon(): void {
    const socket = this.#socket
    const timer = setTimeout(() => socket.destroy(), LINGER_MS)
    socket.once('close', () => {
      clearTimeout(timer)
    })
    socket.destroySoon()
    // Otherwise its end would not be seen.
    socket.resume()
  }
}
