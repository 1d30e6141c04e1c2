import { randomBytes } from 'node:crypto'
import type { RequestExchange } from '../protocol/session.js'
import { FrameBoundary } from './frame-boundary.js'
import type { InboundRequest } from './inbound/inbound.js'
import type { ProxyContext } from './proxy-context.js'

/** Close 1001, going away (RFC 6455 §7.4.1), as a server sends it. */
const GOING_AWAY = Buffer.from([0x88, 0x02, 0x03, 0xe9])

/** The same as a client sends it: masked (§5.3). */
function maskedGoingAway(): Buffer {
  const mask = randomBytes(4)
  return Buffer.from([0x88, 0x82, ...mask, 0x03 ^ (mask[0] as number), 0xe9 ^ (mask[1] as number)])
}

/**
 * A client's connection and its exchange after a 101: bytes flow in both directions until each side has finished
 * (docs/protocol.md §9.7). What ends both at once is the business of whoever holds this.
 */
export class UpgradedExchange {
  /** Bytes from and to the client. */
  bytesIn = 0
  bytesOut = 0
  readonly #context: ProxyContext
  readonly #inbound: InboundRequest
  readonly #exchange: RequestExchange
  readonly #fromClient = new FrameBoundary()
  readonly #fromService = new FrameBoundary()
  #clientEnded = false
  #serviceEnded = false
  /** The router has said good-bye to both: what still comes is dropped. */
  #leaving = false
  /** The step in which something last moved. */
  #active: number

  constructor(context: ProxyContext, inbound: InboundRequest, exchange: RequestExchange) {
    this.#context = context
    this.#inbound = inbound
    this.#exchange = exchange
    this.#active = context.step
  }

  /** Nothing has moved for the idle timeout of upgraded connections. */
  get idle(): boolean {
    return this.#context.step - this.#active > this.#context.upgradeIdleSteps
  }

  fromClient(chunk: Buffer): void {
    this.#active = this.#context.step
    if (this.#leaving) return
    this.bytesIn += chunk.length
    this.#fromClient.push(chunk)
    if (!this.#exchange.write(chunk)) this.#inbound.pause()
  }

  clientEnd(): void {
    this.#clientEnded = true
    if (!this.#leaving) this.#exchange.end()
  }

  /** The tunnel has room again. */
  room(): void {
    this.#active = this.#context.step
    this.#inbound.resume()
  }

  fromService(chunk: Buffer): void {
    this.#active = this.#context.step
    if (this.#leaving) {
      this.#exchange.consumed(chunk.length)
      return
    }
    this.bytesOut += chunk.length
    this.#fromService.push(chunk)
    this.#inbound.write(chunk)
  }

  serviceEnd(): void {
    this.#serviceEnded = true
    if (!this.#leaving) this.#inbound.end()
  }

  taken(bytes: number): void {
    this.#active = this.#context.step
    this.#exchange.consumed(bytes)
  }

  /**
   * The router shuts down. True: each side gets a Close frame and the end; the client's connection ends when it has
   * answered. False where a frame is under way towards the client: then the connection can only be cut.
   */
  leave(): boolean {
    if (this.#leaving) return true
    if (!this.#fromService.clean) return false
    this.#leaving = true
    if (!this.#serviceEnded) {
      if (!this.#fromService.closed) this.#inbound.write(GOING_AWAY)
      this.#inbound.end()
    }
    if (this.#clientEnded) return true
    if (this.#fromClient.clean && !this.#fromClient.closed) this.#exchange.write(maskedGoingAway())
    this.#exchange.end()
    // Held back until now, it may be what the client says before it reads.
    this.#inbound.resume()
    return true
  }
}
