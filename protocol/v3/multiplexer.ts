import type { Clock } from '../clock.js'
import { CrankerError } from '../errors.js'
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
import { DeliveryClock } from './delivery-clock.js'
import { processWindowBudget, WindowBudget } from './flow.js'
import { decodeFrame, type Frame, goawayFrame, windowUpdateFrame } from './frame.js'
import { Scheduler } from './scheduler.js'
import { bug, type Stream, type StreamHost } from './stream.js'

const GOING_AWAY = 1001
const PROTOCOL_ERROR = 1002
/** Close codes by which a peer ends a socket on purpose (RFC 6455 §7.4.1); 1005 is a bare Close frame. */
const CLEAN_CODES: ReadonlySet<number> = new Set([1000, GOING_AWAY, 1005])
/** Longest pause before reconnecting that a goaway may ask for, s. */
const MAX_RETRY_AFTER_S = 3_600

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
  readonly maxHeadBytes: number
  readonly capacity: number
  bytesIn = 0
  bytesOut = 0

  protected readonly streams = new Map<number, S>()
  protected readonly delivery: DeliveryClock
  protected state: 'open' | 'draining' | 'ending' | 'ended' = 'open'
  readonly #link: Link
  readonly #log: Logger
  readonly #events: SessionEvents
  readonly #liveness: Liveness
  #acknowledging: Stream[] = []
  #end: SessionEnd | undefined
  #goawaySent = false
  #goawayReceived = false

  constructor(config: SessionConfig, events: SessionEvents) {
    this.capabilities = config.capabilities
    this.clock = config.clock
    this.maxHeadBytes = config.maxHeadBytes ?? MAX_HEAD_BYTES
    this.capacity = config.maxStreams ?? V3_MAX_STREAMS
    this.budget = new WindowBudget(V3_MAX_SOCKET_WINDOW_BYTES, config.windowBudget ?? processWindowBudget)
    this.#link = config.link
    this.#log = config.log
    this.#events = events
    this.delivery = new DeliveryClock(config.link, config.clock, () => this.scheduler.pump())
    this.scheduler = new Scheduler(
      config.link,
      this.delivery,
      () => this.#acknowledgeAll(),
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
      onDrain: () => this.#turn(),
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
      const text = `${Math.ceil(retryAfterMs / 1000)} ${reason}`
      this.scheduler.control(goawayFrame(this.lastId, 0, text))
    }
    this.retire()
  }

  close(code: number, reason: string): void {
    if (this.state === 'ending' || this.state === 'ended') return
    const error = new CrankerError('CRANKER_ERR_CLOSED', `The tunnel socket was closed here: ${reason}`)
    this.#stop({ code, reason, clean: true, error: undefined }, error)
    this.#link.close(code, reason)
  }

  terminate(): void {
    if (this.state === 'ended') return
    const error = new CrankerError('CRANKER_ERR_CLOSED', 'The tunnel socket was cut here')
    this.#stop({ code: 1006, reason: 'cut here', clean: true, error: undefined }, error)
    this.#link.terminate()
  }

  // StreamHost

  acknowledge(stream: Stream): void {
    if (stream.acknowledging) return
    stream.acknowledging = true
    this.#acknowledging.push(stream)
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
    this.streams.set(stream.id, stream)
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
    const [first = '', ...words] = text.split(' ')
    const seconds = /^\d{1,6}$/.test(first) ? Math.min(Number(first), MAX_RETRY_AFTER_S) : 0
    const reason = words.join(' ')
    this.goaway(lastId, reason)
    this.#events.onChange()
    this.#events.onGoaway(reason, seconds * 1000)
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

  #acknowledgeAll(): void {
    if (this.#acknowledging.length === 0) return
    const streams = this.#acknowledging
    this.#acknowledging = []
    const now = this.clock.now()
    for (const stream of streams) {
      stream.acknowledging = false
      const increment = stream.acknowledgement(now, this.delivery.leastRoundTrip)
      if (increment > 0) this.scheduler.control(windowUpdateFrame(stream.id, increment))
    }
  }

  // The end

  #dead(): void {
    this.#lost('No frame has come from the peer within the time that a living one is given', 'us')
    this.#link.terminate()
  }

  #broken(what: string): void {
    if (this.state === 'ending' || this.state === 'ended') return
    const error = new CrankerError('CRANKER_ERR_PROTOCOL', what, { initiator: 'peer' })
    this.#log.warn({ code: error.code }, what)
    this.#stop({ code: PROTOCOL_ERROR, reason: what, clean: false, error }, error)
    this.#link.close(PROTOCOL_ERROR, 'Protocol error')
  }

  /** The peer's Close frame is acted on at once: TCP may take its time to end. */
  #closed(code: number, reason: string, cause: Error | undefined): void {
    if (this.state === 'ended') return
    if (this.#end !== undefined) return this.#finish()
    if (CLEAN_CODES.has(code) && cause === undefined) {
      const error = new CrankerError(
        'CRANKER_ERR_SOCKET_LOST',
        `The peer closed the tunnel socket (${code} ${reason})`,
        {
          initiator: 'peer',
        },
      )
      this.#stop({ code, reason, clean: true, error: undefined }, error)
      return this.#finish()
    }
    const why = cause?.message ?? (reason === '' ? 'no reason given' : reason)
    this.#lost(`The tunnel socket was lost (${code}, ${why})`, 'peer', code, reason, cause)
  }

  #lost(message: string, initiator: 'us' | 'peer', code = 1006, reason = '', cause?: Error): void {
    const error = new CrankerError('CRANKER_ERR_SOCKET_LOST', message, { initiator, cause })
    this.#stop({ code, reason: reason || message, clean: false, error }, error)
    this.#finish()
  }

  /** Nothing runs from here on; what ran is told. The first reason is the one that counts. */
  #stop(end: SessionEnd, error: CrankerError): void {
    this.#end ??= end
    if (this.state === 'ending' || this.state === 'ended') return
    this.state = 'ending'
    this.#liveness.stop()
    this.delivery.stop()
    for (const stream of [...this.streams.values()]) {
      try {
        stream.lost(error)
      } catch (cause) {
        this.#log.error({ err: cause }, 'A handler failed while its exchange was ended')
      }
    }
    this.streams.clear()
    this.scheduler.stop()
    this.#acknowledging = []
    this.#events.onChange()
  }

  #finish(): void {
    if (this.state === 'ended' || this.#end === undefined) return
    this.state = 'ended'
    this.answered()
    this.#events.onEnd(this.#end)
  }
}
