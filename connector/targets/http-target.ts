import type { Clock } from '../../protocol/clock.js'
import { CrankerError } from '../../protocol/errors.js'
import type { RequestHead } from '../../protocol/head.js'
import type { Logger } from '../../protocol/logger.js'
import type { BodyHandler, ResponseExchange } from '../../protocol/session.js'
import { ConnectionPool } from './connection-pool.js'
import { IdleWatch } from './idle-watch.js'
import { Replay, type ReplayContext } from './replay.js'
import { requestText } from './request-text.js'
import type { Target } from './target.js'
import type { Dial } from './wire.js'

/** The options that targets look at; see `ConnectorOptions`. */
export interface TargetLimits {
  readonly idleTimeout: number
  readonly targetMaxConnections: number
  readonly maxHeadSize: number
}

export interface HttpTargetConfig {
  readonly dial: Dial
  /** Comes before every path; empty, or `/a/b`. */
  readonly pathPrefix: string
  /** For requests that come without a Host. */
  readonly host: string
  readonly limits: TargetLimits
  readonly clock: Clock
  readonly log: Logger
}

/** A service that speaks HTTP/1.1 over whatever `dial` opens. */
export class HttpTarget implements Target {
  readonly #config: HttpTargetConfig
  readonly #pool: ConnectionPool
  readonly #context: ReplayContext

  constructor(config: HttpTargetConfig) {
    const { dial, limits, clock, log } = config
    this.#config = config
    this.#pool = new ConnectionPool({
      dial,
      clock,
      maxConnections: limits.targetMaxConnections,
      maxHeadBytes: limits.maxHeadSize,
    })
    this.#context = { pool: this.#pool, idle: new IdleWatch(clock, limits.idleTimeout), log }
  }

  request(head: RequestHead, end: boolean, exchange: ResponseExchange): BodyHandler | undefined {
    const request = requestText(head, end, this.#config.pathPrefix, this.#config.host, exchange)
    if (typeof request === 'string') {
      exchange.reset(new CrankerError('CRANKER_ERR_PEER_REJECTED', request, { initiator: 'peer', delivered: 'no' }))
      return undefined
    }
    const replay = new Replay(this.#context, head, request, exchange)
    return replay.start() ? replay : undefined
  }

  close(): Promise<void> {
    this.#pool.close()
    return Promise.resolve()
  }
}
