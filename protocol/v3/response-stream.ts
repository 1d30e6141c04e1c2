import { CrankerError } from '../errors.js'
import type { RawHeaders, RequestHead, ResponseHead } from '../head.js'
import { decodeRequestHead, decodeTrailers, encodeResponseHead } from '../head-text.js'
import type { BodyHandler, ResponseExchange } from '../session.js'
import { SWITCHING_PROTOCOLS, upgradesToWebSocket } from '../upgrade.js'
import { RST_BY_CONNECTOR, RST_REFUSED } from './frame.js'
import { encodeHeadBlock } from './head-block.js'
import { described } from './request-stream.js'
import { Stream, type StreamHost } from './stream.js'
import * as half from './stream-state.js'

/** Announces a request whose head is complete. */
export type OnRequest = (head: RequestHead, end: boolean, exchange: ResponseExchange) => BodyHandler | undefined

/** The connector's end of an exchange: receives a request, sends a response. */
export class ResponseStream extends Stream implements ResponseExchange {
  protected readonly sender = 'peer'
  readonly #onRequest: OnRequest
  #handler: BodyHandler | undefined
  #upgrade = false
  /** After a 101 the two directions end one by one. */
  #upgraded = false

  constructor(id: number, host: StreamHost, onRequest: OnRequest) {
    super(id, host)
    this.#onRequest = onRequest
  }

  get upgrade(): boolean {
    return this.#upgrade
  }

  get carriesTrailers(): boolean {
    return this.host.capabilities.trailers
  }

  head(head: ResponseHead, end: boolean): void {
    if (this.over || this.local !== 'head') return
    this.#upgraded = head.status === SWITCHING_PROTOCOLS
    // As cranker-connector (Java) does: even 204 and HEAD end with an empty DATA. Every published router takes that. One
    // that carries trailers takes an end with the head, and must: to gRPC clients "Trailers-Only" is that very frame.
    const endsHere = end && this.host.capabilities.trailers
    this.local = half.head(this.local, endsHere) ?? this.local
    this.out.pushHead(encodeHeadBlock(this.id, encodeResponseHead(head), endsHere), endsHere)
    this.host.scheduler.schedule(this.out)
    if (endsHere) this.localEnded()
    else if (end) this.end()
  }

  info(head: ResponseHead): void {
    if (this.over || this.local !== 'head' || !this.host.capabilities.informational) return
    this.out.pushHead(encodeHeadBlock(this.id, encodeResponseHead(head), false), false)
    this.host.scheduler.schedule(this.out)
  }

  receiveReset(code: number | undefined, text: string): void {
    if (this.over) {
      // The response was complete here but not yet sent: now nobody wants the rest.
      if (!this.out.finished) this.discard()
      return
    }
    this.fail(
      new CrankerError('CRANKER_ERR_PEER_RESET', `The router ended the exchange (${described(code, text)})`, {
        initiator: 'peer',
      }),
    )
  }

  lost(error: CrankerError): void {
    if (this.over) this.discard()
    else this.fail(error)
  }

  onSent(): void {
    if (this.over) this.release()
  }

  protected get delivered(): 'maybe' {
    return 'maybe'
  }

  protected receiveHead(text: string, end: boolean): void {
    const head = decodeRequestHead(text)
    this.remote = half.head(this.remote, end) ?? this.remote
    this.#upgrade = !end && this.host.capabilities.upgrade && upgradesToWebSocket(head.headers)
    const handler = this.#onRequest(head, end, this)
    if (this.over) return
    if (handler === undefined) {
      return this.abort(
        new CrankerError('CRANKER_ERR_INTERNAL', 'A request was neither taken nor ended; this is a bug'),
      )
    }
    this.#handler = handler
    if (end) handler.onEnd(undefined)
  }

  protected decodeTrailers(text: string): RawHeaders {
    return decodeTrailers(text)
  }

  protected deliver(chunk: Buffer): void {
    this.#handler?.onData(chunk)
  }

  protected room(): void {
    this.#handler?.onDrain()
  }

  protected remoteEnded(trailers: RawHeaders | undefined): void {
    this.#handler?.onEnd(trailers)
    if (this.#upgraded && this.local === 'ended' && !this.over) this.#bothEnded()
  }

  /** The response is complete: nobody waits for the rest of the request. What is queued is still sent. */
  protected localEnded(): void {
    if (!this.#upgraded || this.remote === 'ended') this.#bothEnded()
  }

  protected failed(error: CrankerError): void {
    const handler = this.#handler
    this.#handler = undefined
    handler?.onError(error)
  }

  protected resetCode(error: CrankerError): number {
    return error.code === 'CRANKER_ERR_REFUSED' && this.host.capabilities.refuse ? RST_REFUSED : RST_BY_CONNECTOR
  }

  #bothEnded(): void {
    this.over = true
    this.#handler = undefined
    if (this.out.finished) this.release()
  }
}
