import type { SessionConfig } from '../session-config.js'
import type { ConnectorSession, ConnectorSessionEvents } from '../session.js'
import { RST_BY_CONNECTOR, RST_REFUSED, rstFrame } from './frame.js'
import { Multiplexer } from './multiplexer.js'
import { ResponseStream, type OnRequest } from './response-stream.js'
import { SeenIds } from './seen-ids.js'

/**
 * A router that does not know `refuse` does not know our capacity either: mu-cranker-router spreads whatever its
 * clients ask over the sockets that it has, and each refusal is a 502. So it gets this many times as much before we refuse.
 */
const UNREFUSABLE_FACTOR = 4

interface Barrier {
  readonly ping: number
  readonly done: () => void
}

/** The connector's end of a 3.0 socket. */
export class V3ConnectorSession extends Multiplexer<ResponseStream> implements ConnectorSession {
  readonly #seen = new SeenIds()
  readonly #maxStreams: number
  readonly #onRequest: OnRequest
  #barriers: Barrier[] = []
  /** After our goaway: requests above this id were not taken, and the router knows. */
  #lastTaken = Infinity

  constructor(config: SessionConfig, events: ConnectorSessionEvents) {
    super(config, events)
    this.#maxStreams = this.capabilities.refuse ? this.capacity : this.capacity * UNREFUSABLE_FACTOR
    this.#onRequest = (head, end, exchange) => events.onRequest(head, end, exchange)
  }

  override drain(reason: string, retryAfterMs?: number): void {
    if (this.capabilities.goaway) this.#lastTaken = Math.min(this.#lastTaken, this.lastId)
    super.drain(reason, retryAfterMs)
  }

  barrier(done: () => void): void {
    if (this.state === 'ended') return done()
    this.#barriers.push({ ping: this.delivery.ping(), done })
  }

  protected get lastId(): number {
    return this.#seen.highest
  }

  protected receiveNew(id: number, payload: Buffer, end: boolean, endHeaders: boolean): void {
    // Late frames of exchanges that are over here, and what the router was told that we do not take.
    if (id > this.#lastTaken || !this.#seen.add(id)) return
    const draining = this.state === 'draining'
    if (this.load >= this.#maxStreams || (draining && this.capabilities.refuse)) {
      const code = this.capabilities.refuse ? RST_REFUSED : RST_BY_CONNECTOR
      return this.scheduler.control(rstFrame(id, code, draining ? 'draining' : 'full'))
    }
    const stream = new ResponseStream(id, this, this.#onRequest)
    this.add(stream)
    this.changed()
    stream.receiveHeader(payload, end, endHeaders)
  }

  /** A router's goaway is about sockets to come: it closes this one itself when it is done. */
  protected goaway(): void {
    // `accepting` has become false; what was sent before is still served.
  }

  protected answered(): void {
    if (this.#barriers.length === 0) return
    const upTo = this.state === 'ended' ? Infinity : this.delivery.answered
    const done = this.#barriers.filter((barrier) => barrier.ping <= upTo)
    this.#barriers = this.#barriers.filter((barrier) => barrier.ping > upTo)
    for (const barrier of done) barrier.done()
  }
}
