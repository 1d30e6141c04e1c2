import { CrankerError, type ErrorCode } from '../errors.js'
import type { RequestHead, ResponseHead } from '../head.js'
import { decodeResponseHead } from '../head-text.js'
import { MAX_INTERIM_HEADS } from '../limits.js'
import { refusedByPeer } from '../refusal.js'
import type { RequestExchange, ResponseHandler, RouterSession } from '../session.js'
import { targetFor } from '../target-text.js'
import { SWITCHING_PROTOCOLS, upgradesToWebSocket } from '../upgrade.js'
import { BODY_ENDS, encodeRequestText, isBodyEnd } from './request-text.js'
import { V1Session } from './session.js'

/**
 * The router's end of a 1.0 socket. The response ends with the connector's Close *frame*: waiting for the connection's
 * end would cost a round trip, and the whole close timeout when the peer never closes TCP.
 */
export class V1RouterSession extends V1Session implements RouterSession, RequestExchange {
  protected override receiver: ResponseHandler | undefined
  #bodyOpen = false
  #headSeen = false
  #interimHeads = 0
  /** The request asks for an upgrade; after a 101 the two directions end one by one. */
  #upgrade = false
  #upgraded = false
  #serviceEnded = false

  open(head: RequestHead, end: boolean, handler: ResponseHandler): RequestExchange {
    if (!this.accepting) {
      throw new CrankerError('CRANKER_ERR_CLOSED', 'this 1.0 socket takes no request', { delivered: 'no' })
    }
    const target = targetFor(this.capabilities, head.target)
    const text = encodeRequestText(target === head.target ? head : { ...head, target }, !end)
    if (this.isTooLarge(text)) {
      throw new CrankerError('CRANKER_ERR_HEAD_TOO_LARGE', `the request head exceeds ${this.maxHeadBytes} bytes`, {
        initiator: 'caller',
        delivered: 'no',
      })
    }
    this.receiver = handler
    this.#bodyOpen = !end
    this.#upgrade = this.capabilities.upgrade && upgradesToWebSocket(head.headers)
    this.link.sendText(text)
    // rust-cranker-connector, crank4py and go-cranker-connector do not read their socket while they wait for the
    // target: no pong comes before the response head.
    this.heartbeat.silenceIs('waiting', true)
    this.take()
    return this
  }

  override write(chunk: Buffer): boolean {
    if (!this.running || !this.#bodyOpen) return true
    return this.sendBody(chunk)
  }

  /** Trailers are dropped: 1.0 has no place for them. */
  override end(chunk?: Buffer): void {
    if (!this.running || !this.#bodyOpen) return
    if (chunk !== undefined) this.sendBody(chunk)
    this.#bodyOpen = false
    this.link.sendText(BODY_ENDS)
  }

  override reset(error: CrankerError): void {
    if (!this.running) return
    this.closeLink(1001, error.code === 'CRANKER_ERR_CLIENT_GONE' ? 'Client gone' : 'Request ended')
    this.cutSoon()
  }

  protected override idleClose(): { readonly code: number; readonly reason: string } {
    return { code: 1001, reason: 'Going away' }
  }

  protected override text(text: string): void {
    // On an idle socket it would become the answer to a request that has not been made yet.
    if (!this.running) return this.violation('the connector sent a text message before it had a request')
    if (this.#upgraded && !this.#serviceEnded && isBodyEnd(text)) {
      this.#serviceEnded = true
      this.receiver?.onEnd(undefined)
      return
    }
    if (this.#headSeen) return this.violation('the connector sent a second response head')
    let head: ResponseHead
    try {
      if (this.isTooLarge(text)) throw badResponse(`the response head exceeds ${this.maxHeadBytes} bytes`)
      head = decodeResponseHead(text)
      if (head.status === SWITCHING_PROTOCOLS && this.#upgrade) this.#upgraded = true
      else if (head.status < 200) this.#checkInterim(head)
    } catch (error) {
      return this.violated(error as CrankerError)
    }
    if (head.status < 200 && !this.#upgraded) {
      this.receiver?.onInfo(head)
      return
    }
    this.#headSeen = true
    this.heartbeat.silenceIs('waiting', false)
    this.receiver?.onHead(head, false)
  }

  protected override allowsBody(): boolean {
    if (this.#headSeen && !this.#serviceEnded) return true
    this.violation(`the connector sent a binary message ${this.#headSeen ? 'after its end' : 'before a response head'}`)
    return false
  }

  protected override exchangeClosed(code: number, reason: string): void {
    const handler = this.receiver
    if (handler === undefined) return
    switch (code) {
      // npm-cranker-connector ends every response with a bare close(): 1005 is success.
      case 1000:
      case 1005:
        if (this.#upgraded) this.#upgradeClosed(handler)
        else if (this.#headSeen) handler.onEnd(undefined)
        else handler.onError(this.#peerError('CRANKER_ERR_PEER_RESET', 'the connector closed without a response'))
        return
      case 1008:
        handler.onError(this.#peerError('CRANKER_ERR_PEER_REJECTED', `the connector rejected the request: ${reason}`))
        return
      case 1011:
        handler.onError(this.#peerError('CRANKER_ERR_PEER_RESET', `the connector failed: ${reason}`))
        return
      case 1013:
        if (!this.capabilities.refuse || this.#headSeen) break
        handler.onError(refusedByPeer(reason))
        return
    }
    handler.onError(this.#peerError('CRANKER_ERR_SOCKET_LOST', `the tunnel socket was lost (${code})`))
  }

  /** The service has finished, if it had not yet; what the client still sends goes nowhere. */
  #upgradeClosed(handler: ResponseHandler): void {
    if (!this.#serviceEnded) handler.onEnd(undefined)
    if (this.#bodyOpen) handler.onError(this.#peerError('CRANKER_ERR_PEER_RESET', 'the service closed its connection'))
  }

  #checkInterim(head: ResponseHead): void {
    if (head.status === SWITCHING_PROTOCOLS) throw badResponse('101 without an upgrade')
    if (!this.capabilities.informational) throw badResponse('an interim response as the response head')
    if (++this.#interimHeads > MAX_INTERIM_HEADS) throw badResponse(`more than ${MAX_INTERIM_HEADS} interim responses`)
  }

  #peerError(code: ErrorCode, message: string): CrankerError {
    return new CrankerError(code, message, { initiator: 'peer', delivered: this.#headSeen ? 'yes' : 'maybe' })
  }
}

function badResponse(problem: string): CrankerError {
  return new CrankerError('CRANKER_ERR_BAD_RESPONSE', `the connector sent ${problem}`, {
    initiator: 'peer',
    delivered: 'yes',
  })
}
