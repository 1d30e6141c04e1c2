/** A {@link Link} whose messages are told, one readable line each. Without a tracer there is no such link: it costs nothing then. */
import { describeMessage } from './describe.js'
import { V3_FRAME_HEADER_BYTES } from './limits.js'
import type { Link, LinkHandler } from './link.js'
import type { Sender, TunnelMessage } from './meaning.js'
import type { ProtocolVersion } from './session.js'
import { FLAG_END_HEADERS, TYPE_HEADER } from './v3/frame.js'

/**
 * Takes one line for each message on a tunnel socket, in the words of docs/protocol.md, with an arrow for its direction:
 * `→` from the router to the connector, `←` back. Values of fields that carry secrets (`authorization`, `cookie`, …) are
 * hidden; the beginning of bodies is not. Must not throw.
 */
export type FrameTracer = (line: string, socketID: string) => void

export interface Tracing {
  /** Left out: nothing is traced. */
  readonly tracer: FrameTracer | undefined
  readonly version: ProtocolVersion
  readonly socketID: string
  /** Which end of the link this is. */
  readonly side: Sender
}

/** The link itself when there is no tracer. */
export function traced(link: Link, { tracer, version, socketID, side }: Tracing): Link {
  return tracer === undefined ? link : new TracedLink(link, { tracer, version, socketID, side })
}

/** Bounds what a peer that never ends its heads can make us keep. */
const MAX_OPEN_HEADS = 1_024

class TracedLink implements Link {
  readonly #link: Link
  readonly #write: (message: TunnelMessage, from: Sender) => void
  readonly #side: Sender
  readonly #peer: Sender

  constructor(link: Link, { tracer, version, socketID, side }: Tracing & { readonly tracer: FrameTracer }) {
    this.#link = link
    this.#side = side
    this.#peer = side === 'router' ? 'connector' : 'router'
    const openHeads = { router: new OpenHeads(), connector: new OpenHeads() }
    this.#write = (message, from) => {
      const continued = message.kind === 'binary' && version === '3.0' && openHeads[from].saw(message.data)
      tracer(describeMessage(version, message, { from, redact: true, continued }), socketID)
    }
  }

  get handler(): LinkHandler {
    return this.#link.handler
  }

  set handler(handler: LinkHandler) {
    const heard = (message: TunnelMessage): void => this.#write(message, this.#peer)
    this.#link.handler = {
      onText(text) {
        heard({ kind: 'text', text })
        handler.onText(text)
      },
      onBinary(data) {
        heard({ kind: 'binary', data })
        handler.onBinary(data)
      },
      onPing(data) {
        heard({ kind: 'ping', data })
        handler.onPing(data)
      },
      onPong(data) {
        heard({ kind: 'pong', data })
        handler.onPong(data)
      },
      onTurn: () => handler.onTurn(),
      onDrain: () => handler.onDrain(),
      onCloseFrame(code, reason) {
        heard({ kind: 'close', code, reason })
        handler.onCloseFrame(code, reason)
      },
      onClosed(code, reason, error) {
        // After a Close frame of either side this is only the end of the TCP connection.
        if (code === 1006) heard({ kind: 'close', code, reason: error?.message ?? 'the connection was lost' })
        handler.onClosed(code, reason, error)
      },
    }
  }

  sendBinary(head: Buffer, payload?: Buffer): void {
    if (this.open) {
      const data = payload === undefined ? head : Buffer.concat([head, payload])
      this.#write({ kind: 'binary', data }, this.#side)
    }
    this.#link.sendBinary(head, payload)
  }

  sendText(text: string): void {
    if (this.open) this.#write({ kind: 'text', text }, this.#side)
    this.#link.sendText(text)
  }

  ping(data: Buffer = Buffer.alloc(0)): void {
    if (this.open) this.#write({ kind: 'ping', data }, this.#side)
    this.#link.ping(data)
  }

  pong(data: Buffer = Buffer.alloc(0)): void {
    if (this.open) this.#write({ kind: 'pong', data }, this.#side)
    this.#link.pong(data)
  }

  close(code: number, reason: string): void {
    if (this.open) this.#write({ kind: 'close', code, reason }, this.#side)
    this.#link.close(code, reason)
  }

  terminate(): void {
    this.#link.terminate()
  }

  requestTurn(): void {
    this.#link.requestTurn()
  }

  pause(): void {
    this.#link.pause()
  }

  resume(): void {
    this.#link.resume()
  }

  get queued(): number {
    return this.#link.queued
  }

  get paused(): boolean {
    return this.#link.paused
  }

  get open(): boolean {
    return this.#link.open
  }

  get remoteAddress(): string {
    return this.#link.remoteAddress
  }

  get remotePort(): number {
    return this.#link.remotePort
  }
}

/** Which exchanges of one direction are within a head: the rest of a secret may begin the next part. */
class OpenHeads {
  readonly #ids = new Set<number>()

  /** Takes a message in; returns whether it goes on with a head that an earlier one began. */
  saw(message: Buffer): boolean {
    if (message.length < V3_FRAME_HEADER_BYTES || message[0] !== TYPE_HEADER) return false
    const id = message.readInt32BE(2)
    const full = this.#ids.size >= MAX_OPEN_HEADS
    const continued = this.#ids.has(id) || full
    if (((message[1] as number) & FLAG_END_HEADERS) !== 0) this.#ids.delete(id)
    else if (!full) this.#ids.add(id)
    return continued
  }
}
