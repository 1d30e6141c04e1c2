import type { Timer } from '../clock.js'
import { CrankerError } from '../errors.js'
import type { ResponseHead } from '../head.js'
import { encodeResponseHead } from '../head-text.js'
import { V1_LINGER_MS, V1_RECEIVE_WINDOW_BYTES } from '../limits.js'
import type { SessionConfig } from '../session-config.js'
import type { BodyHandler, ConnectorSession, ConnectorSessionEvents, ResponseExchange } from '../session.js'
import { SWITCHING_PROTOCOLS, upgradesToWebSocket } from '../upgrade.js'
import { BODY_ENDS, decodeRequestText, isBodyEnd, type RequestText } from './request-text.js'
import { V1Session } from './session.js'

/**
 * The connector's end of a 1.0 socket: it answers one request and closes.
 *
 * An idle socket that drains is closed with 1013 towards routers that understand `refuse`: a request that crosses the
 * Close frame on its way was not given to the service, and the router may send it elsewhere. Others get 1001.
 */
export class V1ConnectorSession extends V1Session implements ConnectorSession, ResponseExchange {
  protected override receiver: BodyHandler | undefined
  readonly #requests: ConnectorSessionEvents
  #bodyOpen = false
  #headSent = false
  #upgrade = false
  /** After a 101 the two directions end one by one. */
  #upgraded = false
  #ended = false
  /** Ended the exchange before its receiver was known. */
  #early: CrankerError | undefined
  #lingering: Timer | undefined

  constructor(config: SessionConfig, events: ConnectorSessionEvents) {
    super(config, events)
    this.#requests = events
  }

  get upgrade(): boolean {
    return this.#upgrade
  }

  get carriesTrailers(): boolean {
    return this.capabilities.trailers
  }

  barrier(done: () => void): void {
    this.heartbeat.barrier(done)
  }

  info(head: ResponseHead): void {
    if (!this.running || this.#headSent || !this.capabilities.informational) return
    const text = this.#encode(head)
    if (text !== undefined) this.link.sendText(text)
  }

  head(head: ResponseHead, end: boolean): void {
    if (!this.running || this.#headSent) return
    const text = this.#encode(head)
    if (text === undefined) return
    this.#headSent = true
    this.#upgraded = head.status === SWITCHING_PROTOCOLS
    this.link.sendText(text)
    if (end) this.#complete()
  }

  override write(chunk: Buffer): boolean {
    if (!this.running || !this.#headSent || this.#ended) return true
    return this.sendBody(chunk)
  }

  /** Trailers are dropped: 1.0 has no place for them. */
  override end(chunk?: Buffer): void {
    if (!this.running || this.#ended) return
    if (!this.#headSent) {
      this.reset(new CrankerError('CRANKER_ERR_INTERNAL', 'a response ended before its head'))
      return
    }
    if (chunk !== undefined) this.sendBody(chunk)
    if (this.#upgraded) {
      this.#ended = true
      this.link.sendText(BODY_ENDS)
      if (this.#bodyOpen) return
    }
    this.#complete()
  }

  override reset(error: CrankerError): void {
    if (this.running) this.closeLink(this.#closeCode(error), closeReason(error))
  }

  protected override idleClose(): { readonly code: number; readonly reason: string } {
    return this.capabilities.refuse ? { code: 1013, reason: 'draining' } : { code: 1001, reason: 'Going away' }
  }

  protected override text(text: string): void {
    if (this.idle) return this.#request(text)
    if (!isBodyEnd(text)) return this.violation('the router sent a second request on a 1.0 socket')
    if (!this.#bodyOpen) return this.violation('the router ended a body that was not open')
    this.#bodyOpen = false
    this.receiver?.onEnd(undefined)
    if (this.#ended && this.running) this.#complete()
  }

  protected override allowsBody(): boolean {
    if (this.#bodyOpen) return true
    this.violation('the router sent a binary message without an open request body')
    return false
  }

  protected override exchangeClosed(code: number, reason: string): void {
    this.receiver?.onError(
      code === 1006
        ? new CrankerError('CRANKER_ERR_SOCKET_LOST', 'the tunnel socket was lost', { initiator: 'peer' })
        : new CrankerError('CRANKER_ERR_PEER_RESET', `the router ended the request (${code} ${reason})`, {
            initiator: 'peer',
          }),
    )
  }

  #request(text: string): void {
    if (this.isTooLarge(text)) return this.closeLink(1009, `request head above ${this.maxHeadBytes} bytes`)
    let request: RequestText
    try {
      request = decodeRequestText(text)
    } catch (error) {
      return this.violated(error as CrankerError)
    }
    const { head, hasBody } = request
    this.#bodyOpen = hasBody
    this.#upgrade = hasBody && this.capabilities.upgrade && upgradesToWebSocket(head.headers)
    this.take()
    this.receiver = this.#requests.onRequest(head, !hasBody, this)
    if (this.#early !== undefined) this.receiver?.onError(this.#early)
    else if (!hasBody && this.running) this.receiver?.onEnd(undefined)
  }

  /** The wire text, or undefined: then the exchange is over, and its receiver has been or will be told. */
  #encode(head: ResponseHead): string | undefined {
    let error: CrankerError
    try {
      const text = encodeResponseHead(head)
      if (!this.isTooLarge(text)) return text
      error = new CrankerError('CRANKER_ERR_BAD_RESPONSE', `the response head exceeds ${this.maxHeadBytes} bytes`, {
        initiator: 'peer',
        delivered: 'yes',
      })
    } catch (invalid) {
      error = invalid as CrankerError
    }
    this.reset(error)
    if (this.receiver === undefined) this.#early = error
    else this.receiver.onError(error)
    return undefined
  }

  /**
   * The Close frame ends the response, and starts a timer that would cut off what a slow client's router has not read
   * yet. What surely fits the buffers on the way is closed at once, the rest when a pong says that it has been read.
   */
  #complete(): void {
    if (this.bytesOut <= V1_RECEIVE_WINDOW_BYTES) {
      this.closeLink(1000, '')
      return
    }
    const close = (): void => {
      this.#lingering?.clear()
      this.closeLink(1000, '')
    }
    this.#lingering = this.config.clock.timer(close, V1_LINGER_MS)
    this.linger()
    this.barrier(close)
  }

  #closeCode(error: CrankerError): number {
    if (error.code === 'CRANKER_ERR_PEER_REJECTED') return 1008
    if (error.code === 'CRANKER_ERR_REFUSED' && this.capabilities.refuse && !this.#headSent) return 1013
    return 1011
  }
}

/** Only a refusal says why (`full`, `draining`); other messages may name what is inside. */
function closeReason(error: CrankerError): string {
  return error.code === 'CRANKER_ERR_REFUSED' ? error.message.slice(0, 100) : error.code
}
