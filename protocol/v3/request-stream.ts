import { CrankerError, type Delivered } from '../errors.js'
import type { RawHeaders } from '../head.js'
import { decodeResponseHead, decodeTrailers } from '../head-text.js'
import { MAX_INTERIM_HEADS } from '../limits.js'
import { refusedByPeer } from '../refusal.js'
import type { ResponseHandler } from '../session.js'
import { RST_BY_ROUTER, RST_REFUSED } from './frame.js'
import { SWITCHING_PROTOCOLS } from '../upgrade.js'
import { Stream, type StreamHost } from './stream.js'
import * as half from './stream-state.js'

export interface RequestStart {
  /** The head is the whole request. */
  readonly end: boolean
  /** The head asks for an upgrade. */
  readonly upgrade: boolean
}

/** The router's end of an exchange: sends a request, receives a response. */
export class RequestStream extends Stream {
  protected readonly sender = 'caller'
  readonly #handler: ResponseHandler
  /** The request asks for an upgrade; after a 101 the two directions end one by one. */
  readonly #upgrade: boolean
  #upgraded = false
  #interim = 0

  /** @param frames the request head. `end`: it is all. */
  constructor(
    id: number,
    host: StreamHost,
    frames: readonly Buffer[],
    request: RequestStart,
    handler: ResponseHandler,
  ) {
    super(id, host)
    const { end, upgrade } = request
    this.#handler = handler
    this.#upgrade = upgrade && host.capabilities.upgrade
    this.local = end ? 'ended' : 'body'
    this.out.pushHead(frames, end)
    host.scheduler.schedule(this.out)
  }

  /** The connector has not taken this request (goaway). */
  refuse(reason: string): void {
    if (!this.over) this.fail(refusedByPeer(reason))
  }

  receiveReset(code: number | undefined, text: string): void {
    if (this.over) return
    if (code === RST_REFUSED && this.host.capabilities.refuse && this.remote === 'head')
      return this.fail(refusedByPeer(text))
    this.fail(
      new CrankerError('CRANKER_ERR_PEER_RESET', `The connector ended the exchange (${described(code, text)})`, {
        initiator: 'peer',
        delivered: this.delivered,
      }),
    )
  }

  lost(error: CrankerError): void {
    if (this.over) return
    const delivered: Delivered = this.out.headSent ? this.delivered : 'no'
    this.fail(
      new CrankerError(error.code, error.message, { initiator: error.initiator, delivered, cause: error.cause }),
    )
  }

  onSent(): void {
    // Otherwise the exchange ends with the response.
    if (this.#upgraded && this.remote === 'ended') this.release()
  }

  protected get delivered(): 'maybe' | 'yes' {
    return this.remote === 'head' ? 'maybe' : 'yes'
  }

  protected receiveHead(text: string, end: boolean): void {
    const head = decodeResponseHead(text)
    if (head.status < 200 && head.status !== SWITCHING_PROTOCOLS) {
      // From peers without the capability too: what follows is the final head, and nothing else would help the client.
      if (half.interim(this.remote, end) === undefined)
        return this.violation('an interim response that ends the stream')
      if (++this.#interim > MAX_INTERIM_HEADS) return this.violation('too many interim responses')
      if (this.host.capabilities.informational) this.#handler.onInfo(head)
      return
    }
    this.#upgraded = head.status === SWITCHING_PROTOCOLS
    if (this.#upgraded && !this.#upgrade) {
      return this.abort(
        new CrankerError('CRANKER_ERR_BAD_RESPONSE', 'The service answered 101 to a request without an upgrade', {
          initiator: 'peer',
          delivered: 'yes',
        }),
      )
    }
    this.remote = half.head(this.remote, end) ?? this.remote
    this.#handler.onHead(head, end)
    if (end && !this.over) this.remoteEnded(undefined)
  }

  protected decodeTrailers(text: string): RawHeaders {
    return decodeTrailers(text)
  }

  protected deliver(chunk: Buffer): void {
    this.#handler.onData(chunk)
  }

  protected room(): void {
    this.#handler.onDrain()
  }

  /** The response is complete, and with it the exchange, whatever is left of the request; not so after a 101. */
  protected remoteEnded(trailers: RawHeaders | undefined): void {
    if (this.#upgraded) {
      if (this.out.finished) this.release()
    } else if (!this.out.finished) {
      this.tellReset(new CrankerError('CRANKER_ERR_CLOSED', 'The response is complete'))
      this.discard()
    } else {
      this.release()
    }
    this.#handler.onEnd(trailers)
  }

  protected localEnded(): void {
    // The exchange ends with the response.
  }

  protected failed(error: CrankerError): void {
    this.#handler.onError(error)
  }

  protected override tellReset(error: CrankerError): void {
    // Still in our own queue: the peer need never hear of it.
    if (this.out.headSent) super.tellReset(error)
  }

  protected resetCode(): number {
    return RST_BY_ROUTER
  }
}

/** For error messages: what an RST_STREAM said. */
export function described(code: number | undefined, text: string): string {
  return [code === undefined ? 'no code' : `code ${code}`, ...(text === '' ? [] : [text])].join(', ')
}
