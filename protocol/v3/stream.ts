import type { Clock } from '../clock.js'
import { CrankerError, type Initiator } from '../errors.js'
import type { RawHeaders } from '../head.js'
import { encodeTrailers } from '../head-text.js'
import { COPY_BELOW_BYTES, MAX_HEAD_FIELDS } from '../limits.js'
import type { Capabilities, Exchange } from '../session.js'
import { ReceiveWindow, type WindowBudget } from './flow.js'
import { rstFrame } from './frame.js'
import { encodeHeadBlock, HeadJoiner } from './head-block.js'
import { Outgoing, type OutgoingOwner } from './outgoing.js'
import type { Scheduler } from './scheduler.js'
import * as half from './stream-state.js'
import type { Half } from './stream-state.js'

/** What a stream needs of the socket that it shares. */
export interface StreamHost {
  readonly capabilities: Capabilities
  readonly scheduler: Scheduler
  readonly clock: Clock
  readonly budget: WindowBudget
  /** The peer's count of unacknowledged bytes is known to go below zero. */
  readonly signedCount: boolean
  readonly maxHeadBytes: number
  /** `stream` has credit to return at the end of this turn. */
  acknowledge(stream: Stream): void
  /** `stream` is over and all of it has been sent. */
  remove(stream: Stream): void
  countIn(bytes: number): void
  countOut(bytes: number): void
}

/**
 * One exchange on a 3.0 socket, what both sides have in common. The router's and the connector's own parts are in
 * request-stream.ts and response-stream.ts.
 */
export abstract class Stream implements Exchange, OutgoingOwner {
  readonly id: number
  readonly out: Outgoing
  readonly incoming: ReceiveWindow
  /** Waits for its acknowledgement at the end of the turn. */
  acknowledging = false
  protected readonly host: StreamHost
  /** What the peer may still send, and what we may. */
  protected remote: Half = 'head'
  protected local: Half = 'head'
  /** The exchange is over for whoever uses it: every call is a no-op, no handler is called. */
  protected over = false
  #joiner: HeadJoiner | undefined

  constructor(id: number, host: StreamHost) {
    this.id = id
    this.host = host
    this.out = new Outgoing(id, this)
    this.incoming = new ReceiveWindow(host.budget, host.signedCount)
  }

  // Calls from whoever uses the exchange

  write(chunk: Buffer): boolean {
    if (this.over || this.local === 'ended') return false
    if (!this.#stepLocal(half.data(this.local, chunk.length, false))) return false
    this.host.countOut(chunk.length)
    if (chunk.length < COPY_BELOW_BYTES) {
      // More of the kind may come in this turn, to share a frame.
      this.out.push(Buffer.from(chunk))
      this.host.scheduler.schedule(this.out)
    } else {
      this.out.push(chunk)
      this.host.scheduler.offer(this.out)
      this.out.keep()
    }
    return this.out.hasRoom()
  }

  end(chunk?: Buffer, trailers?: RawHeaders): void {
    if (this.over || this.local === 'ended') return
    if (!this.#stepLocal(half.data(this.local, chunk?.length ?? 0, true))) return
    if (chunk !== undefined) {
      this.host.countOut(chunk.length)
      this.out.push(chunk)
    }
    if (trailers !== undefined && trailers.length > 0 && this.host.capabilities.trailers) {
      const text = this.#trailerText(trailers)
      if (text === undefined) return
      this.out.finish(encodeHeadBlock(this.id, text, true))
    } else {
      this.out.finish()
    }
    this.host.scheduler.offer(this.out)
    this.out.keep()
    this.localEnded()
  }

  consumed(bytes: number): void {
    if (this.over || this.remote === 'ended') return
    if (this.incoming.consume(bytes)) this.host.acknowledge(this)
  }

  reset(error: CrankerError): void {
    if (this.over) return
    this.tellReset(error)
    this.discard()
  }

  /** The credit to return now, bytes; 0 = none. */
  acknowledgement(now: number, roundTrip: number | undefined): number {
    return this.over || this.remote === 'ended' ? 0 : this.incoming.take(now, roundTrip)
  }

  // Frames from the peer

  receiveHeader(payload: Buffer, end: boolean, endHeaders: boolean): void {
    if (this.over) return
    this.incoming.receive(payload.length)
    if (this.incoming.consume(payload.length)) this.host.acknowledge(this)
    const joiner = (this.#joiner ??= new HeadJoiner(this.host.maxHeadBytes))
    const text = joiner.add(payload, endHeaders)
    // END_STREAM on a part that is not the last says nothing yet: MU sets it on every part.
    if (text === undefined) return
    if (this.remote === 'head') this.receiveHead(text, end)
    else this.#receiveTrailers(text, end)
  }

  receiveData(payload: Buffer, end: boolean): void {
    if (this.over) return
    const before = this.remote
    const next = this.#joiner?.partial === true ? undefined : half.data(before, payload.length, end)
    if (next === undefined) {
      return this.violation(before === 'head' ? 'a body before its head' : 'more body after its end')
    }
    if (before === 'ended') return
    if (!this.incoming.receive(payload.length)) return this.violation('far more than it has credit for')
    this.remote = next
    if (payload.length > 0) {
      this.host.countIn(payload.length)
      this.deliver(payload)
    }
    if (end && this.#running()) this.remoteEnded(undefined)
  }

  receiveWindowUpdate(increment: number): void {
    if (this.out.credit.acknowledged(increment)) this.host.scheduler.schedule(this.out)
    else if (this.over) this.discard()
    else this.violation('absurd acknowledgements')
  }

  /** The peer has ended the exchange. */
  abstract receiveReset(code: number | undefined, text: string): void

  /** The socket is gone, or will be. */
  abstract lost(error: CrankerError): void

  /** Ends the exchange because of what the peer sent, or of a bug, and tells both sides. */
  abort(error: CrankerError): void {
    if (this.over) return
    this.tellReset(error)
    this.fail(error)
  }

  violation(what: string): void {
    this.abort(
      new CrankerError('CRANKER_ERR_PROTOCOL', `The peer broke the Cranker protocol: it sent ${what}`, {
        initiator: 'peer',
        delivered: this.delivered,
      }),
    )
  }

  // The scheduler's, from within a turn

  onRoom(): void {
    if (this.over) return
    try {
      this.room()
    } catch (cause) {
      this.abort(bug(cause))
    }
  }

  abstract onSent(): void

  // What the sides differ in

  protected abstract get delivered(): 'maybe' | 'yes'
  /** Whose message our half carries. */
  protected abstract readonly sender: Initiator
  protected abstract receiveHead(text: string, end: boolean): void
  protected abstract decodeTrailers(text: string): RawHeaders
  protected abstract deliver(chunk: Buffer): void
  protected abstract room(): void
  /** The peer's half is complete. */
  protected abstract remoteEnded(trailers: RawHeaders | undefined): void
  /** Our half is complete, though perhaps not yet sent. */
  protected abstract localEnded(): void
  protected abstract failed(error: CrankerError): void
  protected abstract resetCode(error: CrankerError): number

  /** Tells the peer that the exchange is over, if it knows of it at all. */
  protected tellReset(error: CrankerError): void {
    // Only what was written to be read elsewhere crosses the tunnel: messages may name the target's address.
    const text = error.code === 'CRANKER_ERR_REFUSED' ? error.message : error.code
    this.host.scheduler.control(rstFrame(this.id, this.resetCode(error), text))
  }

  /** Over at once: nothing more is sent, nobody is told. */
  protected discard(): void {
    this.over = true
    this.out.abandon()
    this.host.scheduler.remove(this.out)
    this.release()
  }

  /** Over, and everything was sent. */
  protected release(): void {
    this.over = true
    this.incoming.close()
    this.host.remove(this)
  }

  protected fail(error: CrankerError): void {
    this.discard()
    this.failed(error)
  }

  /** The handler may have ended the exchange in its call. */
  #running(): boolean {
    return !this.over
  }

  /** False: our own side made a call that is not allowed now, and the exchange has ended for it. */
  #stepLocal(next: Half | undefined): boolean {
    if (next !== undefined) {
      this.local = next
      return true
    }
    this.abort(new CrankerError('CRANKER_ERR_INTERNAL', 'A body was written before its head; this is a bug'))
    return false
  }

  /** Undefined: the peer could not take them, and the exchange has ended with that. */
  #trailerText(trailers: RawHeaders): string | undefined {
    const limit = this.host.maxHeadBytes
    try {
      const text = encodeTrailers(trailers)
      if (trailers.length <= 2 * MAX_HEAD_FIELDS && Buffer.byteLength(text) <= limit) return text
    } catch (cause) {
      this.abort(bug(cause))
      return undefined
    }
    const message = `A trailer section has more than ${limit} bytes or ${MAX_HEAD_FIELDS} fields; raise the largest head size if it is legitimate`
    this.abort(
      new CrankerError('CRANKER_ERR_HEAD_TOO_LARGE', message, { initiator: this.sender, delivered: this.delivered }),
    )
    return undefined
  }

  #receiveTrailers(text: string, end: boolean): void {
    const next = this.host.capabilities.trailers ? half.trailers(this.remote, end) : undefined
    if (next === undefined) return this.violation('a second head')
    this.remote = next
    this.remoteEnded(this.decodeTrailers(text))
  }
}

/** What a handler threw. */
export function bug(cause: unknown): CrankerError {
  return cause instanceof CrankerError
    ? cause
    : new CrankerError('CRANKER_ERR_INTERNAL', 'An exchange ended because its handler failed; this is a bug', { cause })
}
