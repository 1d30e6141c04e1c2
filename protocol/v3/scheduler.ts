import type { Link } from '../link.js'
import { KiB, V3_LINK_QUEUE_BYTES } from '../limits.js'
import type { DeliveryClock } from './delivery-clock.js'
import type { FrameSink, Outgoing } from './outgoing.js'
import { Ring } from './ring.js'

/** After so many urgent bytes bulk has a turn: a flood of small responses must not starve a download. */
const URGENT_BYTES = 64 * KiB
/** Control frames that a peer makes us queue while it takes none of them: more is an attack, not a load. */
const MAX_CONTROL_FRAMES = 4_096

/**
 * Shares one link between its streams. Per-stream windows do not bound a socket, so nothing is handed to the link
 * while it holds 256 KiB or the path is full: what waits, waits here, where it can be ordered. Control frames first,
 * then heads and small pieces, then bulk, one turn of at most 16 KiB each.
 */
export class Scheduler implements FrameSink {
  readonly #link: Link
  readonly #clock: DeliveryClock
  readonly #beforePump: () => void
  readonly #onFlood: () => void
  readonly #urgent = new Ring('urgent')
  readonly #bulk = new Ring('bulk')
  #control: Buffer[] = []
  #urgentBytes = 0
  #handedOver = 0
  #pumping = false
  #blocked = false

  /**
   * @param beforePump may add control frames that were not worth making earlier (acknowledgements)
   * @param onFlood too many control frames wait: the socket should end
   */
  constructor(link: Link, clock: DeliveryClock, beforePump: () => void, onFlood: () => void) {
    this.#link = link
    this.#clock = clock
    this.#beforePump = beforePump
    this.#onFlood = onFlood
  }

  /** Something waits for room in the link or on the path. */
  get blocked(): boolean {
    return this.#blocked
  }

  /** A whole frame that goes before everything else. */
  control(frame: Buffer): void {
    this.#control.push(frame)
    if (this.#control.length === MAX_CONTROL_FRAMES) this.#onFlood()
    this.#link.requestTurn()
  }

  /** `out` has something to send, perhaps: at the end of the turn. */
  schedule(out: Outgoing): void {
    if (this.#enter(out)) this.#link.requestTurn()
  }

  /** `out` has borrowed bytes: what can be sent is handed over before this returns. */
  offer(out: Outgoing): void {
    if (!this.#enter(out)) return
    if (this.#blocked || this.#pumping) this.#link.requestTurn()
    else this.#run()
  }

  /** `out` has nothing more to say. */
  remove(out: Outgoing): void {
    if (out.ring === 'urgent') this.#urgent.remove(out)
    else if (out.ring === 'bulk') this.#bulk.remove(out)
  }

  /** Hands over what link and path have room for: at the end of a turn, or when there is room again. */
  pump(): void {
    if (this.#pumping) return
    if (this.#link.queued < V3_LINK_QUEUE_BYTES) this.#beforePump()
    this.#run()
  }

  frame(head: Buffer, payload?: Buffer): void {
    const bytes = head.length + (payload?.length ?? 0)
    this.#link.sendBinary(head, payload)
    this.#handedOver += bytes
    this.#clock.sent(bytes)
  }

  /** Gives up everything. */
  stop(): void {
    this.#control = []
    for (let out = this.#urgent.first; out !== undefined; out = this.#urgent.first) this.#urgent.remove(out)
    for (let out = this.#bulk.first; out !== undefined; out = this.#bulk.first) this.#bulk.remove(out)
  }

  /** False: it has nothing to send now. */
  #enter(out: Outgoing): boolean {
    if (out.ring !== 'none') return true
    if (!out.ready) {
      // Waits for credit: for longer than this turn.
      out.keep()
      return false
    }
    if (out.urgent) this.#urgent.append(out)
    else this.#bulk.append(out)
    if (this.#blocked) out.keep()
    return true
  }

  #run(): void {
    this.#pumping = true
    try {
      this.#blocked = !this.#pumpAll()
    } finally {
      this.#pumping = false
    }
    this.#clock.limited = this.#blocked
    if (this.#blocked) {
      this.#urgent.keep()
      this.#bulk.keep()
    }
  }

  /** True when nothing is left that could be sent. */
  #pumpAll(): boolean {
    if (this.#link.queued >= V3_LINK_QUEUE_BYTES) return false
    for (;;) {
      if (!this.#pumpControl()) return false
      const urgent = this.#nextIsUrgent()
      const out = urgent ? this.#urgent.first : this.#bulk.first
      if (out === undefined) return true
      if (!this.#clock.hasRoom(urgent)) {
        this.#clock.full()
        return false
      }
      this.remove(out)
      const before = this.#handedOver
      out.turn(this, urgent)
      if (urgent) this.#urgentBytes += this.#handedOver - before
      else this.#urgentBytes = 0
      if (out.ring === 'none' && out.ready) this.#bulk.append(out)
      else if (!out.ready) out.keep()
      if (this.#link.queued >= V3_LINK_QUEUE_BYTES) return false
    }
  }

  /** False: the link is full. */
  #pumpControl(): boolean {
    if (this.#control.length === 0) return true
    let sent = 0
    for (const frame of this.#control) {
      if (this.#link.queued >= V3_LINK_QUEUE_BYTES) break
      this.frame(frame)
      sent++
    }
    this.#control.splice(0, sent)
    return this.#control.length === 0
  }

  #nextIsUrgent(): boolean {
    if (this.#urgent.first === undefined) return false
    return this.#bulk.first === undefined || this.#urgentBytes < URGENT_BYTES
  }
}
