import { CrankerError, type CrankerErrorOptions, type ErrorCode } from '../../protocol/errors.js'
import type { RawHeaders, RequestHead, ResponseHead } from '../../protocol/head.js'
import { filterResponseHeaders } from '../../protocol/hop-by-hop.js'
import type { Logger } from '../../protocol/logger.js'
import type { BodyHandler, ResponseExchange } from '../../protocol/session.js'
import { filterTrailers } from '../../protocol/trailers.js'
import { SWITCHING_PROTOCOLS, UPGRADE_FIELDS } from '../../protocol/upgrade.js'
import type { ConnectionPool } from './connection-pool.js'
import type { Connection } from './connection.js'
import type { IdleWatch, Watched } from './idle-watch.js'
import { forwardedHead, forwardInfo, unreachable } from './outcome.js'
import { lastChunk, type RequestText } from './request-text.js'
import type { ResponseSink } from './response-parser.js'

/** What the requests to one target share. */
export interface ReplayContext {
  readonly pool: ConnectionPool
  readonly idle: IdleWatch
  readonly log: Logger
}

/** RFC 9110 §9.2.2. */
export const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** One request on its way to the target, and its response on its way back. */
export class Replay implements BodyHandler, ResponseSink, Watched {
  place = -1
  idleTicks = 0
  readonly #context: ReplayContext
  readonly #head: RequestHead
  readonly #request: RequestText
  readonly #exchange: ResponseExchange
  #connection: Connection | undefined
  /**
   * Request bytes that came before the connection was there, or before the 101. The tunnel's window bounds them: they are
   * not consumed.
   */
  #waiting: Buffer[] | undefined
  #ready = false
  /** Of a body with a content-length. */
  #remaining: number
  /** Bytes that the wire has accepted but not sent. */
  #unsent = 0
  #requestEnded: boolean
  #trailers: RawHeaders | undefined
  #headSent = false
  /** After a 101: each side sends raw bytes until it has finished. */
  #upgraded = false
  #clientEnded = false
  #targetEnded = false
  #over = false

  constructor(context: ReplayContext, head: RequestHead, request: RequestText, exchange: ResponseExchange) {
    this.#context = context
    this.#head = head
    this.#request = request
    this.#exchange = exchange
    this.#remaining = request.framing.kind === 'length' ? request.framing.bytes : 0
    this.#requestEnded = request.framing.kind === 'none'
  }

  /** False if it was refused at once. */
  start(): boolean {
    this.#context.idle.add(this)
    this.#connect(false)
    return !this.#over
  }

  /** The whole request has been written: the connection can take another one after the response. */
  get requestSent(): boolean {
    return this.#requestEnded && (this.#ready || this.#request.upgrade)
  }

  // From the tunnel: the request body.

  onData(chunk: Buffer): void {
    if (this.#over) return
    this.idleTicks = 0
    if (this.#request.framing.kind === 'length') {
      this.#remaining -= chunk.length
      if (this.#remaining < 0) {
        this.#fail('CRANKER_ERR_PEER_REJECTED', 'the request body is longer than its content-length')
        return
      }
    }
    if (this.#ready) this.#send(chunk)
    else (this.#waiting ??= []).push(chunk)
  }

  onDrain(): void {
    this.idleTicks = 0
    this.#connection?.resume()
  }

  onEnd(trailers: RawHeaders | undefined): void {
    if (this.#over) return
    this.#clientEnded = true
    if (this.#upgraded) return this.#clientFinished()
    if (this.#request.framing.kind === 'none') return
    this.idleTicks = 0
    if (this.#remaining > 0) {
      this.#fail('CRANKER_ERR_PEER_REJECTED', 'the request body is shorter than its content-length')
      return
    }
    this.#requestEnded = true
    this.#trailers = trailers
    if (this.#ready) this.#sendEnd()
  }

  onError(): void {
    if (this.#over) return
    this.#settle()
    this.#cut()
  }

  // From the connection.

  onReady(): void {
    const connection = this.#connection
    if (connection === undefined) return
    const { text, framing, upgrade } = this.#request
    connection.parser.begin(this, this.#head.method === 'HEAD', upgrade)
    if (framing.kind !== 'none') connection.wire.corkTurn()
    connection.wire.write(text)
    // A target that declines the upgrade would read them as its next request.
    if (upgrade) return
    this.#sendWaiting()
    if (this.#requestEnded) this.#sendEnd()
  }

  onWireDrain(): void {
    this.idleTicks = 0
    const bytes = this.#unsent
    if (bytes === 0) return
    this.#unsent = 0
    this.#exchange.consumed(bytes)
  }

  onLost(error: Error): void {
    if (this.#over) return
    const connection = this.#connection
    if (connection?.connected !== true) {
      this.#context.log.warn({ err: error }, 'the target cannot be reached')
      this.#end(unreachable(error))
    } else if (this.#isKeepAliveRace(connection)) {
      this.#ready = false
      this.#connect(true)
    } else {
      this.#context.log.warn({ err: error }, 'the target failed')
      this.#fail('CRANKER_ERR_TARGET_FAILED', 'the target closed the connection', { cause: error })
    }
  }

  onBadResponse(complaint: string): void {
    this.#context.log.warn({ complaint }, 'the response of the target is not valid HTTP/1.1')
    this.#fail('CRANKER_ERR_BAD_RESPONSE', `the target sent ${complaint}`)
  }

  onIdleTimeout(): void {
    this.#fail('CRANKER_ERR_IDLE_TIMEOUT', 'no bytes flowed for the idle timeout')
  }

  // From the parser: the response.

  onInfo(head: ResponseHead): void {
    forwardInfo(head, this.#exchange)
  }

  onResponse(head: ResponseHead, end: boolean): void {
    this.#headSent = true
    if (head.status === SWITCHING_PROTOCOLS) return this.#switch(head)
    if (end) this.#settle()
    this.#exchange.head(forwardedHead(head, this.#exchange), end)
  }

  onBody(chunk: Buffer): void {
    if (!this.#exchange.write(chunk)) this.#connection?.pause()
  }

  onComplete(last: Buffer | undefined, trailers: RawHeaders | undefined): void {
    if (this.#upgraded) return this.#targetFinished()
    this.#settle()
    this.#exchange.end(last, filterTrailers(trailers))
  }

  #connect(fresh: boolean): void {
    const connection = this.#context.pool.acquire(fresh)
    this.#connection = connection
    if (connection === undefined) this.#fail('CRANKER_ERR_REFUSED', 'full', { initiator: 'us', delivered: 'no' })
    else connection.assign(this)
  }

  /**
   * A kept connection that the target closed while our request was on its way: it has not read it, or may as well read
   * it twice. At most once, because the next connection is a fresh one.
   */
  #isKeepAliveRace(connection: Connection): boolean {
    return (
      connection.reused &&
      !connection.parser.started &&
      this.#request.framing.kind === 'none' &&
      IDEMPOTENT.has(this.#head.method)
    )
  }

  #switch(head: ResponseHead): void {
    this.#upgraded = true
    // The router knows how long the two may be silent.
    this.#context.idle.delete(this)
    this.#connection?.detach()
    const headers = [...UPGRADE_FIELDS, ...filterResponseHeaders(head.headers, true)]
    this.#exchange.head({ status: head.status, reason: head.reason, headers }, false)
    if (this.#over) return
    this.#sendWaiting()
    if (this.#clientEnded) this.#clientFinished()
  }

  #clientFinished(): void {
    this.#connection?.wire.end()
    if (this.#targetEnded) this.#settle()
  }

  #targetFinished(): void {
    this.#targetEnded = true
    this.#exchange.end()
    if (this.#clientEnded) this.#settle()
  }

  #sendWaiting(): void {
    // What sending sets free may arrive at once: it takes its place at the end.
    if (this.#waiting !== undefined) for (const chunk of this.#waiting) this.#send(chunk)
    this.#waiting = undefined
    this.#ready = true
  }

  #send(chunk: Buffer): void {
    const wire = (this.#connection as Connection).wire
    let room: boolean
    if (this.#request.framing.kind === 'chunked') {
      // An empty chunk would end the body, RFC 9112 §7.1.
      if (chunk.length === 0) return
      wire.corkTurn()
      wire.write(`${chunk.length.toString(16)}\r\n`)
      wire.write(chunk)
      room = wire.write('\r\n')
    } else {
      room = wire.write(chunk)
    }
    if (room) this.#exchange.consumed(chunk.length)
    else this.#unsent += chunk.length
  }

  #sendEnd(): void {
    if (this.#request.framing.kind === 'chunked') this.#connection?.wire.write(lastChunk(this.#trailers))
  }

  #fail(code: ErrorCode, message: string, options: CrankerErrorOptions = {}): void {
    const delivered = this.#headSent ? 'yes' : 'maybe'
    this.#end(new CrankerError(code, message, { initiator: 'peer', delivered, ...options }))
  }

  #end(error: CrankerError): void {
    if (this.#over) return
    this.#settle()
    this.#cut()
    this.#exchange.reset(error)
  }

  /** A target that was asked for an upgrade may go on with a connection that has only ended on our side. */
  #cut(): void {
    if (this.#request.upgrade) this.#connection?.reset()
    else this.#connection?.abort()
  }

  #settle(): void {
    this.#over = true
    this.#context.idle.delete(this)
  }
}
