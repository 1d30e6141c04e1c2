import type { Clock } from '../../protocol/clock.js'
import { CrankerError } from '../../protocol/errors.js'
import type { RequestHead } from '../../protocol/head.js'
import type { Logger } from '../../protocol/logger.js'
import type { BodyHandler, ResponseExchange } from '../../protocol/session.js'
import type { TargetLimits } from './http-target.js'
import { Http2Pool } from './http2-pool.js'
import { Http2Replay, type Http2ReplayContext } from './http2-replay.js'
import { type Http2Origin, http2Request } from './http2-request.js'
import { IdleWatch } from './idle-watch.js'
import type { TcpAddress } from './open-socket.js'
import type { Target } from './target.js'

export interface Http2TargetConfig {
  readonly address: TcpAddress
  readonly origin: Http2Origin
  readonly limits: TargetLimits
  readonly clock: Clock
  readonly log: Logger
  /** Takes requests for a WebSocket: the same service, over HTTP/1.1. */
  readonly upgrades: Target
  readonly onNotReady: () => void
}

/** A service that speaks HTTP/2: by prior knowledge over TCP, or as agreed in the TLS handshake. */
export class Http2Target implements Target {
  readonly #config: Http2TargetConfig
  readonly #pool: Http2Pool
  readonly #context: Http2ReplayContext

  constructor(config: Http2TargetConfig) {
    const { address, limits, clock, log, onNotReady } = config
    this.#config = config
    this.#pool = new Http2Pool({
      address,
      clock,
      maxHeadBytes: limits.maxHeadSize,
      maxConnections: limits.targetMaxConnections,
      onNotReady,
    })
    this.#context = {
      pool: this.#pool,
      idle: new IdleWatch(clock, limits.idleTimeout),
      log,
      maxHeadBytes: limits.maxHeadSize,
    }
  }

  request(head: RequestHead, end: boolean, exchange: ResponseExchange): BodyHandler | undefined {
    if (exchange.upgrade) return this.#config.upgrades.request(head, end, exchange)
    const request = http2Request(head, end, this.#config.origin, exchange.carriesTrailers)
    if (typeof request === 'string') {
      exchange.reset(new CrankerError('CRANKER_ERR_PEER_REJECTED', request, { initiator: 'peer', delivered: 'no' }))
      return undefined
    }
    const replay = new Http2Replay(this.#context, request, end, exchange)
    return replay.start() ? replay : undefined
  }

  async close(): Promise<void> {
    this.#pool.close()
    await this.#config.upgrades.close()
  }
}
