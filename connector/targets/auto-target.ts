import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { CrankerError } from '../../protocol/errors.js'
import type { RawHeaders, RequestHead } from '../../protocol/head.js'
import type { Logger } from '../../protocol/logger.js'
import type { BodyHandler, ResponseExchange } from '../../protocol/session.js'
import type { Clock } from '../../protocol/clock.js'
import { openSocket, type TcpAddress } from './open-socket.js'
import { unreachable } from './outcome.js'
import type { Target } from './target.js'

export interface AutoTargetConfig {
  readonly address: TcpAddress
  readonly clock: Clock
  readonly log: Logger
  readonly http1: Target
  readonly http2: Target
}

/**
 * A service over TLS that says itself, in the handshake (ALPN, RFC 7301), whether it speaks HTTP/2. It is asked when
 * the first request comes, on a connection of its own; the answer is kept until {@link forget}.
 */
export class AutoTarget implements Target {
  readonly #config: AutoTargetConfig
  #chosen: Target | undefined
  #probe: Socket | undefined
  #waiting: Deferred[] = []

  constructor(config: AutoTargetConfig) {
    this.#config = config
  }

  request(head: RequestHead, end: boolean, exchange: ResponseExchange): BodyHandler | undefined {
    if (this.#chosen !== undefined) return this.#chosen.request(head, end, exchange)
    const deferred = new Deferred(head, end, exchange)
    this.#waiting.push(deferred)
    if (this.#probe === undefined) this.#ask()
    return deferred
  }

  /** The service may have changed its mind: the next request asks it again. */
  forget(): void {
    this.#chosen = undefined
  }

  async close(): Promise<void> {
    this.#probe?.destroy()
    await Promise.all([this.#config.http1.close(), this.#config.http2.close()])
  }

  #ask(): void {
    const { address, clock, http1, http2 } = this.#config
    let error: Error | undefined
    const probe = openSocket(address, ['h2', 'http/1.1'])
    this.#probe = probe
    const timer = clock.timer(() => {
      probe.destroy(new Error(`no connection within ${address.connectTimeout} ms`))
    }, address.connectTimeout)
    probe.once('secureConnect', () => {
      this.#chosen = probe instanceof TLSSocket && probe.alpnProtocol === 'h2' ? http2 : http1
      probe.destroy()
    })
    probe.on('error', (cause: Error) => {
      error ??= cause
    })
    probe.once('close', () => {
      timer.clear()
      this.#probe = undefined
      this.#settle(error ?? new Error('the target closed the connection'))
    })
  }

  #settle(error: Error): void {
    const chosen = this.#chosen
    const waiting = this.#waiting
    this.#waiting = []
    if (chosen !== undefined) {
      for (const deferred of waiting) deferred.go(chosen)
      return
    }
    this.#config.log.warn({ err: error }, 'the target cannot be reached')
    for (const deferred of waiting) deferred.refuse(error)
  }
}

/** A request that waits for the answer. What it has sent meanwhile is bounded by the tunnel's window. */
class Deferred implements BodyHandler {
  readonly #head: RequestHead
  readonly #end: boolean
  readonly #exchange: ResponseExchange
  #handler: BodyHandler | undefined
  #body: Buffer[] = []
  #ended = false
  #trailers: RawHeaders | undefined
  #over = false

  constructor(head: RequestHead, end: boolean, exchange: ResponseExchange) {
    this.#head = head
    this.#end = end
    this.#exchange = exchange
  }

  go(target: Target): void {
    if (this.#over) return
    const handler = target.request(this.#head, this.#end, this.#exchange)
    this.#handler = handler
    const body = this.#body
    this.#body = []
    for (const chunk of body) handler?.onData(chunk)
    if (this.#ended) handler?.onEnd(this.#trailers)
  }

  refuse(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#exchange.reset(unreachable(error))
  }

  onData(chunk: Buffer): void {
    if (this.#handler === undefined) this.#body.push(chunk)
    else this.#handler.onData(chunk)
  }

  onDrain(): void {
    this.#handler?.onDrain()
  }

  onEnd(trailers: RawHeaders | undefined): void {
    if (this.#handler !== undefined) return this.#handler.onEnd(trailers)
    this.#ended = true
    this.#trailers = trailers
  }

  onError(error: CrankerError): void {
    this.#over = true
    this.#handler?.onError(error)
  }
}
