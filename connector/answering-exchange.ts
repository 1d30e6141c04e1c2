import type { CrankerError, ErrorCode } from '../protocol/errors.js'
import type { RawHeaders, ResponseHead } from '../protocol/head.js'
import type { ResponseExchange } from '../protocol/session.js'

/** Of the failures that are not the request's: what a gateway says (RFC 9110 §15.6.3 and §15.6.5). */
const ANSWERS: Readonly<Partial<Record<ErrorCode, readonly [status: number, reason: string]>>> = {
  CRANKER_ERR_REFUSED: [502, 'Bad Gateway'],
  CRANKER_ERR_TARGET_FAILED: [502, 'Bad Gateway'],
  CRANKER_ERR_BAD_RESPONSE: [502, 'Bad Gateway'],
  CRANKER_ERR_IDLE_TIMEOUT: [504, 'Gateway Timeout'],
}

/**
 * An exchange with a router that knows no refusal (docs/protocol.md §9.3). Such routers make a 500 of a service that
 * failed before it answered (mu-cranker-router on 1.0, scr-axum-cranker-router), as if they were at fault: so the
 * connector answers in their place.
 */
export class AnsweringExchange implements ResponseExchange {
  readonly #exchange: ResponseExchange
  #headSent = false

  constructor(exchange: ResponseExchange) {
    this.#exchange = exchange
  }

  get id(): number {
    return this.#exchange.id
  }

  get upgrade(): boolean {
    return this.#exchange.upgrade
  }

  get carriesTrailers(): boolean {
    return this.#exchange.carriesTrailers
  }

  info(head: ResponseHead): void {
    this.#exchange.info(head)
  }

  head(head: ResponseHead, end: boolean): void {
    this.#headSent = true
    this.#exchange.head(head, end)
  }

  write(chunk: Buffer): boolean {
    return this.#exchange.write(chunk)
  }

  end(chunk?: Buffer, trailers?: RawHeaders): void {
    this.#exchange.end(chunk, trailers)
  }

  consumed(bytes: number): void {
    this.#exchange.consumed(bytes)
  }

  reset(error: CrankerError): void {
    const answer = this.#headSent ? undefined : ANSWERS[error.code]
    if (answer === undefined) {
      this.#exchange.reset(error)
      return
    }
    const [status, reason] = answer
    this.head({ status, reason, headers: ['Content-Length', '0'] }, true)
  }
}
