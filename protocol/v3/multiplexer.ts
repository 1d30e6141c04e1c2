import type { Clock } from '../clock.js'
import { Liveness } from '../liveness.js'
import {
  DEAD_AFTER_MS,
  MAX_HEAD_BYTES,
  PING_INTERVAL_MS,
  V3_MAX_SOCKET_WINDOW_BYTES,
  V3_MAX_STREAMS,
} from '../limits.js'
import type { Link } from '../link.js'
import type { Logger } from '../logger.js'
import type { SessionConfig } from '../session-config.js'
import type { Capabilities, Session, SessionEnd, SessionEvents } from '../session.js'
import { Acknowledgements } from './acknowledgements.js'
import { DeliveryClock } from './delivery-clock.js'
import {
  brokenProtocol,
  closedByPeer,
  closedHere,
  cutHere,
  type Ending,
  GOING_AWAY,
  PROTOCOL_ERROR,
  silentPeer,
} from './endings.js'
import { processWindowBudget, WindowBudget } from './flow.js'
import { decodeFrame, type Frame, goawayFrame } from './frame.js'
import { goawayText, parseGoawayText } from './goaway.js'
import { Scheduler } from './scheduler.js'
import { bug, type Stream, type StreamHost } from './stream.js'
import { StreamTable } from './stream-table.js'

/**
 * A 3.0 socket: many exchanges on one link. What both sides have in common; router-session.ts and
 * connector-session.ts say who opens streams.
 *
 * States: open → draining (no new exchange; closes when empty) → ending (nothing runs; Close frame sent, or the
 * link cut) → ended (`onEnd` was called).
 */
export abstract class Multiplexer<S extends Stream> implements Session, StreamHost {
  readonly version = '3.0'
  readonly capabilities: Capabilities
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly budget: WindowBudget
  readonly signedCount: boolean
  readonly maxHeadBytes: number
  readonly capacity: number
  bytesIn = 0
  bytesOut = 0

  protected readonly streams = new StreamTable<S>()
  protected readonly delivery: DeliveryClock
  protected state: 'open' | 'draining' | 'ending' | 'ended' = 'open'
  readonly #link: Link
  readonly #log: Logger
  readonly #events: SessionEvents
  readonly #liveness: Liveness
  readonly #acknowledgements: Acknowledgements
  #end: SessionEnd | undefined
  #goawaySent = false
  #goawayReceived = false

  constructor(config: SessionConfig, events: SessionEvents) {
    this.capabilities = config.capabilities
    // Who announces extensions was written with docs/protocol.md at hand; published peers differ, and do not tell.
    this.signedCount = Object.values(config.capabilities).includes(true)
    this.clock = config.clock
    this.maxHeadBytes = config.maxHeadBytes ?? MAX_HEAD_BYTES
    this.capacity = config.maxStreams ?? V3_MAX_STREAMS
    this.budget = new WindowBudget(V3_MAX_SOCKET_WINDOW_BYTES, config.windowBudget ?? processWindowBudget)
    this.#link = config.link
    this.#log = config.log
    this.#events = events
    this.delivery = new DeliveryClock(config.link, config.clock, () => this.scheduler.pump())
    this.#acknowledgements = new Acknowledgements(config.clock, this.delivery)
    this.scheduler = new Scheduler(
      config.link,
      this.delivery,
      () => this.#acknowledgements.flush((frame) => this.scheduler.control(frame)),
      () => this.#broken('The peer makes us answer more than it reads'),
    )
    this.#liveness = new Liveness({
      clock: config.clock,
      interval: config.pingInterval ?? PING_INTERVAL_MS,
      deadAfter: config.deadAfter ?? DEAD_AFTER_MS,
      ping: () => this.delivery.ping(),
      dead: () => this.#dead(),
    })
    config.link.handler = {
      onText: () => this.#liveness.heard(),
      onBinary: (message) => this.#receive(message),
      onPing: () => this.#liveness.heard(),
      onPong: (payload) => this.#pong(payload),
      onTurn: () => this.#turn(),
      onDrain: () => {
        if (this.scheduler.blocked) this.#turn()
      },
      onCloseFrame: (code, reason) => this.#closed(code, reason, undefined),
      onClosed: (code, reason, error) => this.#closed(code, reason, error),
    }
    // The first round trip is known before the first long body comes, whose window depends on it.
    this.delivery.ping()
  }

  // Session

  get load(): number {
    return this.streams.size
  }

  get accepting(): boolean {
    return this.state === 'open' && !this.#goawayReceived
  }

  get roundTrip(): number | undefined {
    return this.delivery.roundTrip
  }

  drain(reason: string, retryAfterMs = 0): void {
    if (this.state !== 'open' && this.state !== 'draining') return
    if (this.capabilities.goaway && !this.#goawaySent) {
      this.#goawaySent = true
      this.scheduler.control(goawayFrame(this.lastId, 0, goawayText(reason, retryAfterMs)))
    }
    this.retire()
  }

  close(code: number, reason: string): void {
    if (this.state === 'ending' || this.state === 'ended') return
    this.#stop(closedHere(code, reason))
    this.#link.close(code, reason)
  }

  terminate(): void {
    if (this.state === 'ended') return
    this.#stop(cutHere())
    this.#link.terminate()
  }

  // StreamHost

  acknowledge(stream: Stream): void {
    if (stream.acknowledging) return
    this.#acknowledgements.add(stream)
    this.#link.requestTurn()
  }

  remove(stream: Stream): void {
    if (!this.streams.delete(stream.id)) return
    if (this.state === 'draining' && this.streams.size === 0) this.#link.requestTurn()
    if (this.state === 'open' || this.state === 'draining') this.#events.onChange()
  }

  countIn(bytes: number): void {
    this.bytesIn += bytes
  }

  countOut(bytes: number): void {
    this.bytesOut += bytes
  }

  // What the sides differ in

  /** The highest id that was given to an exchange. */
  protected abstract get lastId(): number
  /** A HEADER frame for a stream that is not running. */
  protected abstract receiveNew(id: number, payload: Buffer, end: boolean, endHeaders: boolean): void
  /** The peer takes no request above `lastId`. */
  protected abstract goaway(lastId: number, reason: string): void

  /** A pong of ours; or the session has ended, and none will come. */
  protected abstract answered(): void

  /** No new exchange from here on; closes when nothing runs any more. */
  protected retire(): void {
    if (this.state !== 'open') return
    this.state = 'draining'
    this.#link.requestTurn()
    this.#events.onChange()
  }

  protected add(stream: S): void {
    this.streams.add(stream)
  }

  protected changed(): void {
    this.#events.onChange()
  }

  // Link

  /** One bad frame ends one stream if it can, one socket if it must, never the process. */
  #receive(message: Buffer): void {
    this.#liveness.heard()
    if (this.state === 'ending' || this.state === 'ended') return
    const frame = decodeFrame(message)
    try {
      this.#dispatch(frame)
    } catch (cause) {
      const error = bug(cause)
      if (error.code === 'CRANKER_ERR_INTERNAL') this.#log.error({ err: cause }, 'A frame could not be handled')
      const stream = 'id' in frame ? this.streams.get(frame.id) : undefined
      stream?.abort(error)
    }
  }

  #dispatch(frame: Frame): void {
    switch (frame.kind) {
      case 'data':
        return this.streams.get(frame.id)?.receiveData(frame.payload, frame.end)
      case 'header': {
        const stream = this.streams.get(frame.id)
        if (stream === undefined) return this.receiveNew(frame.id, frame.payload, frame.end, frame.endHeaders)
        return stream.receiveHeader(frame.payload, frame.end, frame.endHeaders)
      }
      case 'rst':
        return this.streams.get(frame.id)?.receiveReset(frame.code, frame.text)
      case 'window-update':
        return this.streams.get(frame.id)?.receiveWindowUpdate(frame.increment)
      case 'goaway':
        return this.#receiveGoaway(frame.lastId, frame.text)
      case 'unknown':
        this.#log.debug({ type: frame.type }, 'Ignored a frame of an unknown type')
        return
      case 'malformed':
        return this.streams.get(frame.id)?.violation('a frame that cannot be read')
      case 'short':
        return this.#broken('The peer sent a frame shorter than its header')
    }
  }

  #receiveGoaway(lastId: number, text: string): void {
    if (!this.capabilities.goaway || this.#goawayReceived) return
    this.#goawayReceived = true
    const { reason, retryAfterMs } = parseGoawayText(text)
    this.goaway(lastId, reason)
    this.#events.onChange()
    this.#events.onGoaway(reason, retryAfterMs)
  }

  #pong(payload: Buffer): void {
    this.#liveness.heard()
    if (this.state === 'ended' || !this.delivery.pong(payload)) return
    this.answered()
    if (this.state !== 'ending') this.scheduler.pump()
  }

  #turn(): void {
    if (this.state === 'ending' || this.state === 'ended') return
    this.scheduler.pump()
    if (this.state === 'draining' && this.streams.size === 0) this.close(GOING_AWAY, 'Going away')
  }

  // The end

  #dead(): void {
    this.#stop(silentPeer())
    this.#link.terminate()
    this.#finish()
  }

  #broken(what: string): void {
    if (this.state === 'ending' || this.state === 'ended') return
    this.#log.warn({ code: 'CRANKER_ERR_PROTOCOL' }, what)
    this.#stop(brokenProtocol(what))
    this.#link.close(PROTOCOL_ERROR, 'Protocol error')
  }

  /** The peer's Close frame is acted on at once: TCP may take its time to end. */
  #closed(code: number, reason: string, cause: Error | undefined): void {
    if (this.state === 'ended') return
    if (this.state !== 'ending') this.#stop(closedByPeer(code, reason, cause))
    this.#finish()
  }

  /** Nothing runs from here on; what ran is told. The first reason is the one that counts. */
  #stop({ end, error }: Ending): void {
    this.#end ??= end
    if (this.state === 'ending' || this.state === 'ended') return
    this.state = 'ending'
    this.#liveness.stop()
    this.delivery.stop()
    for (const stream of this.streams.list()) {
      try {
        stream.lost(error)
      } catch (cause) {
        this.#log.error({ err: cause }, 'A handler failed while its exchange was ended')
      }
    }
    this.streams.clear()
    this.scheduler.stop()
    this.#acknowledgements.clear()
    this.#events.onChange()
  }

  #finish(): void {
    if (this.state === 'ended' || this.#end === undefined) return
    this.state = 'ended'
    this.answered()
    this.#events.onEnd(this.#end)
  }
}
