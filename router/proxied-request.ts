import type { CrankerError, ErrorCode } from '../protocol/errors.js'
import type { RawHeaders, ResponseHead } from '../protocol/head.js'
import type { Listed } from '../protocol/roster.js'
import type { RequestExchange, ResponseHandler } from '../protocol/session.js'
import { filterTrailers } from '../protocol/trailers.js'
import { SWITCHING_PROTOCOLS } from '../protocol/upgrade.js'
import { writeAccess } from './access.js'
import type { InboundHandler, InboundRequest } from './inbound/inbound.js'
import { needOf, requestHead } from './request-head.js'
import { badResponse, prepareResponse, prepareUpgrade } from './response-head.js'
import { asCrankerError, badBody, clientTimeout, idleTimeout, type ProxyContext } from './proxy-context.js'
import type { Need, RegisteredSession, SessionWaiter } from './routing/source.js'
import { UpgradedExchange } from './upgraded-exchange.js'

/** Failures of one connector that say nothing about another. */
const AGAIN_ELSEWHERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CRANKER_ERR_REFUSED',
  'CRANKER_ERR_TARGET_UNREACHABLE',
  'CRANKER_ERR_CLOSED',
])

/** Sockets that a request is offered to, when one after the other refuses it. */
const MAX_ATTEMPTS = 3

/**
 * - `waiting`: for a socket
 * - `sent`: the request is on its way, no response yet
 * - `responding`: the client has been given the head
 * - `upgraded`: the head was a 101: raw bytes flow, see upgraded-exchange.ts
 * - `finishing`: the exchange has ended well; the client is still taking what is left
 * - `over`
 */
type State = 'waiting' | 'sent' | 'responding' | 'upgraded' | 'finishing' | 'over'

/**
 * One client request and its exchange, joined: bodies and backpressure flow, the first failure on either side ends
 * both. One object receives all calls of a request, so that none needs a closure.
 */
export class ProxiedRequest implements InboundHandler, ResponseHandler, SessionWaiter, Listed {
  place = -1
  readonly #context: ProxyContext
  readonly #inbound: InboundRequest
  readonly #started: number
  readonly #need: Need | undefined
  #state: State = 'waiting'
  #registered: RegisteredSession | undefined
  #exchange: RequestExchange | undefined
  #upgraded: UpgradedExchange | undefined
  #cancelWait: (() => void) | undefined
  #attempts = 0
  /** The request body flows, as far as we are concerned. */
  #flowing = false
  #bodyEnded = false
  /** Of a request that was complete before it had a socket. */
  #trailers: RawHeaders | undefined
  #status: number | undefined
  /** Announced body bytes of the response; -1: unknown. */
  #length = -1
  #bodyless = false
  #bytesIn = 0
  #bytesOut = 0
  /** Given to the client's socket and not yet taken by it. */
  #untaken = 0
  /** The step in which something last moved towards the service, and towards the client. */
  #up: number
  #down: number

  constructor(context: ProxyContext, inbound: InboundRequest) {
    this.#context = context
    this.#inbound = inbound
    this.#need = needOf(inbound)
    this.#up = this.#down = context.step
    // Only the access log wants to know.
    this.#started = context.accessLog === undefined ? 0 : context.clock.now()
    inbound.handler = this
  }

  begin(): void {
    const { host, path } = this.#inbound
    const registered = this.#context.source.take(host, path, this.#registered, this.#need)
    if (registered === undefined) this.#cancelWait = this.#context.source.wait(host, path, this, this.#need)
    else this.#open(registered)
  }

  // SessionWaiter

  onSession(registered: RegisteredSession): void {
    this.#cancelWait = undefined
    this.#open(registered)
  }

  onFailed(error: CrankerError): void {
    this.#cancelWait = undefined
    this.fail(error)
  }

  // InboundHandler: the client's side

  onBody(chunk: Buffer): void {
    if (this.#upgraded !== undefined) return this.#upgraded.fromClient(chunk)
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#up = this.#context.step
    this.#bytesIn += chunk.length
    const announced = this.#inbound.contentLength
    if (announced !== undefined && this.#bytesIn > announced) {
      this.fail(badBody('The body is longer than its Content-Length.'))
    } else if (!exchange.write(chunk)) {
      this.#flowing = false
      this.#inbound.pause()
    }
  }

  onBodyEnd(trailers?: RawHeaders): void {
    if (this.#upgraded !== undefined) return this.#upgraded.clientEnd()
    this.#up = this.#context.step
    const announced = this.#inbound.contentLength
    if (announced !== undefined && this.#bytesIn !== announced) {
      this.fail(badBody('The body is shorter than its Content-Length.'))
      return
    }
    this.#bodyEnded = true
    this.#trailers = filterTrailers(trailers)
    this.#exchange?.end(undefined, this.#trailers)
  }

  onTaken(bytes: number): void {
    if (this.#upgraded !== undefined) return this.#upgraded.taken(bytes)
    this.#down = this.#context.step
    this.#untaken -= bytes
    this.#exchange?.consumed(bytes)
  }

  onGone(error: CrankerError): void {
    this.#cancelWait?.()
    this.#exchange?.reset(error)
    this.#done(error)
  }

  onFinished(): void {
    this.#done(undefined)
  }

  // ResponseHandler: the service's side

  onHead(head: ResponseHead, end: boolean): void {
    if (this.#state !== 'sent') return
    this.#down = this.#context.step
    try {
      if (head.status === SWITCHING_PROTOCOLS) return this.#switch(head)
      const prepared = prepareResponse(head, this.#inbound.method, end, this.#canTrail())
      this.#length = prepared.length
      this.#bodyless = prepared.bodyless
      this.#inbound.respond(prepared.head)
      this.#status = head.status
      this.#state = 'responding'
    } catch (error) {
      this.fail(asCrankerError(error))
    }
  }

  onInfo(head: ResponseHead): void {
    this.#down = this.#context.step
    // 100 is ours to send, and 101 belongs to upgrades.
    if (this.#state === 'sent' && head.status > 101 && head.status < 200) this.#inbound.info(head)
  }

  onData(chunk: Buffer): void {
    if (this.#upgraded !== undefined) return this.#upgraded.fromService(chunk)
    this.#down = this.#context.step
    if (this.#state !== 'responding') {
      this.fail(badResponse('a body before its head'))
      return
    }
    if (this.#bodyless) {
      this.#exchange?.consumed(chunk.length)
      return
    }
    this.#bytesOut += chunk.length
    if (this.#length >= 0 && this.#bytesOut > this.#length) {
      // The surplus would be read as the beginning of the next response.
      this.#bytesOut -= chunk.length
      this.fail(badResponse('its body is longer than its content-length'))
      return
    }
    this.#untaken += chunk.length
    this.#inbound.write(chunk)
  }

  onDrain(): void {
    if (this.#upgraded !== undefined) return this.#upgraded.room()
    this.#up = this.#context.step
    this.#flow()
  }

  onEnd(trailers: RawHeaders | undefined): void {
    if (this.#upgraded !== undefined) return this.#upgraded.serviceEnd()
    if (this.#state !== 'responding') {
      this.fail(badResponse('it has no head'))
      return
    }
    this.#exchange = undefined
    if (this.#length >= 0 && this.#bytesOut !== this.#length) {
      this.fail(badResponse('its body is shorter than its content-length'))
      return
    }
    this.#state = 'finishing'
    this.#down = this.#context.step
    this.#inbound.end(this.#bodyless ? undefined : filterTrailers(trailers))
  }

  onError(error: CrankerError): void {
    this.#exchange = undefined
    if (this.#mayTryAnother(error)) this.#tryAnother()
    else this.fail(error)
  }

  /** Ends both sides; the client is answered if it still can be. */
  fail(error: CrankerError): void {
    if (this.#state === 'over') return
    this.#cancelWait?.()
    this.#exchange?.reset(error)
    this.#status = this.#inbound.abort(error) ?? this.#status
    this.#done(error)
  }

  /** The router shuts down, and the time that requests have to finish is over. */
  leave(error: CrankerError): void {
    if (this.#upgraded?.leave() !== true) this.fail(error)
  }

  /** Called once per step. */
  checkIdle(): void {
    const { step, idleSteps } = this.#context
    const up = step - this.#up > idleSteps
    const down = step - this.#down > idleSteps
    switch (this.#state) {
      case 'waiting':
        // The source has its own limit.
        this.#up = this.#down = step
        return
      case 'sent':
        if (up && down) this.fail(this.#idleError())
        return
      case 'responding':
        // A client that does not take its response is not excused by an upload that goes on. A service that does not
        // read its request is, as long as it answers: and if the client were gone, that answer would find out.
        if (down && (up || this.#untaken > 0)) this.fail(this.#idleError())
        return
      case 'upgraded':
        if (this.#upgraded?.idle === true) this.fail(this.#idleError())
        return
      case 'finishing':
        if (down) this.fail(this.#idleError())
        return
      case 'over':
        return
    }
  }

  #open(registered: RegisteredSession): void {
    const inbound = this.#inbound
    const { hasBody, upgrade } = inbound
    this.#registered = registered
    this.#attempts++
    const { session } = registered
    const head = requestHead(inbound, this.#context.forwarding, session.capabilities)
    try {
      this.#exchange = session.open(head, !hasBody && !upgrade, this)
    } catch (thrown) {
      const error = asCrankerError(thrown)
      if (this.#mayTryAnother(error)) this.#tryAnother()
      else this.fail(error)
      return
    }
    this.#state = 'sent'
    this.#up = this.#down = this.#context.step
    if (!hasBody) return
    if (this.#bodyEnded) this.#exchange.end(undefined, this.#trailers)
    else if (this.#attempts === 1) {
      this.#flowing = true
      inbound.start()
    } else this.#flow()
  }

  /** @throws CrankerError CRANKER_ERR_BAD_RESPONSE */
  #switch(head: ResponseHead): void {
    const inbound = this.#inbound
    if (!inbound.upgrade || this.#exchange === undefined) throw badResponse('101 without an upgrade')
    inbound.respond(prepareUpgrade(head))
    this.#status = head.status
    this.#state = 'upgraded'
    this.#upgraded = new UpgradedExchange(this.#context, inbound, this.#exchange)
    inbound.start()
  }

  /** A trailer section can come from the service, and reach the client. */
  #canTrail(): boolean {
    return this.#registered?.session.capabilities.trailers === true && this.#inbound.httpVersion !== '1.0'
  }

  #flow(): void {
    this.#flowing = true
    this.#inbound.resume()
  }

  /** The service says that it was never given the request, and none of its body is lost. */
  #mayTryAnother(error: CrankerError): boolean {
    return (
      AGAIN_ELSEWHERE.has(error.code) &&
      error.retryable &&
      (this.#state === 'sent' || this.#state === 'waiting') &&
      this.#bytesIn === 0 &&
      this.#attempts < MAX_ATTEMPTS
    )
  }

  #tryAnother(): void {
    this.#state = 'waiting'
    this.#flowing = false
    this.#inbound.pause()
    this.begin()
  }

  #idleError(): CrankerError {
    // The client owes us the rest of its request, and nothing here holds it back.
    return this.#state === 'sent' && this.#inbound.hasBody && !this.#bodyEnded && this.#flowing
      ? clientTimeout()
      : idleTimeout()
  }

  #done(error: CrankerError | undefined): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#exchange = undefined
    this.#cancelWait = undefined
    this.#context.onDone(this)
    const { accessLog, clock, log } = this.#context
    if (accessLog === undefined) return
    writeAccess(accessLog, log, {
      inbound: this.#inbound,
      status: this.#status,
      bytesIn: this.#upgraded?.bytesIn ?? this.#bytesIn,
      bytesOut: this.#upgraded?.bytesOut ?? this.#bytesOut,
      duration: clock.now() - this.#started,
      registered: this.#registered,
      error,
    })
  }
}
