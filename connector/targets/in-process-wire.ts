import type { Server } from 'node:http'
import { KiB } from '../../protocol/limits.js'
import { InProcessSocket } from './in-process-socket.js'
import type { Dial, Wire, WireHandler } from './wire.js'

/** Wires to an `http.Server` of this process: it is handed a connection that came over no port. */
export function inProcessDial(server: Server): Dial {
  return (handler) => new InProcessWire(server, handler)
}

/** Bytes taken in one turn of the event loop before `write` says false. */
const QUEUE_BYTES = 64 * KiB

class InProcessWire implements Wire {
  readonly #socket: InProcessSocket
  readonly #outgoing: (string | Buffer)[] = []
  /** Bytes in it. */
  #queued = 0
  #scheduled = false
  /** `write` said false because of what was queued. */
  #full = false
  #ended = false
  readonly #handler: WireHandler

  constructor(server: Server, handler: WireHandler) {
    this.#handler = handler
    this.#socket = new InProcessSocket(handler)
    process.nextTick(() => {
      if (this.#socket.destroyed) return
      server.emit('connection', this.#socket)
      handler.onConnect()
    })
  }

  write(data: string | Buffer): boolean {
    this.#outgoing.push(data)
    this.#queued += data.length
    this.#full = this.#queued >= QUEUE_BYTES
    this.#schedule()
    return this.#socket.wantsMore && !this.#full
  }

  end(): void {
    this.#ended = true
    this.#schedule()
  }

  /** Writing is put off to the end of the turn anyway. */
  corkTurn(): void {}

  flush(): void {
    this.#scheduled = false
    this.#queued = 0
    const wasFull = this.#full
    this.#full = false
    // One by one, so that nothing is delivered twice when the application throws and its process lives on.
    for (let data = this.#outgoing.shift(); data !== undefined; data = this.#outgoing.shift()) {
      if (!this.#socket.destroyed) {
        this.#socket.deliver(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
      }
    }
    if (this.#ended && !this.#socket.destroyed) this.#socket.deliverEnd()
    // Otherwise the socket says when the application reads again.
    if (wasFull && this.#socket.wantsMore) this.#handler.onDrain()
  }

  pause(): void {
    this.#socket.holdBack()
  }

  resume(): void {
    this.#socket.letGo()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  reset(): void {
    this.#socket.destroy()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    // Never in this turn: what the application's handler throws is its own uncaught exception, as in any server,
    // and must not come up through the tunnel's frame dispatch.
    process.nextTick(flush, this)
  }
}

function flush(wire: InProcessWire): void {
  wire.flush()
}
