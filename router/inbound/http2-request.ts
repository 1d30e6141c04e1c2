import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import type { CrankerError } from '../../protocol/errors.js'
import type { RawHeaders, ResponseHead } from '../../protocol/head.js'
import { MAX_INTERIM_HEADS } from '../../protocol/limits.js'
import type { Listed } from '../../protocol/roster.js'
import { fieldRecord } from '../../protocol/field-record.js'
import { SWITCHING_PROTOCOLS } from '../../protocol/upgrade.js'
import { errorAnswer } from '../responses.js'
import { ClientRequest } from './client-request.js'
import { mayHaveBody } from './framing.js'
import { type Http2Head, interimFields, responseFields } from './http2-head.js'
import type { Http2Session } from './http2-session.js'
import { connectResponse } from './http2-websocket.js'
import { type InboundRequest, nobody } from './inbound.js'
import type { Refusal, RequestFacts } from './validity.js'

const { HTTP2_HEADER_STATUS, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants

/** Nothing is sent in these states yet: `open`, `held`. Then `sending`, `ended` (all handed to node) and `over`. */
type State = 'open' | 'held' | 'sending' | 'ended' | 'over'

/** One HTTP/2 stream: a request and its response. */
export class Http2Request extends ClientRequest implements InboundRequest, Listed {
  place = -1
  readonly upgrade: boolean

  readonly #session: Http2Session
  readonly #stream: ServerHttp2Stream
  #state: State = 'open'
  #heldHead: OutgoingHttpHeaders | undefined
  #held: Buffer | undefined
  #started = false
  #infos = 0
  /** The response ends with its head. */
  #bodyless = false
  /** We say when END_STREAM is sent. */
  #ownEnd = false
  /** Set for an extended CONNECT. */
  readonly #webSocketKey: string | undefined
  /** The response was a 101: raw bytes flow until each side has ended. */
  #duplex = false
  /** The client has ended its side. */
  #bodyEnded = false
  #sizes: number[] | undefined
  #onWritten: (() => void) | undefined
  #requestTrailers: RawHeaders | undefined
  #trailers: RawHeaders | undefined

  /** Without `facts`: a request that is only going to be refused. */
  constructor(session: Http2Session, stream: ServerHttp2Stream, head: Http2Head, facts: RequestFacts | undefined) {
    const { method, path, headers } = head
    super(session, { method, url: path, httpVersion: '2.0', rawHeaders: headers }, facts, !stream.endAfterHeaders)
    this.#session = session
    this.#stream = stream
    this.#webSocketKey = head.webSocketKey
    this.upgrade = head.webSocketKey !== undefined
    stream.on('aborted', () => this.#lost())
    stream.on('close', () => this.#closed())
    stream.on('finish', () => {
      // Node finishes streams without a body as it likes, some before they have a head.
      if (!this.#bodyless && !this.#ownEnd) this.finished()
    })
    stream.on('trailers', (_trailers: unknown, _flags: number, raw?: readonly string[]) => {
      this.#requestTrailers = raw
    })
    stream.on('wantTrailers', () => this.#wantTrailers())
  }

  start(): void {
    if (this.#started || !this.#receiving()) return
    this.#started = true
    const stream = this.#stream
    const waits = this.expectsContinue && !this.upgrade
    if (waits && this.#state === 'open') stream.additionalHeaders({ [HTTP2_HEADER_STATUS]: 100 })
    stream.on('data', (chunk: Buffer) => {
      if (this.#receiving()) this.handler.onBody(chunk)
    })
    stream.on('end', () => {
      if (this.#receiving()) this.handler.onBodyEnd(this.#requestTrailers)
      this.#bodyEnded = true
      if (this.#duplex) this.finished()
    })
  }

  pause(): void {
    if (this.#receiving()) this.#stream.pause()
  }

  resume(): void {
    if (this.#receiving()) this.#stream.resume()
  }

  info(head: ResponseHead): void {
    if (this.#state !== 'open' || this.#infos >= MAX_INTERIM_HEADS) return
    this.#infos++
    this.#stream.additionalHeaders(interimFields(head))
  }

  respond(head: ResponseHead): void {
    if (this.#state !== 'open') return
    const key = this.#webSocketKey
    this.#heldHead = responseFields(key === undefined ? head : connectResponse(head, key))
    this.#duplex = this.upgrade && head.status === SWITCHING_PROTOCOLS
    this.#bodyless = !this.#duplex && (!mayHaveBody(this.method, head.status) || head.status === 205)
    this.#state = 'held'
    process.nextTick(flushHeld, this)
  }

  write(chunk: Buffer): void {
    // Held back, it would keep END_STREAM from the head, which gRPC clients insist on for errors.
    if (chunk.length === 0) return
    if (this.#state === 'held') {
      if (this.#held === undefined) {
        this.#held = chunk
        return
      }
      this.flush()
    }
    if (this.#state === 'sending') this.#send(chunk)
  }

  end(trailers?: RawHeaders): void {
    // Trailers follow a head that was sent without an end.
    if (this.#duplex || trailers !== undefined) this.flush()
    this.#trailers = trailers
    if (this.#state === 'held') this.#sendHead(this.#bodyless || this.#held === undefined)
    else if (this.#state !== 'sending') return
    const held = this.#held
    this.#held = undefined
    this.#state = 'ended'
    if (held !== undefined) this.#stream.end(held)
    else if (this.#bodyless) process.nextTick(finish, this)
    else this.#stream.end()
  }

  abort(error: CrankerError): number | undefined {
    if (this.#state === 'over') return undefined
    if (this.#state === 'open') return this.#answer(error, undefined)
    this.#cut(NGHTTP2_INTERNAL_ERROR)
    return undefined
  }

  /** Answers a request that does not get as far as the proxy, and returns the status. */
  refuse(refusal: Refusal): number {
    return this.#answer(refusal.error, refusal.status)
  }

  /** What was held back until the end of the turn leaves. */
  flush(): void {
    if (this.#state !== 'held') return
    this.#state = 'sending'
    this.#sendHead(this.#bodyless)
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) this.#send(held)
  }

  /** The client takes too long to take an error. */
  giveUp(): void {
    if (this.#state !== 'over') this.#cut(NGHTTP2_CANCEL)
  }

  /** The response is handed over whole. */
  finished(): void {
    if (this.#state !== 'ended' || (this.#duplex && !this.#bodyEnded)) return
    this.#state = 'over'
    // RFC 9113 §8.1: what is left of the request is not wanted, but the response is complete.
    if (this.hasBody && !this.#stream.readableEnded) this.#stream.close(NGHTTP2_NO_ERROR)
    this.handler.onFinished()
  }

  #receiving(): boolean {
    return this.#state !== 'over' && (this.#state !== 'ended' || this.#duplex)
  }

  #sendHead(end: boolean): void {
    const head = this.#heldHead as OutgoingHttpHeaders
    this.#heldHead = undefined
    if (end) this.#bodyless = true
    // A stream that is reset is ended by node first, and END_STREAM would make what is cut look complete.
    this.#ownEnd = this.#state === 'sending' && !end
    this.#stream.respond(head, { endStream: end, waitForTrailers: this.#ownEnd })
  }

  #send(chunk: Buffer): void {
    const sizes = (this.#sizes ??= [])
    sizes.push(chunk.length)
    this.#stream.write(
      chunk,
      (this.#onWritten ??= () => {
        const size = sizes.shift()
        if (size !== undefined && this.#state !== 'over') this.handler.onTaken(size)
      }),
    )
  }

  /** The whole response at once: nothing is left to be told to anybody. */
  #answer(error: CrankerError, status: number | undefined): number {
    this.handler = nobody
    const { head, body } = errorAnswer({
      error,
      status,
      requestId: this.id,
      headers: this.headers,
      viaName: this.#session.viaName,
    })
    this.respond(head)
    if (this.method !== 'HEAD') this.write(body)
    this.#session.answering(this)
    this.end()
    return head.status
  }

  /** All of the body is sent: END_STREAM follows, on an empty frame. */
  #wantTrailers(): void {
    if (this.#state !== 'ended') return
    this.#stream.sendTrailers(this.#trailers === undefined ? {} : fieldRecord(this.#trailers))
    // Behind what that has put off to the same moment.
    setImmediate(finish, this)
  }

  #cut(code: number): void {
    this.#state = 'over'
    this.#held = undefined
    this.handler = nobody
    this.#stream.close(code)
  }

  /** The client has reset the stream, or the connection is gone. */
  #lost(): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#held = undefined
    this.handler.onGone(this.#session.gone())
  }

  #closed(): void {
    this.#session.streamClosed(this)
    this.#lost()
  }
}

function flushHeld(request: Http2Request): void {
  request.flush()
}

function finish(request: Http2Request): void {
  request.finished()
}
