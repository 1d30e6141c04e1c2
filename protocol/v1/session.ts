import type { Timer } from '../clock.js'
import { CrankerError } from '../errors.js'
import type { RawHeaders } from '../head.js'
import {
  MAX_HEAD_BYTES,
  V1_ABORT_TERMINATE_MS,
  V1_MAX_MESSAGE_BYTES,
  V1_RECEIVE_WINDOW_BYTES,
  V1_SEND_QUEUE_BYTES,
} from '../limits.js'
import type { Link, LinkHandler } from '../link.js'
import type { SessionConfig } from '../session-config.js'
import type { BodyHandler, Capabilities, Exchange, Session, SessionEvents } from '../session.js'
import { Heartbeat } from './heartbeat.js'

/**
 *     idle ──take──▶ running ──linger──▶ lingering
 *      │                │                    │
 *      └───────────────▶└──▶ closing ◀───────┘      closing: our Close frame is out
 *                              │
 *     any ──────────────────▶ ended                 the peer's Close frame came, or the connection is lost
 *
 * lingering (connector only): the response is sent, the router has yet to read it.
 */
type State = 'idle' | 'running' | 'lingering' | 'closing' | 'ended'

/**
 * What both ends of a 1.0 socket have in common. A 1.0 socket carries one exchange and is never used again: the
 * session is its exchange.
 *
 * 1.0 has no flow control but TCP's: a receiver that holds too much stops reading its socket (heartbeat.ts says what
 * follows from that).
 */
export abstract class V1Session implements Session, Exchange, LinkHandler {
  readonly version = '1.0' as const
  readonly id = 1
  readonly capacity = 1
  readonly capabilities: Capabilities
  protected readonly link: Link
  protected readonly config: SessionConfig
  protected readonly maxHeadBytes: number
  protected readonly heartbeat: Heartbeat
  readonly #events: SessionEvents
  #state: State = 'idle'
  #draining = false
  #bytesIn = 0
  #bytesOut = 0
  #unconsumed = 0
  #blocked = false
  #abort: Timer | undefined
  #error: CrankerError | undefined

  constructor(config: SessionConfig, events: SessionEvents) {
    this.config = config
    this.link = config.link
    this.capabilities = config.capabilities
    this.maxHeadBytes = config.maxHeadBytes ?? MAX_HEAD_BYTES
    this.#events = events
    this.heartbeat = new Heartbeat(config, (problem) => {
      this.#lost(socketLost(problem))
    })
    this.link.handler = this
  }

  get load(): number {
    return this.#state === 'running' || this.#state === 'lingering' ? 1 : 0
  }

  get accepting(): boolean {
    return this.#state === 'idle' && !this.#draining && this.link.open
  }

  get roundTrip(): number | undefined {
    return this.heartbeat.roundTrip
  }

  get bytesIn(): number {
    return this.#bytesIn
  }

  get bytesOut(): number {
    return this.#bytesOut
  }

  /** 1.0 has no frame to announce it with: an idle socket is closed, one in use ends by itself. */
  drain(): void {
    if (this.#draining) return
    this.#draining = true
    if (this.#state !== 'idle') return
    const { code, reason } = this.idleClose()
    this.closeLink(code, reason)
  }

  close(code: number, reason: string): void {
    // What lingers is complete, and a Close frame goes out after it.
    if (this.#state === 'lingering') this.closeLink(1000, '')
    else if (this.#state === 'running')
      this.endRunning(socketLost(`the tunnel socket is being closed: ${reason}`), code)
    else this.closeLink(code, reason)
  }

  terminate(): void {
    this.#lost(socketLost('the tunnel socket was cut by this side'))
  }

  abstract write(chunk: Buffer): boolean
  abstract end(chunk?: Buffer, trailers?: RawHeaders): void
  abstract reset(error: CrankerError): void

  consumed(bytes: number): void {
    if (this.#state !== 'running') return
    this.#unconsumed -= bytes
    if (this.link.paused && this.#unconsumed < V1_RECEIVE_WINDOW_BYTES / 2) {
      this.link.resume()
      this.heartbeat.silenceIs('paused', false)
    }
  }

  // What the two ends do differently.

  /** The receiver of the exchange's events, once there is one. */
  protected abstract readonly receiver: BodyHandler | undefined
  /** How an idle socket is closed by `drain`. */
  protected abstract idleClose(): { readonly code: number; readonly reason: string }
  /** A text message on an idle or running socket. */
  protected abstract text(text: string): void
  /** Whether a binary message may come now; says why not by `violation`. */
  protected abstract allowsBody(): boolean
  /** The peer's Close frame, or the loss of the connection (1006), ends the running exchange. */
  protected abstract exchangeClosed(code: number, reason: string): void

  // What they share.

  protected get running(): boolean {
    return this.#state === 'running'
  }

  protected get idle(): boolean {
    return this.#state === 'idle'
  }

  protected take(): void {
    this.#state = 'running'
    this.#events.onChange()
  }

  protected sendBody(chunk: Buffer): boolean {
    this.#bytesOut += chunk.length
    for (let at = 0; at < chunk.length; at += V1_MAX_MESSAGE_BYTES) {
      this.link.sendBinary(chunk.length <= V1_MAX_MESSAGE_BYTES ? chunk : chunk.subarray(at, at + V1_MAX_MESSAGE_BYTES))
    }
    if (this.link.queued <= V1_SEND_QUEUE_BYTES) return true
    this.#blocked = true
    // The queue may empty before the link's low-water mark counts: look again at the end of the turn.
    this.link.requestTurn()
    this.heartbeat.silenceIs('blocked', true)
    return false
  }

  protected isTooLarge(headText: string): boolean {
    // At most three octets of UTF-8 for a UTF-16 code unit.
    return headText.length * 3 > this.maxHeadBytes && Buffer.byteLength(headText) > this.maxHeadBytes
  }

  protected linger(): void {
    this.#state = 'lingering'
    this.#stopReceiving()
    this.heartbeat.silenceIs('waiting', true)
  }

  /** Ends what runs, tells its receiver, and closes the socket. */
  protected endRunning(error: CrankerError, code: number): void {
    const receiver = this.running ? this.receiver : undefined
    this.closeLink(code, error.code)
    this.cutSoon()
    receiver?.onError(error)
  }

  /** The peer broke the protocol: it loses this socket, and what ran on it. */
  protected violation(problem: string): void {
    this.violated(new CrankerError('CRANKER_ERR_PROTOCOL', problem, { initiator: 'peer', delivered: 'maybe' }))
  }

  protected violated(error: CrankerError): void {
    this.config.log.warn({ peer: this.link.remoteAddress, problem: error.message }, '1.0 protocol error')
    this.#error = error
    this.endRunning(error, 1002)
  }

  /** A Close frame after everything sent. From here on the exchange is over and messages are ignored. */
  protected closeLink(code: number, reason: string): void {
    if (this.#state === 'closing' || this.#state === 'ended') return
    const changed = this.load > 0 || this.#state === 'idle'
    this.#state = 'closing'
    this.heartbeat.stop()
    this.#stopReceiving()
    this.link.close(code, reason)
    if (changed) this.#events.onChange()
  }

  /** crank4py and rust-cranker-connector cancel their target only when TCP ends, crank4go when a write fails. */
  protected cutSoon(): void {
    if (this.#state === 'ended') return
    this.#abort ??= this.config.clock.timer(() => {
      this.link.terminate()
    }, V1_ABORT_TERMINATE_MS)
  }

  onText(text: string): void {
    this.heartbeat.heard()
    if (this.#state === 'idle' || this.#state === 'running') this.text(text)
  }

  onBinary(data: Buffer): void {
    this.heartbeat.heard()
    if (this.#state !== 'idle' && this.#state !== 'running') return
    if (!this.allowsBody() || data.length === 0) return
    this.#bytesIn += data.length
    this.#unconsumed += data.length
    if (this.#unconsumed > V1_RECEIVE_WINDOW_BYTES && !this.link.paused) {
      this.link.pause()
      this.heartbeat.silenceIs('paused', true)
    }
    this.receiver?.onData(data)
  }

  onPing(): void {
    this.heartbeat.heard()
  }

  onPong(payload: Buffer): void {
    this.heartbeat.pong(payload)
  }

  onTurn(): void {
    this.#unblock()
  }

  onDrain(): void {
    this.#unblock()
  }

  onCloseFrame(code: number, reason: string): void {
    this.#finish(code, reason, undefined)
  }

  onClosed(code: number, reason: string, error: Error | undefined): void {
    this.#abort?.clear()
    this.#finish(code, reason, error ?? undefined)
  }

  #unblock(): void {
    if (!this.#blocked || this.link.queued > V1_SEND_QUEUE_BYTES) return
    this.#blocked = false
    this.heartbeat.silenceIs('blocked', false)
    if (this.running) this.receiver?.onDrain()
  }

  #stopReceiving(): void {
    this.#unconsumed = 0
    if (!this.link.paused) return
    this.link.resume()
    this.heartbeat.silenceIs('paused', false)
  }

  #lost(error: CrankerError): void {
    if (this.#state === 'ended') return
    this.#error ??= error
    this.link.terminate()
    this.#finish(1006, error.message, error)
  }

  #finish(code: number, reason: string, cause: Error | undefined): void {
    if (this.#state === 'ended') return
    const state = this.#state
    this.#state = 'ended'
    this.heartbeat.stop()
    this.#stopReceiving()
    if (state === 'running') this.exchangeClosed(code, reason)
    this.heartbeat.end()
    const clean = this.#error === undefined && (state === 'closing' || isClean(code, state))
    const error = this.#error ?? (clean ? undefined : socketLost(`the tunnel socket was closed (${code})`, cause))
    this.#events.onEnd({ code, reason, clean, error })
  }
}

/** 1013 on an idle socket is a connector that drains: see V1ConnectorSession. */
function isClean(code: number, state: State): boolean {
  return code === 1000 || code === 1001 || code === 1005 || (code === 1013 && state === 'idle')
}

function socketLost(message: string, cause?: Error): CrankerError {
  return new CrankerError('CRANKER_ERR_SOCKET_LOST', message, { initiator: 'peer', delivered: 'maybe', cause })
}
