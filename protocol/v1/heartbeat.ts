import { DEAD_AFTER_MS, PING_INTERVAL_MS } from '../limits.js'
import { Liveness } from '../liveness.js'
import type { SessionConfig } from '../session-config.js'
import { Pings } from './pings.js'

const EMPTY = Buffer.alloc(0)

/**
 * Why a peer's silence says nothing about it:
 * - `paused`: we do not read. We answer no ping either, so unsolicited pongs go out instead (RFC 6455 §5.5.3;
 *   cranker-node-connector counts only pongs).
 * - `blocked`: the peer does not read, what we sent is not taken; a peer that does not read answers no ping.
 * - `waiting`: the peer does not read by its nature, as some do while they wait for their target.
 *
 * In each case the idle timer of the exchange rules.
 */
type Silence = 'paused' | 'blocked' | 'waiting'

/** Pings a 1.0 peer, measures the round trip, notices its death, and serves as a barrier. */
export class Heartbeat {
  readonly #config: SessionConfig
  readonly #pings = new Pings()
  readonly #liveness: Liveness
  readonly #reasons = new Set<Silence>()

  constructor(config: SessionConfig, dead: (problem: string) => void) {
    this.#config = config
    const deadAfter = config.deadAfter ?? DEAD_AFTER_MS
    this.#liveness = new Liveness({
      clock: config.clock,
      interval: config.pingInterval ?? PING_INTERVAL_MS,
      deadAfter,
      ping: () => {
        this.#ping()
      },
      dead: () => {
        dead(`the peer sent nothing for ${deadAfter} ms`)
      },
    })
  }

  /** ms, or undefined before the first pong. */
  get roundTrip(): number | undefined {
    return this.#pings.roundTrip
  }

  /** Any inbound frame. */
  heard(): void {
    this.#liveness.heard()
  }

  pong(payload: Buffer): void {
    this.#liveness.heard()
    this.#pings.pong(payload, this.#config.clock.now())
  }

  /** `done` is called when the peer has read all that was sent before, or at the end. */
  barrier(done: () => void): void {
    if (!this.#config.link.open) done()
    else this.#config.link.ping(this.#pings.barrier(this.#config.clock.now(), done))
  }

  /** Nobody is declared dead while there is a reason for silence. */
  silenceIs(reason: Silence, present: boolean): void {
    if (present) this.#reasons.add(reason)
    else this.#reasons.delete(reason)
    if (this.#reasons.size > 0) this.#liveness.suspend()
    else this.#liveness.resume()
  }

  /** No more pings; barriers still wait. */
  stop(): void {
    this.#liveness.stop()
  }

  /** Nothing will come any more. */
  end(): void {
    this.#liveness.stop()
    this.#pings.end()
  }

  #ping(): void {
    const { link, clock } = this.#config
    if (!link.open) return
    link.ping(this.#pings.next(clock.now()))
    if (link.paused) link.pong(EMPTY)
  }
}
