import type { Clock } from './clock.js'
import type { Link } from './link.js'
import type { Logger } from './logger.js'
import type { Capabilities } from './session.js'
import type { WindowBudget } from './v3/flow.js'

/** What a session of either version is made from; all effects are handed in. */
export interface SessionConfig {
  readonly link: Link
  readonly clock: Clock
  readonly log: Logger
  /** As negotiated (extensions.ts). */
  readonly capabilities: Capabilities
  /** Exchanges at once (3.0). Default `V3_MAX_STREAMS`. */
  readonly maxStreams?: number
  /** Largest head accepted, bytes. Default `MAX_HEAD_BYTES`. */
  readonly maxHeadBytes?: number
  /** ms. Default `PING_INTERVAL_MS`. */
  readonly pingInterval?: number
  /** ms. Default `DEAD_AFTER_MS`. */
  readonly deadAfter?: number
  /** Receive windows beyond the initial one come out of this (3.0). Default: one for the whole process. */
  readonly windowBudget?: WindowBudget
}
