/**
 * The only place that knows `ws`: a {@link Link} over a WebSocket, for either side.
 *
 * `ws` does the handshake, reads frames and runs the closing handshake. Data, pings and pongs are framed by
 * frame-writer.ts and written to the connection, which we know from `handleUpgrade` and `createConnection`, once per
 * turn. Both sides write whole frames only, so they cannot tear each other's; no extension is ever negotiated.
 */
import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { plainAddress } from './address.js'
import { FrameWriter, type Masking, type Piece } from './frame-writer.js'
import type { RawHeaders } from './head.js'
import { LINK_CLOSE_TIMEOUT_MS, MAX_MESSAGE_BYTES } from './limits.js'
import type { Link, LinkHandler } from './link.js'
import { atEndOfTurn, type TurnListener } from './turns.js'

const empty = Buffer.alloc(0)

/** More unsent pongs than this are not worth their memory: only the newest ping is answered (RFC 6455 §5.5.3). */
const PONG_BACKLOG_BYTES = 256 * 1024

/** A batch of more frames than one small request, or one small response, has: several exchanges run at once. */
const REQUEST_FRAMES = 1
const RESPONSE_FRAMES = 2

const unset: LinkHandler = {
  onText() {},
  onBinary() {},
  onPing() {},
  onPong() {},
  onTurn() {},
  onDrain() {},
  onCloseFrame() {},
  onClosed() {},
}

/** `ws` calls the public `close()` to answer a Close frame: the one moment that says that it has come. */
export class LinkSocket extends WebSocket {
  onPeerClose: ((code: number, reason: string) => void) | undefined
  #closing = false

  override close(code?: number, reason?: string | Buffer): void {
    if (!this.#closing && this.readyState === WebSocket.OPEN) {
      this.#closing = true
      // A code without a reason is ws's answer to a broken frame: an 'error' event follows.
      if (code === undefined) this.onPeerClose?.(1005, '')
      else if (reason !== undefined) this.onPeerClose?.(code, reason.toString())
    }
    super.close(code, reason)
  }

  /** Our own Close frame. */
  closeFromHere(code: number, reason: string): void {
    this.#closing = true
    super.close(code, reason)
  }
}

class WsLink implements Link, TurnListener {
  handler: LinkHandler = unset
  readonly remoteAddress: string
  readonly remotePort: number
  readonly #ws: LinkSocket
  readonly #socket: Socket
  readonly #writer: FrameWriter
  #open = true
  #closed = false
  #turnRequested = false
  #scheduled = false
  #paused = false
  #pendingPong: Buffer | undefined
  /** Batches that the operating system has not taken whole; their slabs are still in use. */
  readonly #writing: Piece[][] = []
  /** Not the socket's 'drain': that does not come when a large write was taken at once. */
  readonly #onWritten = (): void => {
    const pieces = this.#writing.shift()
    if (pieces !== undefined) release(pieces)
    if (this.#closed) return
    this.#guard(() => this.handler.onDrain())
    this.#answerPending()
  }
  #error: Error | undefined
  crowded = false
  readonly #aloneFrames: number

  constructor(ws: LinkSocket, socket: Socket, masking: Masking) {
    this.#ws = ws
    this.#socket = socket
    this.#writer = new FrameWriter(masking)
    // Requests come from the side that accepted the socket, which does not mask.
    this.#aloneFrames = masking === 'none' ? REQUEST_FRAMES : RESPONSE_FRAMES
    this.remoteAddress = plainAddress(socket.remoteAddress)
    this.remotePort = socket.remotePort ?? 0
    ws.on('message', (data, isBinary) => this.#received(data as Buffer, isBinary))
    ws.on('ping', (payload) => {
      this.#answer(payload)
      this.#guard(() => this.handler.onPing(payload))
    })
    ws.on('pong', (payload) => this.#guard(() => this.handler.onPong(payload)))
    ws.on('error', (error) => {
      this.#error ??= error
      // ws now says why (1002, 1007, 1009) and waits for the peer; nobody else should: nothing will come any more.
      this.#gone(1006, '')
    })
    ws.on('close', (code, reason) => this.#gone(code, reason.toString()))
    ws.onPeerClose = (code, reason) => {
      this.flush()
      this.#open = false
      this.#guard(() => this.handler.onCloseFrame(code, reason))
    }
  }

  get queued(): number {
    return this.#writer.bytes + this.#socket.writableLength
  }

  get open(): boolean {
    return this.#open && this.#ws.readyState === WebSocket.OPEN
  }

  get paused(): boolean {
    return this.#paused
  }

  sendBinary(head: Buffer, payload?: Buffer): void {
    if (!this.open) return
    this.#writer.add(2, head, payload)
    this.#schedule()
  }

  sendText(text: string): void {
    if (!this.open) return
    this.#writer.add(1, empty, Buffer.from(text))
    this.#schedule()
  }

  ping(payload: Buffer = empty): void {
    if (!this.open) return
    this.#writer.add(9, payload)
    this.#schedule()
  }

  pong(payload: Buffer = empty): void {
    if (!this.open) return
    this.#writer.add(10, payload)
    this.#schedule()
  }

  requestTurn(): void {
    this.#turnRequested = true
    this.#schedule()
  }

  endOfTurn(): void {
    // What the handler sends now leaves with this batch, without an extra turn…
    if (this.#takeTurnRequest() && !this.#closed) this.#guard(() => this.handler.onTurn())
    this.#scheduled = false
    this.flush()
    // …but a turn that it asks for is the next one.
    if (this.#turnRequested) this.#schedule()
  }

  /** Writes the batch. */
  flush(): void {
    if (this.#writer.bytes === 0) return
    this.crowded = this.#writer.frames > this.#aloneFrames
    const pieces = this.#writer.take()
    const socket = this.#socket
    if (this.#closed || !socket.writable) {
      release(pieces)
      return
    }
    this.#writing.push(pieces)
    const last = pieces.length - 1
    if (last > 0) socket.cork()
    for (let i = 0; i < last; i++) socket.write((pieces[i] as Piece).bytes)
    socket.write((pieces[last] as Piece).bytes, this.#onWritten)
    if (last > 0) socket.uncork()
  }

  pause(): void {
    if (this.#paused || !this.open) return
    this.#paused = true
    this.#ws.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#ws.resume()
  }

  close(code: number, reason: string): void {
    if (!this.open) return
    this.flush()
    this.#open = false
    // The peer's Close frame must be read, or the connection would only end by its timeout.
    this.resume()
    // A Close payload is at most 125 bytes, 2 of them the code (RFC 6455 §5.5.1).
    this.#ws.closeFromHere(code, Buffer.byteLength(reason) <= 123 ? reason : reason.slice(0, 30))
  }

  terminate(): void {
    this.#open = false
    this.#ws.terminate()
  }

  /** One Buffer per message: ws's default binary type. */
  #received(data: Buffer, isBinary: boolean): void {
    try {
      if (isBinary) this.handler.onBinary(data)
      else this.handler.onText(data.toString())
    } catch (error) {
      this.#failed(error)
    }
  }

  #takeTurnRequest(): boolean {
    const requested = this.#turnRequested
    this.#turnRequested = false
    return requested
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    atEndOfTurn(this)
  }

  #answer(payload: Buffer): void {
    if (this.queued < PONG_BACKLOG_BYTES) this.pong(payload)
    else this.#pendingPong = Buffer.from(payload)
  }

  #answerPending(): void {
    if (this.#pendingPong === undefined) return
    this.pong(this.#pendingPong)
    this.#pendingPong = undefined
  }

  #gone(code: number, reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#open = false
    release(this.#writer.take())
    try {
      this.handler.onClosed(code, reason, this.#error)
    } catch {
      // Nothing is left to end.
    }
  }

  #guard(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#failed(error)
    }
  }

  /** A handler that throws is a bug of ours: it costs this link, not the process. */
  #failed(error: unknown): void {
    this.#error ??= error instanceof Error ? error : new Error(String(error))
    this.terminate()
  }
}

function release(pieces: readonly Piece[]): void {
  for (const { slab } of pieces) slab.release()
}

export interface LinkServerOptions {
  /** Largest incoming message, bytes. Default `MAX_MESSAGE_BYTES`. */
  readonly maxPayload?: number
}

/** What the 101 says beyond RFC 6455's own fields. */
export interface LinkAnswer {
  /** One that the client offered, or undefined. */
  readonly subprotocol: string | undefined
  readonly headers: RawHeaders
}

/** Completes WebSocket handshakes on a server's `upgrade` event. */
export class LinkServer {
  readonly #server: WebSocketServer
  readonly #answers = new WeakMap<IncomingMessage, LinkAnswer>()

  constructor(options: LinkServerOptions = {}) {
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxPayload ?? MAX_MESSAGE_BYTES,
      autoPong: false,
      closeTimeout: LINK_CLOSE_TIMEOUT_MS,
      WebSocket: LinkSocket,
      handleProtocols: (_offered, req) => this.#answers.get(req)?.subprotocol ?? false,
    } as ConstructorParameters<typeof WebSocketServer>[0])
    this.#server.on('headers', (lines, req) => {
      const headers = this.#answers.get(req)?.headers ?? []
      for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i] as string}: ${headers[i + 1] as string}`)
    })
  }

  /** Answers 101 and hands over the link, or answers 400, 405 or 426 by itself. */
  accept(req: IncomingMessage, socket: Duplex, head: Buffer, answer: LinkAnswer, onLink: (link: Link) => void): void {
    if (!(socket instanceof Socket)) throw new TypeError('a link needs a network socket')
    this.#answers.set(req, answer)
    this.#server.handleUpgrade(req, socket, head, (ws) => {
      if (ws instanceof LinkSocket) onLink(new WsLink(ws, socket, 'none'))
    })
  }
}

/** For ws-dial.ts: the client's end of an open WebSocket. */
export function linkOf(ws: LinkSocket, socket: Socket, encrypted: boolean): Link {
  return new WsLink(ws, socket, encrypted ? 'zero' : 'random')
}
