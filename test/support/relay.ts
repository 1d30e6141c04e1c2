/**
 * A TCP relay that stands between two ends of a tunnel and behaves like a network: delay, rate, silence, cuts.
 *
 * What it holds is bounded: it stops reading from a sender whose receiver, or whose share of the link, is slower, so
 * backpressure reaches the sender as it would over a real network.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** One direction of the relayed link; all connections share it. */
export interface RelayDirection {
  /** One-way delay. Default 0. */
  readonly delayMs?: number
  /** Default: no limit. */
  readonly bytesPerSecond?: number
}

export interface RelayOptions extends RelayDirection {
  /** Port on 127.0.0.1 that connections are relayed to. */
  readonly to: number
  /** Port to listen on. Default: a free one. */
  readonly port?: number
  /** From the one who connected to the one behind; overrides what is given for both directions. */
  readonly up?: RelayDirection
  /** From the one behind to the one who connected. */
  readonly down?: RelayDirection
  /** Bytes of one connection and direction that may be under way. Default: what the link holds, at least 256 KiB. */
  readonly maxHeld?: number
}

/** Held for a link without a rate limit. */
const UNLIMITED_HELD_BYTES = 8 * 1024 * 1024
const MIN_HELD_BYTES = 256 * 1024
/** A piece takes at most this long on a slow link: others get their turn in between. */
const PIECE_MS = 10

export class Relay {
  readonly #server: Server
  readonly #to: number
  readonly #up: Wire
  readonly #down: Wire
  readonly #pairs = new Set<Pair>()
  #accepted = 0

  private constructor(server: Server, options: RelayOptions) {
    this.#server = server
    this.#to = options.to
    this.#up = new Wire({ ...options, ...options.up }, options.maxHeld)
    this.#down = new Wire({ ...options, ...options.down }, options.maxHeld)
    server.on('connection', (socket: Socket) => this.#accept(socket))
  }

  /** Listens on 127.0.0.1. */
  static async start(options: RelayOptions): Promise<Relay> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    const relay = new Relay(server, options)
    server.listen(options.port ?? 0, '127.0.0.1')
    await once(server, 'listening')
    return relay
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connections relayed now. */
  get connections(): number {
    return this.#pairs.size
  }

  /** Connections accepted since the start. */
  get accepted(): number {
    return this.#accepted
  }

  /** Bytes that the relay itself holds, in both directions. */
  get held(): number {
    let sum = 0
    for (const pair of this.#pairs) sum += pair.held
    return sum
  }

  /** From now on nothing passes, and nobody is told: cables pulled, firewalls that forgot the flow. */
  blackhole(): void {
    this.#up.setSilent(true, this.#pairs)
    this.#down.setSilent(true, this.#pairs)
  }

  /** Ends `blackhole()`: what was held passes, as after a retransmission. */
  restore(): void {
    this.#up.setSilent(false, this.#pairs)
    this.#down.setSilent(false, this.#pairs)
  }

  /** Resets every connection. New ones are accepted. */
  cut(): void {
    for (const pair of [...this.#pairs]) pair.reset()
  }

  /** Resets every connection and refuses new ones. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.cut()
    await closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #accept(front: Socket): void {
    this.#accepted++
    const back = connect({ port: this.#to, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    const pair = new Pair(front, back, this.#up, this.#down, () => this.#pairs.delete(pair))
    this.#pairs.add(pair)
  }
}

/** What all connections share in one direction. */
class Wire {
  readonly delayMs: number
  readonly pieceBytes: number
  readonly maxHeld: number
  silent = false
  readonly #bytesPerMs: number
  #freeAt = 0

  constructor(direction: RelayDirection, maxHeld: number | undefined) {
    this.delayMs = direction.delayMs ?? 0
    this.#bytesPerMs = (direction.bytesPerSecond ?? Infinity) / 1000
    this.pieceBytes = Number.isFinite(this.#bytesPerMs)
      ? Math.max(1, Math.floor(this.#bytesPerMs * PIECE_MS))
      : Infinity
    const inTransit = this.delayMs === 0 ? 0 : this.#bytesPerMs * this.delayMs
    this.maxHeld = maxHeld ?? Math.max(MIN_HELD_BYTES, Math.min(UNLIMITED_HELD_BYTES, 2 * inTransit))
  }

  /** Takes the link for `bytes` and returns when they arrive, in `performance.now()` time. */
  arrival(bytes: number): number {
    this.#freeAt = Math.max(performance.now(), this.#freeAt) + bytes / this.#bytesPerMs
    return this.#freeAt + this.delayMs
  }

  setSilent(silent: boolean, pairs: Iterable<Pair>): void {
    this.silent = silent
    if (!silent) for (const pair of pairs) pair.wake()
  }
}

/** Two sockets, a pipe each way; what happens to one happens to the other. */
class Pair {
  readonly #front: Socket
  readonly #back: Socket
  readonly #up: Pipe
  readonly #down: Pipe
  readonly #onGone: () => void
  #lostInSilence = false

  constructor(front: Socket, back: Socket, up: Wire, down: Wire, onGone: () => void) {
    this.#front = front
    this.#back = back
    this.#onGone = onGone
    this.#up = new Pipe(front, back, up)
    this.#down = new Pipe(back, front, down)
    for (const socket of [front, back]) {
      socket.on('error', () => this.#lost())
      socket.on('close', () => this.#closed())
    }
  }

  get held(): number {
    return this.#up.held + this.#down.held
  }

  wake(): void {
    if (this.#lostInSilence) {
      this.reset()
      return
    }
    this.#up.wake()
    this.#down.wake()
  }

  reset(): void {
    this.#up.stop()
    this.#down.stop()
    this.#front.resetAndDestroy()
    this.#back.resetAndDestroy()
  }

  /** A reset passes on at once, except through a black hole. */
  #lost(): void {
    if (this.#up.wire.silent) this.#lostInSilence = true
    else this.reset()
  }

  #closed(): void {
    if (!this.#front.destroyed || !this.#back.destroyed) return
    this.#up.stop()
    this.#down.stop()
    this.#onGone()
  }
}

interface Piece {
  readonly at: number
  /** Undefined: the end of the stream. */
  readonly bytes: Buffer | undefined
}

/** One direction of one connection. */
class Pipe {
  readonly wire: Wire
  held = 0
  readonly #from: Socket
  readonly #to: Socket
  readonly #queue: Piece[] = []
  #timer: NodeJS.Timeout | undefined
  #blocked = false
  #stopped = false

  constructor(from: Socket, to: Socket, wire: Wire) {
    this.wire = wire
    this.#from = from
    this.#to = to
    from.on('data', (chunk: Buffer) => this.#take(chunk))
    from.on('end', () => this.#push(undefined, 0))
    to.on('drain', () => {
      this.#blocked = false
      this.wake()
    })
  }

  /** Delivers what is due. */
  wake(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#stopped || this.#blocked || this.wire.silent) return
    const now = performance.now()
    let piece = this.#queue[0]
    let room = true
    while (piece !== undefined && piece.at <= now && room) {
      this.#queue.shift()
      room = this.#deliver(piece)
      piece = this.#queue[0]
    }
    this.#blocked = !room
    if (this.held <= this.wire.maxHeld / 2 && this.#from.isPaused()) this.#from.resume()
    if (piece !== undefined && room) this.#timer = setTimeout(() => this.wake(), Math.max(0, piece.at - now))
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#queue.length = 0
    this.held = 0
  }

  #take(chunk: Buffer): void {
    const size = Math.min(chunk.length, this.wire.pieceBytes)
    for (let at = 0; at < chunk.length; at += size) {
      const piece = chunk.subarray(at, at + size)
      this.#push(piece, piece.length)
    }
    if (this.held >= this.wire.maxHeld) this.#from.pause()
  }

  #push(bytes: Buffer | undefined, length: number): void {
    if (this.#stopped) return
    this.held += length
    this.#queue.push({ at: this.wire.arrival(length), bytes })
    if (this.#timer === undefined) this.wake()
  }

  /** False: the receiver has enough for now. */
  #deliver(piece: Piece): boolean {
    if (piece.bytes === undefined) {
      this.#to.end()
      return true
    }
    this.held -= piece.bytes.length
    return this.#to.write(piece.bytes)
  }
}
