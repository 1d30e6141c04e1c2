import { type ClientHttp2Stream, constants } from 'node:http2'
import { CrankerError, type CrankerErrorOptions, type ErrorCode } from '../../protocol/errors.js'
import { fieldRecord } from '../../protocol/field-record.js'
import type { RawHeaders, ResponseHead } from '../../protocol/head.js'
import type { Logger } from '../../protocol/logger.js'
import type { BodyHandler, ResponseExchange } from '../../protocol/session.js'
import { filterTrailers } from '../../protocol/trailers.js'
import type { Http2Connection } from './http2-connection.js'
import type { Http2Pool, Http2Waiter } from './http2-pool.js'
import type { Http2RequestHead } from './http2-request.js'
import { fits, http2ResponseHead } from './http2-response-head.js'
import type { IdleWatch, Watched } from './idle-watch.js'
import { forwardedHead, forwardInfo, unreachable } from './outcome.js'
import { IDEMPOTENT } from './replay.js'

const {
  NGHTTP2_CANCEL,
  NGHTTP2_FLAG_END_STREAM,
  NGHTTP2_HTTP_1_1_REQUIRED,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_REFUSED_STREAM,
} = constants

/** What the requests to one target share. */
export interface Http2ReplayContext {
  readonly pool: Http2Pool
  readonly idle: IdleWatch
  readonly log: Logger
  /** Largest head or trailer section of a response, bytes. */
  readonly maxHeadBytes: number
}

/** One request on its way to a target that speaks HTTP/2, and its response on its way back. */
export class Http2Replay implements BodyHandler, Http2Waiter, Watched {
  place = -1
  idleTicks = 0
  readonly #context: Http2ReplayContext
  readonly #request: Http2RequestHead
  readonly #bodyless: boolean
  readonly #exchange: ResponseExchange
  #connection: Http2Connection | undefined
  #stream: ClientHttp2Stream | undefined
  /** Request bytes that came before the connection was there. The tunnel's window bounds them: they are not consumed. */
  #waiting: Buffer[] = []
  /** Of a body with a content-length. */
  #remaining: number
  #bodySent = false
  #requestEnded: boolean
  #trailers: RawHeaders | undefined
  /** Sizes of the writes that node has not finished. */
  readonly #sizes: number[] = []
  readonly #onWritten: (error?: Error | null) => void
  #headSent = false
  #responseTrailers: RawHeaders | undefined
  #retried = false
  #over = false

  /** @param end the request has no body. */
  constructor(context: Http2ReplayContext, request: Http2RequestHead, end: boolean, exchange: ResponseExchange) {
    this.#context = context
    this.#request = request
    this.#bodyless = end
    this.#exchange = exchange
    this.#remaining = request.length ?? Infinity
    this.#requestEnded = end
    this.#onWritten = (error) => {
      const size = this.#sizes.shift()
      this.idleTicks = 0
      if (size !== undefined && (error === undefined || error === null) && !this.#over) this.#exchange.consumed(size)
    }
  }

  /** False if it was refused at once. */
  start(): boolean {
    this.#context.idle.add(this)
    this.#connect()
    return !this.#over
  }

  // From the tunnel: the request body.

  onData(chunk: Buffer): void {
    if (this.#over) return
    this.idleTicks = 0
    this.#remaining -= chunk.length
    if (this.#remaining < 0) {
      this.#fail('CRANKER_ERR_PEER_REJECTED', 'the request body is longer than its content-length')
    } else if (this.#stream === undefined) {
      this.#waiting.push(chunk)
    } else {
      this.#send(this.#stream, chunk)
    }
  }

  onDrain(): void {
    this.idleTicks = 0
    this.#stream?.resume()
  }

  onEnd(trailers: RawHeaders | undefined): void {
    if (this.#over || this.#bodyless) return
    this.idleTicks = 0
    if (this.#request.length !== undefined && this.#remaining > 0) {
      this.#fail('CRANKER_ERR_PEER_REJECTED', 'the request body is shorter than its content-length')
      return
    }
    this.#requestEnded = true
    this.#trailers = filterTrailers(trailers)
    this.#stream?.end()
  }

  onError(): void {
    if (this.#over) return
    this.#settle()
    this.#cut()
  }

  // From the pool.

  onConnection(connection: Http2Connection): void {
    let stream: ClientHttp2Stream
    try {
      stream = connection.request(this.#request.headers, this.#bodyless)
    } catch (cause) {
      // It was closed this moment: nothing has been sent.
      this.#context.log.debug({ err: cause }, 'a connection to the target took no request')
      if (!this.#again()) this.#fail('CRANKER_ERR_REFUSED', 'full', { delivered: 'no', cause })
      return
    }
    this.#connection = connection
    this.#stream = stream
    this.#listen(stream, connection)
    for (const chunk of this.#waiting) this.#send(stream, chunk)
    this.#waiting = []
    if (this.#requestEnded && !this.#bodyless) stream.end()
  }

  onUnreachable(error: Error): void {
    this.#context.log.warn({ err: error }, 'the target cannot be reached')
    this.#end(unreachable(error))
  }

  onIdleTimeout(): void {
    this.#fail('CRANKER_ERR_IDLE_TIMEOUT', 'no bytes flowed for the idle timeout')
  }

  // The stream.

  #listen(stream: ClientHttp2Stream, connection: Http2Connection): void {
    let failure: Error | undefined
    let complete = false
    // Node ends the stream of a reset too; one with NO_ERROR in the middle (`stream.destroy()` of a service in Node)
    // looks like the end of the response in every other way. What ended it is known only when it ends.
    const push = stream.push.bind(stream)
    stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
      if (chunk === null && !stream.closed) complete = true
      return push(chunk, encoding)
    }
    const heard = (): void => {
      this.idleTicks = 0
      connection.heard()
    }
    stream.on('headers', (_headers: unknown, _flags: number, raw?: RawHeaders) => {
      heard()
      if (this.#fits(raw) && !this.#over) forwardInfo(http2ResponseHead(raw ?? []), this.#exchange)
    })
    stream.on('response', (_headers: unknown, flags: number, raw?: RawHeaders) => {
      heard()
      if (this.#fits(raw)) this.#onResponse(http2ResponseHead(raw ?? []), (flags & NGHTTP2_FLAG_END_STREAM) !== 0)
    })
    stream.on('data', (chunk: Buffer) => {
      heard()
      if (!this.#over && !this.#exchange.write(chunk)) stream.pause()
    })
    stream.on('trailers', (_headers: unknown, _flags: number, raw?: RawHeaders) => {
      if (this.#fits(raw)) this.#responseTrailers = raw
    })
    stream.on('end', () => {
      if (complete && failure === undefined) this.#onComplete()
    })
    stream.on('wantTrailers', () => {
      // A body that is given up must not look complete.
      if (!this.#over || this.#requestEnded) {
        stream.sendTrailers(this.#trailers === undefined ? {} : fieldRecord(this.#trailers))
      }
    })
    stream.on('error', (error: Error) => {
      failure = error
    })
    stream.on('close', () => {
      connection.release()
      if (stream === this.#stream) this.#onClose(stream.rstCode, failure)
    })
  }

  /** False: that was too much, and the exchange has ended for it. */
  #fits(raw: RawHeaders = []): boolean {
    if (fits(raw, this.#context.maxHeadBytes)) return true
    this.#fail('CRANKER_ERR_BAD_RESPONSE', 'a head or trailer section of the target is too large')
    return false
  }

  #onResponse(head: ResponseHead, end: boolean): void {
    if (this.#over) return
    this.#headSent = true
    if (end) this.#settle()
    this.#exchange.head(forwardedHead(head, this.#exchange), end)
    if (end) this.#dropRequest()
  }

  #onComplete(): void {
    if (this.#over || !this.#headSent) return
    this.#settle()
    this.#exchange.end(undefined, filterTrailers(this.#responseTrailers))
    this.#dropRequest()
  }

  /** The response is complete: what is left of the request is not wanted (RFC 9113 §8.1). */
  #dropRequest(): void {
    if (!this.#requestEnded) this.#stream?.close(NGHTTP2_CANCEL)
  }

  #onClose(code: number, error: Error | undefined): void {
    if (this.#over) return
    this.#stream = undefined
    const cause = error ?? new Error(`stream closed with code ${code}`)
    if (code === NGHTTP2_REFUSED_STREAM && !this.#headSent) {
      // RFC 9113 §8.7: it has not been processed, whatever its method.
      if (this.#again()) return
      this.#fail('CRANKER_ERR_REFUSED', 'full', { delivered: 'no', cause })
    } else if (this.#isLostIdempotent() && this.#again()) {
      this.#context.log.debug({ err: cause }, 'a connection to the target was lost; the request is repeated')
    } else if (code === NGHTTP2_PROTOCOL_ERROR) {
      this.#context.log.warn({ err: cause }, 'the response of the target is not valid HTTP/2')
      this.#fail('CRANKER_ERR_BAD_RESPONSE', 'the target broke HTTP/2', { cause })
    } else {
      const hint = code === NGHTTP2_HTTP_1_1_REQUIRED ? ' (it asks for HTTP/1.1: set targetProtocol to http1)' : ''
      this.#context.log.warn({ err: cause }, `the target failed${hint}`)
      this.#fail('CRANKER_ERR_TARGET_FAILED', 'the target broke off', { cause })
    }
  }

  /** The whole connection went before a response came, and nothing is lost if the service sees the request twice. */
  #isLostIdempotent(): boolean {
    const method = this.#request.headers[':method'] as string
    return this.#connection?.lost === true && !this.#headSent && this.#bodyless && IDEMPOTENT.has(method)
  }

  /** Another attempt, the only one, if none of the body is gone. */
  #again(): boolean {
    if (this.#retried || this.#bodySent) return false
    this.#retried = true
    this.#connect()
    return true
  }

  #connect(): void {
    if (!this.#context.pool.acquire(this))
      this.#fail('CRANKER_ERR_REFUSED', 'full', { initiator: 'us', delivered: 'no' })
  }

  #send(stream: ClientHttp2Stream, chunk: Buffer): void {
    this.#bodySent = true
    this.#sizes.push(chunk.length)
    stream.write(chunk, this.#onWritten)
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

  #cut(): void {
    if (this.#stream === undefined) this.#context.pool.cancel(this)
    else this.#stream.close(NGHTTP2_CANCEL)
  }

  #settle(): void {
    this.#over = true
    this.#waiting = []
    this.#context.idle.delete(this)
  }
}
