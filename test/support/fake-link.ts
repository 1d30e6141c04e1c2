import type { Link, LinkHandler } from '../../protocol/link.js'
import type { FakeClock } from './fake-clock.js'

/** What went over a fake link, as its sender handed it over. */
export type SentMessage =
  | { readonly kind: 'binary'; readonly data: Buffer }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'ping'; readonly data: Buffer }
  | { readonly kind: 'pong'; readonly data: Buffer }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string }

type Parcel = SentMessage | { readonly kind: 'end'; readonly code: number }

export interface LinkPairOptions {
  /** With a clock, messages travel in its time; without one, latency and bandwidth do not exist. */
  readonly clock?: FakeClock
  /** One way, ms. */
  readonly latency?: number
  /** Bytes per ms and direction. What waits for its turn on the wire is in the network: not in `queued`. */
  readonly bandwidth?: number
  /** True (default): everything happens by itself, in `setImmediate`. False: only when `settle()` is called. */
  readonly auto?: boolean
  /** Keep `sent`. Default true; long loads turn it off. */
  readonly record?: boolean
}

const EMPTY = Buffer.alloc(0)
const LOW_WATER_BYTES = 64 * 1024

const ignoringHandler: LinkHandler = {
  onText: () => {},
  onBinary: () => {},
  onPing: () => {},
  onPong: () => {},
  onTurn: () => {},
  onDrain: () => {},
  onCloseFrame: () => {},
  onClosed: () => {},
}

/** One end of an in-memory link. A test may use an end as the session's link, or as a hand-driven peer. */
export class FakeLink implements Link {
  handler: LinkHandler = ignoringHandler
  readonly remoteAddress = '127.0.0.1'
  readonly remotePort: number
  /** Everything that this end has sent, in order. */
  readonly sent: SentMessage[] = []
  /** False: pings reach `onPing` but are never answered (a peer that is dead, or answers none). */
  answerPings = true
  /** False: this end never answers a Close frame and never closes the connection. */
  answerClose = true
  /** The most bytes that `queued` ever showed. */
  maxQueued = 0

  readonly #pair: LinkPair
  readonly #record: boolean
  peer!: FakeLink
  #open = true
  #closeSent = false
  #closed = false
  #turn = false
  #paused = false
  #held = false
  #queued = 0
  #wasHigh = false
  #outbox: Parcel[] = []
  #wire: { due: number; parcel: Parcel }[] = []
  #wireHead = 0
  #lastDue = 0

  constructor(pair: LinkPair, port: number, record: boolean) {
    this.#pair = pair
    this.remotePort = port
    this.#record = record
  }

  get open(): boolean {
    return this.#open
  }

  get queued(): number {
    return this.#queued
  }

  get paused(): boolean {
    return this.#paused
  }

  /** The payloads of all binary messages sent. */
  get binary(): Buffer[] {
    return this.sent.flatMap((m) => (m.kind === 'binary' ? [m.data] : []))
  }

  sendBinary(head: Buffer, payload: Buffer = EMPTY): void {
    if (this.#open) this.#send({ kind: 'binary', data: Buffer.concat([head, payload]) })
  }

  sendText(text: string): void {
    if (this.#open) this.#send({ kind: 'text', text })
  }

  ping(payload: Buffer = EMPTY): void {
    if (this.#open) this.#send({ kind: 'ping', data: Buffer.from(payload) })
  }

  pong(payload: Buffer = EMPTY): void {
    if (this.#open) this.#send({ kind: 'pong', data: Buffer.from(payload) })
  }

  requestTurn(): void {
    this.#turn = true
    this.#pair.wake()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#pair.wake()
  }

  close(code: number, reason: string): void {
    if (this.#closeSent || this.#closed) return
    this.#open = false
    this.#closeSent = true
    this.#send({ kind: 'close', code, reason })
  }

  terminate(): void {
    if (this.#closed) return
    this.#open = false
    this.#outbox = []
    this.#queued = 0
    this.peer.dropWire()
    this.#transmit({ kind: 'end', code: 1006 })
    this.#pair.later(() => this.finish(1006))
  }

  /** The operating system takes nothing more: what is sent stays in `queued` until `release()`. */
  hold(): void {
    this.#held = true
  }

  /** The socket takes `bytes` (default: everything, and from now on) of what is queued; `onDrain` follows. */
  release(bytes = Infinity): void {
    if (bytes === Infinity) this.#held = false
    let left = bytes
    while (this.#outbox.length > 0 && left > 0) left -= this.#shift()
    this.#drained()
    this.#pair.wake()
  }

  #send(parcel: Parcel & SentMessage): void {
    if (this.#record) this.sent.push(parcel)
    this.#outbox.push(parcel)
    this.#queued += sizeOf(parcel)
    this.maxQueued = Math.max(this.maxQueued, this.#queued)
    if (this.#queued > LOW_WATER_BYTES) this.#wasHigh = true
    this.#pair.wake()
  }

  #shift(): number {
    const parcel = this.#outbox.shift() as Parcel
    const size = sizeOf(parcel)
    this.#queued -= size
    this.#transmit(parcel)
    return size
  }

  #transmit(parcel: Parcel): void {
    const due = this.#pair.arrival(this.#lastDue, sizeOf(parcel))
    this.#lastDue = due
    this.#wire.push({ due, parcel })
    this.#pair.wakeAt(due)
  }

  #drained(): void {
    if (this.#wasHigh && this.#queued <= LOW_WATER_BYTES) {
      this.#wasHigh = false
      if (!this.#closed) this.handler.onDrain()
    }
  }

  /** One round: the turn, the write to the operating system, then whatever has arrived at the peer. */
  step(): boolean {
    let worked = false
    if (this.#turn) {
      this.#turn = false
      worked = true
      if (!this.#closed) this.handler.onTurn()
    }
    if (!this.#held && this.#outbox.length > 0) {
      worked = true
      for (const parcel of this.#outbox) this.#transmit(parcel)
      this.#outbox = []
      this.#queued = 0
      this.#drained()
    }
    const now = this.#pair.now()
    while (this.#wireHead < this.#wire.length && !this.peer.#paused) {
      const next = this.#wire[this.#wireHead] as { due: number; parcel: Parcel }
      if (next.due > now) break
      this.#wireHead++
      worked = true
      this.peer.receive(next.parcel)
    }
    if (this.#wireHead > 1024) {
      this.#wire = this.#wire.slice(this.#wireHead)
      this.#wireHead = 0
    }
    return worked
  }

  dropWire(): void {
    this.#wire = []
    this.#wireHead = 0
  }

  receive(parcel: Parcel): void {
    if (this.#closed) return
    switch (parcel.kind) {
      case 'binary':
        return this.handler.onBinary(parcel.data)
      case 'text':
        return this.handler.onText(parcel.text)
      case 'ping':
        if (this.answerPings) this.pong(parcel.data)
        return this.handler.onPing(parcel.data)
      case 'pong':
        return this.handler.onPong(parcel.data)
      case 'close': {
        this.#open = false
        this.handler.onCloseFrame(parcel.code, parcel.reason)
        if (!this.answerClose) return
        if (!this.#closeSent) {
          this.#closeSent = true
          this.#send({ kind: 'close', code: parcel.code, reason: parcel.reason })
        } else {
          this.#transmit({ kind: 'end', code: parcel.code })
          this.finish(parcel.code)
        }
        return
      }
      case 'end':
        return this.finish(parcel.code)
    }
  }

  finish(code: number): void {
    if (this.#closed) return
    this.#closed = true
    this.#open = false
    this.handler.onClosed(code, '', undefined)
  }
}

/** Two connected links. */
export class LinkPair {
  readonly router: FakeLink
  readonly connector: FakeLink
  readonly #clock: FakeClock | undefined
  readonly #latency: number
  readonly #bandwidth: number
  readonly #auto: boolean
  #scheduled = false
  #later: (() => void)[] = []

  constructor(options: LinkPairOptions) {
    this.#clock = options.clock
    this.#latency = options.latency ?? 0
    this.#bandwidth = options.bandwidth ?? Infinity
    this.#auto = options.auto ?? true
    const record = options.record ?? true
    this.router = new FakeLink(this, 40_001, record)
    this.connector = new FakeLink(this, 40_002, record)
    this.router.peer = this.connector
    this.connector.peer = this.router
  }

  /** One round of turns, writes and deliveries at both ends; false when nothing was left to do. */
  deliver(): boolean {
    const later = this.#later
    this.#later = []
    for (const fn of later) fn()
    const a = this.router.step()
    const b = this.connector.step()
    return a || b || later.length > 0
  }

  /** Rounds until nothing is left to do at this moment of the clock. */
  settle(): void {
    while (this.deliver());
  }

  now(): number {
    return this.#clock?.now() ?? 0
  }

  arrival(lastDue: number, bytes: number): number {
    if (this.#clock === undefined) return 0
    return Math.max(lastDue, this.#clock.now() + this.#latency) + bytes / this.#bandwidth
  }

  later(fn: () => void): void {
    this.#later.push(fn)
    this.wake()
  }

  wake(): void {
    if (!this.#auto || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (this.deliver()) this.wake()
    })
  }

  wakeAt(due: number): void {
    if (this.#clock !== undefined && due > this.#clock.now()) {
      this.#clock.timer(() => this.settle(), due - this.#clock.now())
    } else this.wake()
  }
}

function sizeOf(parcel: Parcel): number {
  switch (parcel.kind) {
    case 'binary':
    case 'ping':
    case 'pong':
      return parcel.data.length + (parcel.data.length < 126 ? 2 : parcel.data.length < 65_536 ? 4 : 10)
    case 'text':
      return Buffer.byteLength(parcel.text) + 4
    case 'close':
      return 4 + parcel.reason.length
    case 'end':
      return 0
  }
}

/** Two connected in-memory links that obey protocol/link.ts. `router` and `connector` are only names. */
export function linkPair(options: LinkPairOptions = {}): LinkPair {
  return new LinkPair(options)
}
