/**
 * Flow control as pure counters. The published rule: a sender counts the payload bytes of HEADER and DATA frames that
 * are not yet acknowledged, pauses above 65,536 and resumes below 16,384. There is no initial or advertised window;
 * the count is signed in cranker-connector and mu-cranker-router, so a receiver widens its own window by acknowledging
 * ahead of consumption. In asgi-cc it stops at zero: there the surplus is lost, and must not be counted on.
 */
import {
  MAX_MESSAGE_BYTES,
  V3_INITIAL_WINDOW_BYTES,
  V3_MAX_PROCESS_WINDOW_BYTES,
  V3_MAX_STREAM_WINDOW_BYTES,
  V3_SEND_PAUSE_BYTES,
  V3_SEND_RESUME_BYTES,
} from '../limits.js'

/** Acknowledgements further ahead than this are absurd (RFC 9113 §6.9.1 has the same bound). */
const MAX_CREDIT_BYTES = 2 ** 31
/** A peer that is this far above its credit does not do flow control: one message may overshoot, no more. */
const OVERSHOOT_BYTES = MAX_MESSAGE_BYTES
/** Acknowledgements are held back until they are worth a frame; always far below V3_SEND_RESUME_BYTES. */
const ACKNOWLEDGE_BYTES = V3_SEND_RESUME_BYTES / 2

/** What one stream may send. */
export class SendCredit {
  #unacknowledged = 0
  #open = true

  /** False: paused until enough has been acknowledged. */
  get open(): boolean {
    return this.#open
  }

  /** Negative when the peer has acknowledged ahead. */
  get unacknowledged(): number {
    return this.#unacknowledged
  }

  sent(bytes: number): void {
    this.#unacknowledged += bytes
    if (this.#unacknowledged > V3_SEND_PAUSE_BYTES) this.#open = false
  }

  /** False: the total is absurd, the stream must end. */
  acknowledged(bytes: number): boolean {
    this.#unacknowledged -= bytes
    if (this.#unacknowledged < V3_SEND_RESUME_BYTES) this.#open = true
    return this.#unacknowledged >= -MAX_CREDIT_BYTES
  }
}

/** Memory that receive windows may promise beyond what every stream has from its start. */
export class WindowBudget {
  readonly #limit: number
  readonly #parent: WindowBudget | undefined
  #used = 0

  constructor(limit: number, parent?: WindowBudget) {
    this.#limit = limit
    this.#parent = parent
  }

  get used(): number {
    return this.#used
  }

  /** True when three quarters are promised: windows that their consumers do not use should give way. */
  get scarce(): boolean {
    return this.#used > this.#limit * 0.75 || this.#parent?.scarce === true
  }

  take(bytes: number): boolean {
    if (this.#used + bytes > this.#limit) return false
    if (this.#parent !== undefined && !this.#parent.take(bytes)) return false
    this.#used += bytes
    return true
  }

  give(bytes: number): void {
    this.#used -= bytes
    this.#parent?.give(bytes)
  }
}

/** Shared by all sessions of the process that are not given another one. */
export const processWindowBudget = new WindowBudget(V3_MAX_PROCESS_WINDOW_BYTES)

/** What one stream lets its peer send. Credit is returned on consumption, not on receipt. */
export class ReceiveWindow {
  readonly #budget: WindowBudget
  readonly #signed: boolean
  #received = 0
  #consumed = 0
  #acknowledged = 0
  #window: number = V3_INITIAL_WINDOW_BYTES
  #epochStart = -1
  #epochConsumed = 0
  #leastBacklog = Infinity

  /**
   * @param signed the peer's count is known to go below zero. Towards others every byte that was consumed is
   * acknowledged as if the window were the published one: what they were given ahead may be lost to them.
   */
  constructor(budget: WindowBudget, signed: boolean) {
    this.#budget = budget
    this.#signed = signed
  }

  /** How far the peer may be ahead of the consumer, bytes. */
  get window(): number {
    return this.#window
  }

  /** Received but not consumed. */
  get backlog(): number {
    return this.#received - this.#consumed
  }

  /** False: the peer ignores flow control, the stream must end. */
  receive(bytes: number): boolean {
    this.#received += bytes
    return this.#received - this.#acknowledged <= V3_SEND_PAUSE_BYTES + OVERSHOOT_BYTES
  }

  /** True: enough has been consumed for an acknowledgement; `take` it at the end of the turn. */
  consume(bytes: number): boolean {
    this.#consumed = Math.min(this.#consumed + bytes, this.#received)
    this.#leastBacklog = Math.min(this.#leastBacklog, this.backlog)
    return this.#due() >= this.#batch()
  }

  /**
   * The increment to acknowledge now; 0 = not worth a frame. Widens or narrows the window on the way.
   * @param now ms
   * @param roundTrip the least seen, ms; undefined as long as none was measured
   */
  take(now: number, roundTrip: number | undefined): number {
    if (roundTrip !== undefined) this.#adapt(now, roundTrip)
    const increment = this.#due()
    if (increment < this.#batch()) return 0
    this.#acknowledged += increment
    return increment
  }

  /** Returns to the budget what was taken. */
  close(): void {
    if (this.#window > V3_INITIAL_WINDOW_BYTES) this.#budget.give(this.#window - V3_INITIAL_WINDOW_BYTES)
    this.#window = V3_INITIAL_WINDOW_BYTES
  }

  /** The peer stops at `acknowledged + 65,536`; that shall be `consumed + window`. Negative after narrowing. */
  #due(): number {
    return this.#consumed + this.#window - V3_SEND_PAUSE_BYTES - this.#acknowledged
  }

  /** A wide window needs fewer frames; what lies behind is never as much as what stalls a peer. */
  #batch(): number {
    if (!this.#signed) return ACKNOWLEDGE_BYTES
    return ACKNOWLEDGE_BYTES + (this.#window - V3_INITIAL_WINDOW_BYTES) / 8
  }

  /**
   * Doubles the window when the stream is limited by the round trip (it moved half a window in one) and its consumer
   * keeps up; halves it when memory is scarce and the consumer does not keep up, and the peer's count is signed: the
   * acknowledgements that are then held back would stall any other.
   */
  #adapt(now: number, roundTrip: number): void {
    const elapsed = now - this.#epochStart
    if (this.#epochStart >= 0 && (elapsed < roundTrip || elapsed === 0)) return
    const moved = this.#consumed - this.#epochConsumed
    // The least of a round trip: data comes in bursts, of which even a fast consumer has most before it for a moment.
    const slow = this.#leastBacklog > this.#window / 2
    const first = this.#epochStart < 0
    this.#epochStart = now
    this.#epochConsumed = this.#consumed
    this.#leastBacklog = Infinity
    if (first) return
    if (slow && this.#signed && this.#window > V3_INITIAL_WINDOW_BYTES && this.#budget.scarce) {
      this.#budget.give(this.#window / 2)
      this.#window /= 2
    } else if (!slow && this.#window < V3_MAX_STREAM_WINDOW_BYTES && moved * roundTrip * 2 >= this.#window * elapsed) {
      if (!this.#budget.scarce && this.#budget.take(this.#window)) this.#window *= 2
    }
  }
}
